"""Budgets as people read and type them: amounts exact to the unit of their measure, and words."""

from __future__ import annotations

import re

NANO = 1_000_000_000  # nano-dollars of a dollar
MOST_DOLLARS = 1_000_000_000
MOST_COUNT = 10**15
SCOPES = {
    "organisation": "Everyone together",
    "team": "A team together",
    "member": "Each member of a team",
    "person": "One person",
    "project": "A project",
    "token": "An access token",
}
KINDS = {
    "organisation": "Organisation",
    "team": "Team",
    "member": "Each member",
    "person": "Person",
    "project": "Project",
    "token": "Access token",
}
MEASURES = {"money": "Money", "requests": "Requests", "tokens": "Tokens"}
PERIODS = {"day": "Day", "week": "Week", "month": "Month", "total": "Total"}
PER = {"day": "per day", "week": "per week", "month": "per month", "total": "in total"}
MODES = {"block": "Block", "warn": "Warn", "cheaper": "Cheaper model"}
_DOLLARS = re.compile(r"\$?\s*([0-9]{1,10})(?:\.([0-9]{1,9}))?")
_COUNT = re.compile(r"[0-9]{1,16}")


class NotAnAmount(ValueError):
    """The text is no amount in this measure; the message says what would be one."""


def parsed(measure: str, text: str) -> int:
    """The amount that was typed: nano-dollars exactly, or a whole number. Raises NotAnAmount.

    Nothing is guessed: a comma could part thousands or cents, so it is refused.
    """
    text = text.strip()
    if measure == "money":
        found = _DOLLARS.fullmatch(text)
        if found is None:
            raise NotAnAmount("Enter dollars such as 40 or 12.50, with a point and no thousands separators.")
        amount = int(found[1]) * NANO + int((found[2] or "").ljust(9, "0"))
        most = MOST_DOLLARS * NANO
    else:
        if _COUNT.fullmatch(text) is None:
            raise NotAnAmount("Enter a whole number such as 5000, without thousands separators.")
        amount, most = int(text), MOST_COUNT
    if not 0 < amount <= most:
        raise NotAnAmount("A limit is above zero." if amount == 0 else "This is more than can be counted.")
    return amount


def typed(measure: str, amount: int) -> str:
    """The amount as the field shows it, exactly; `parsed` returns the same amount for it."""
    return exact_dollars(amount).replace("$", "").replace(",", "") if measure == "money" else str(amount)


def exact_dollars(nano: int) -> str:
    """Nano-dollars without rounding, with cents at least: "$1,284.07", "$0.000000001"."""
    return written("money", nano, _places(nano))


def places(measure: str, limit: int) -> int:
    """How many decimal places of a dollar the figures of one budget have, all alike, so that they add up."""
    return 0 if measure != "money" else max(_places(limit), 2 if limit >= NANO else 4)


def written(measure: str, amount: int, decimals: int) -> str:
    """The amount without its unit, money rounded half up to so many places: "$395.60", "1,204"."""
    if measure != "money":
        return f"{amount:,}"
    whole, rest = divmod(rounded(amount, decimals), NANO)
    return f"${whole:,}.{rest:09d}"[: len(f"${whole:,}.") + decimals]


def rounded(nano: int, decimals: int) -> int:
    """Nano-dollars, rounded half up to so many decimal places of a dollar."""
    step: int = NANO // 10**decimals
    return (nano + step // 2) // step * step


def unit(measure: str) -> str:
    """The word that follows a number; money has its sign in front."""
    return "" if measure == "money" else f" {measure}"


def limit_words(measure: str, limit: int) -> str:
    """A limit with its unit, exactly: "$400.00", "5,000 requests"."""
    return f"{written(measure, limit, places(measure, limit))}{unit(measure)}"


def _places(nano: int) -> int:
    """As many decimal places as the amount has, two at least."""
    return max(2, len(f"{nano % NANO:09d}".rstrip("0")))
