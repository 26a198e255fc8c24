"""Money and tokens as people read them. Integers in, text out; rounded half up."""

from __future__ import annotations

from django import template
from django.utils import timezone

from providers.catalogue import ModelSpec, Price

register = template.Library()

NANO = 1_000_000_000  # nano-dollars of a dollar
PICO_PER_MILLION = 1_000_000  # pico-dollars per token that make a dollar per million tokens


@register.filter
def usd(nano: int | None) -> str:
    """Nano-dollars as dollars: "$0.0214", "$0.310", "$41.20". Amounts too small to show are "< $0.0001"."""
    if nano is None:
        return ""
    sign, amount = ("-" if nano < 0 else ""), abs(nano)
    if amount == 0:
        return "$0"
    if amount < NANO // 10_000:
        return f"{sign}< $0.0001"
    if _rounded(amount, 4) < NANO // 10:
        places = 4
    elif _rounded(amount, 3) < NANO:
        places = 3
    else:
        places = 2
    return f"{sign}${_decimal(_rounded(amount, places), NANO, places)}"


@register.filter
def tokens(count: int | None) -> str:
    """A number of tokens, short: "612", "7.6k", "48k", "1.3M", "2.0B"."""
    if count is None:
        return ""
    for unit, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if count < unit - unit // 2000:  # 999,500 is "1.0M", not "1000k"
            continue
        tenths = (count * 10 + unit // 2) // unit
        whole = (count + unit // 2) // unit
        return f"{tenths // 10}.{tenths % 10}{letter}" if tenths < 100 else f"{whole}{letter}"
    return str(count)


@register.filter
def count(number: int | None) -> str:
    """A whole number with its thousands apart: "1,204"."""
    return "" if number is None else f"{number:,}"


@register.filter
def per_million(pico: int | None) -> str:
    """Pico-dollars per token as dollars per million tokens: "$2.00", "$0.075"."""
    if pico is None:
        return ""
    if pico == 0:
        return "$0"
    places = 2 if pico % (PICO_PER_MILLION // 100) == 0 else 3
    step: int = PICO_PER_MILLION // 10**places
    return f"${_decimal((pico + step // 2) // step * step, PICO_PER_MILLION, places)}"


@register.filter
def price_today(spec: ModelSpec) -> Price | None:
    """The model's price of today (UTC); None when none is known."""
    return spec.price_on(timezone.now().date())


def _rounded(amount: int, places: int) -> int:
    """Nano-dollars, rounded half up to so many decimal places of a dollar."""
    step: int = NANO // 10**places
    return (amount + step // 2) // step * step


def _decimal(amount: int, unit: int, places: int) -> str:
    return f"{amount // unit:,}.{amount % unit // (unit // 10**places):0{places}d}"
