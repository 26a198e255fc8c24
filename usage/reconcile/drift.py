"""How far the ledger is from a vendor's figures, and when that is too far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from usage.models import ComparedUsage

LIMIT_PER_MILLE = 5  # of the vendor's figure, one half per cent: what is beyond raises the alarm
FINEST = 0.01  # per cent that are shown
NAMES = {
    "input_tokens": "Input, uncached",
    "cache_read_input_tokens": "Read from cache",
    "cache_creation_5m": "Written to cache, 5 minutes",
    "cache_creation_1h": "Written to cache, 1 hour",
    "output_tokens": "Output",
    "web_search_requests": "Web searches",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """The ledger's figure against the vendor's; None: the vendor has none yet, and nothing can be said."""

    name: str
    vendor: int | None
    ledger: int

    @property
    def difference(self) -> int | None:
        """What the ledger has more, below zero what it lacks."""
        return None if self.vendor is None else self.ledger - self.vendor

    @property
    def percent(self) -> float | None:
        """Of the vendor's figure; None where that is nothing, so that there is no such share."""
        if not self.vendor:
            return 0.0 if self.vendor == self.ledger else None
        return (self.ledger - self.vendor) * 100 / abs(self.vendor)

    @property
    def is_beyond(self) -> bool:
        """Whether it is further off than the limit, reckoned without rounding."""
        if self.vendor is None:
            return False
        return abs(self.ledger - self.vendor) * 1000 > abs(self.vendor) * LIMIT_PER_MILLE

    @property
    def words(self) -> str:
        """The share as people read it: "+1.24 %", "none" for no difference, "–" where nothing can be said."""
        if self.vendor is None:
            return "–"
        if not self.difference:
            return "none"
        if self.percent is None:
            return "not at the vendor"
        sign = "+" if self.percent > 0 else "-"
        size = abs(self.percent)
        return f"{sign}{size:.2f} %" if size >= FINEST else f"{sign}< {FINEST} %"

    def __bool__(self) -> bool:
        """Whether there is anything on either side."""
        return bool(self.vendor or self.ledger)


def limit_words() -> str:
    return f"{LIMIT_PER_MILLE / 10:g} %"


def money(row: ComparedUsage) -> Drift:
    vendor = None if row.is_pending else row.vendor_cost_nano
    return Drift("Cost", vendor, row.ledger_cost_nano)


def counts(row: ComparedUsage) -> list[Drift]:
    """By kind of token, and web searches."""
    return [
        Drift(
            label,
            None if row.is_pending else getattr(row, f"vendor_{name}"),
            getattr(row, f"ledger_{name}"),
        )
        for name, label in NAMES.items()
    ]


def is_beyond(row: ComparedUsage) -> bool:
    """Whether the money or any of the counts is."""
    return any(one.is_beyond for one in [money(row), *counts(row)])


def whole_money(rows: Iterable[ComparedUsage]) -> Drift:
    """Of all the rows of which the vendor has charged anything; of every row where it has charged nothing."""
    everything = [money(row) for row in rows]
    known = [one for one in everything if one.vendor is not None]
    if not known:
        return Drift("Cost", None, sum(one.ledger for one in everything))
    return Drift("Cost", sum(one.vendor or 0 for one in known), sum(one.ledger for one in known))


def furthest(rows: Iterable[Drift]) -> Drift | None:
    """The one that is furthest off, by its share; None when nothing is off."""
    off = [one for one in rows if one.difference]
    return max(off, key=lambda one: float("inf") if one.percent is None else abs(one.percent), default=None)
