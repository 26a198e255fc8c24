"""A vendor's report as figures by day and model, of the keys that count.

A vendor may charge by model and not by key, and so say only what all keys cost together: each charge is
shared out by the tokens that it is for, and one for web searches by the searches. Where every key counts, the
shares are the whole, to the nano-dollar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from providers.usage_reports import BUCKETS, Charge, Report, UsedTokens
from usage.models import ComparedUsage

SEARCHES = "web_search_requests"
Place = tuple[date, str, str]
"""Day, model, and for what is charged without a model its kind."""


@dataclass(slots=True)
class VendorFigures:
    """`counts` by the names of ComparedUsage.COUNTS; `cost_nano` None where nothing was charged yet."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ComparedUsage.COUNTS, 0))
    cost_nano: int | None = None

    def charge(self, amount_nano: int) -> None:
        self.cost_nano = (self.cost_nano or 0) + amount_nano


def figures(
    report: Report, counts: Callable[[str], bool], named: Callable[[str], str]
) -> dict[Place, VendorFigures]:
    """The figures of each place that has any. `counts` says whether a key does, by its id; `named` gives our
    id of a model.
    """
    found: dict[Place, VendorFigures] = {}
    for row in report.used:
        if counts(row.key_id):
            own = found.setdefault((row.day, named(row.model), ""), VendorFigures())
            for name in own.counts:
                own.counts[name] += getattr(row, name)
    by_day: dict[date, list[UsedTokens]] = {}
    for row in report.used:
        by_day.setdefault(row.day, []).append(row)
    for charge in report.charges:
        for (model, kind), amount in _shares(charge, by_day.get(charge.day, []), counts).items():
            place = (charge.day, named(model) if model else "", kind)
            found.setdefault(place, VendorFigures()).charge(amount)
    return found


def days_with_figures(report: Report) -> set[date]:
    """The days of which the vendor tells anything, whichever keys count."""
    return {row.day for row in report.used} | {charge.day for charge in report.charges}


def days_charged(report: Report) -> set[date]:
    return {charge.day for charge in report.charges}


def _shares(
    charge: Charge, used: list[UsedTokens], counts: Callable[[str], bool]
) -> dict[tuple[str, str], int]:
    """What of a charge falls on each (model, kind). What nothing explains is charged whole."""
    if charge.kind == "web_search" and not charge.model:
        return _by_searches(charge, used, counts)
    if not charge.model:
        return {("", charge.kind): charge.amount_nano}
    names = [charge.bucket] if charge.bucket else [SEARCHES] if charge.kind == "web_search" else list(BUCKETS)
    of_model = [row for row in used if row.model == charge.model]
    for rows in ([row for row in of_model if charge.mode.includes(row.mode)], of_model):
        whole = _added(rows, names)
        if whole:
            part = _added((row for row in rows if counts(row.key_id)), names)
            return {(charge.model, ""): _share(charge.amount_nano, part, whole)}
    return {(charge.model, ""): charge.amount_nano}


def _by_searches(
    charge: Charge, used: list[UsedTokens], counts: Callable[[str], bool]
) -> dict[tuple[str, str], int]:
    whole = _added(used, [SEARCHES])
    if not whole:
        return {("", charge.kind): charge.amount_nano}
    shares: dict[tuple[str, str], int] = {}
    before = 0  # rounding each border once, so that the shares of all models add up to the charge
    for model in sorted({row.model for row in used}):
        own = [row for row in used if row.model == model]
        others = _added((row for row in own if not counts(row.key_id)), [SEARCHES])
        mine = _added(own, [SEARCHES]) - others
        begin, end = (_share(charge.amount_nano, at, whole) for at in (before, before + mine))
        before += mine + others
        if mine:
            shares[model, ""] = end - begin
    return shares


def _added(rows: Iterable[UsedTokens], names: Iterable[str]) -> int:
    names = list(names)
    return sum(getattr(row, name) for row in rows for name in names)


def _share(amount: int, part: int, whole: int) -> int:
    """Rounded half up."""
    return (2 * amount * part + whole) // (2 * whole)
