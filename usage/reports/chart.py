"""The chart of cost per day, stacked: its numbers, in nano-dollars. static/js/chart.js draws them, and a
table beside it shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from usage.reports.forms import Period

SERIES = 5  # the last one is for all others when there are more


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of the bars: what it is called, what it cost on each day that cost anything, and the parts of an
    address that leave its rows alone; none where no address does.
    """

    text: str
    costs: Mapping[date, int]
    only: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """A layer as it is drawn: `number` chooses its colour, `costs` has an amount for every day."""

    number: int
    text: str
    cost_nano: int
    costs: list[int]
    only: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Day:
    """`costs` are those of each series, `ahead` is what the whole day may come to, where that is foretold."""

    day: date
    costs: list[int]
    whole: int
    ahead: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`partial` is the place of the day that has not ended yet, if it is among them."""

    series: list[Series]
    days: list[Day]
    partial: int | None

    @property
    def is_ahead(self) -> bool:
        """Whether later days are foretold."""
        return any(day.ahead is not None for day in self.days)


def leading(costs: Mapping[Any, int]) -> list[Any]:
    """Of what each group cost, the groups that are layers of their own, dearest first; the others are one
    together.
    """
    ranked = sorted((key for key in costs if costs[key]), key=lambda key: (-costs[key], str(key)))
    return ranked if len(ranked) <= SERIES else ranked[: SERIES - 1]


def chart(
    period: Period, layers: Sequence[Layer], forecast: Mapping[date, int] | None = None
) -> Chart | None:
    """The layers on each other, the first one lowest. `forecast` is what later days may cost (today: what it
    may come to). None: nothing cost anything.
    """
    days, ahead = period.days, forecast or {}
    series = [
        Series(number, one.text, sum(amounts), amounts, one.only)
        for number, one in enumerate(layers, start=1)
        for amounts in [[one.costs.get(day, 0) for day in days]]
    ]
    costs = [[one.costs[place] for one in series] for place in range(len(days))]
    if max([0, *map(sum, costs), *(ahead.get(day, 0) for day in days)]) <= 0:
        return None
    return Chart(
        series=series,
        days=[Day(day, parts, sum(parts), ahead.get(day)) for day, parts in zip(days, costs, strict=True)],
        partial=days.index(period.today) if period.first <= period.today <= period.end else None,
    )
