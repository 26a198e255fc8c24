"""The chart of cost per day, stacked, as shapes that a template draws: no script, no style attribute.

Bars are drawn in a box as many units wide as there are days and HEIGHT high, which the page stretches; all
numbers here are in those units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .report_forms import Period

HEIGHT = 220
TOP = 10  # room above the highest bar
SERIES = 5  # the last one is for all others when there are more
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of the bars: `number` chooses its colour, `path` draws it."""

    number: int
    text: str
    cost_nano: int
    path: str
    costs: list[int]


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the grid, or a day below it (in per cent of the width), and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    width: int
    series: list[Series]
    grid: list[Mark]
    dates: list[Mark]
    days: list[tuple[date, int]]
    ahead: str = ""
    partial: str = ""
    height: int = field(default=HEIGHT)

    @property
    def rows(self) -> list[tuple[date, list[int], int]]:
        """Its table: each day up to today that cost anything, what each series cost, and their sum."""
        columns = [one.costs for one in self.series]
        return [
            (day, [costs[place] for costs in columns], whole)
            for place, (day, whole) in enumerate(self.days)
            if whole
        ]


Layer = tuple[str, Mapping[date, int]]
"""What a layer of the bars is called, and its cost on each day that cost anything, in nano-dollars."""


def leading(costs: Mapping[Any, int]) -> list[Any]:
    """Of what each group cost, the groups that are layers of their own, dearest first; the others are one
    together.
    """
    ranked = sorted((key for key in costs if costs[key]), key=lambda key: (-costs[key], str(key)))
    return ranked if len(ranked) <= SERIES else ranked[: SERIES - 1]


def chart(
    period: Period, layers: Sequence[Layer], forecast: Mapping[date, int] | None = None
) -> Chart | None:
    """The layers drawn on each other, the first one lowest. `forecast` is what later days may cost (today:
    what it may come to). None: nothing cost anything.
    """
    days = period.days
    places = {day: place for place, day in enumerate(days)}
    costs = [(text, [amounts.get(day, 0) for day in days]) for text, amounts in layers]
    whole = [sum(amounts[place] for _, amounts in costs) for place in range(len(days))]
    ahead = {places[day]: cost for day, cost in (forecast or {}).items() if day in places}
    highest = max([0, *whole, *ahead.values()])
    if highest <= 0:
        return None
    step, top = scale(highest)
    floor, series = [0] * len(days), []
    for number, (text, amounts) in enumerate(costs, start=1):
        series.append(Series(number, text, sum(amounts), _bars(floor, amounts, top), amounts))
        floor = [low + max(0, amount) for low, amount in zip(floor, amounts, strict=True)]
    today = places.get(period.today)
    part = [amount if place == today else 0 for place, amount in enumerate(floor)]
    return Chart(
        width=len(days),
        series=series,
        grid=[Mark(_height(amount, top), axis_text(amount, step)) for amount in range(0, top + 1, step)],
        dates=_dates(days),
        days=list(zip(days, whole, strict=True)),
        ahead=_outlines(floor, ahead, top),
        partial=_bars([0] * len(days), part, top) if period.is_partial else "",
    )


def scale(highest: int) -> tuple[int, int]:
    """The step between two lines of the grid and the top line, in nano-dollars: 1, 2 or 5 times a power of
    ten, three to six steps high.
    """
    step = 1
    while True:
        for times in (1, 2, 5):
            if step * times * 6 >= highest:
                return step * times, -(-highest // (step * times)) * step * times
        step *= 10


def axis_text(amount: int, step: int) -> str:
    """A grid line's amount, with as many decimals as the step between them needs."""
    places = 0
    while places < 9 and step % (NANO // 10**places):
        places += 1
    whole, rest = divmod(amount, NANO)
    return f"${whole:,}" + (f".{rest:09d}"[: places + 1] if places and amount else "")


def _bars(floor: Sequence[int], amounts: Sequence[int], top: int) -> str:
    shapes = []
    for place, (low, amount) in enumerate(zip(floor, amounts, strict=True)):
        if amount > 0:
            begin, end = _height(low, top), _height(low + amount, top)
            shapes.append(f"M{place + 0.14:.2f} {begin:g}h.72V{end:g}h-.72z")
    return "".join(shapes)


def _outlines(floor: Sequence[int], ahead: Mapping[int, int], top: int) -> str:
    shapes = []
    for place, amount in sorted(ahead.items()):
        if amount > floor[place]:
            begin, end = _height(floor[place], top), _height(amount, top)
            shapes.append(f"M{place + 0.14:.2f} {begin:g}V{end:g}h.72V{begin:g}")
    return "".join(shapes)


def _height(amount: int, top: int) -> float:
    """Where an amount is, counted from above."""
    return round(HEIGHT - amount * (HEIGHT - TOP) / top, 1)


def _dates(days: Sequence[date]) -> list[Mark]:
    """At most seven days, named where they stand; their months where there are several."""
    several = (days[0].year, days[0].month) != (days[-1].year, days[-1].month)
    apart = max(1, -(-len(days) // 7))
    return [
        Mark(round((place + 0.5) * 100 / len(days), 2), f"{day.day} {day:%b}" if several else str(day.day))
        for place, day in enumerate(days)
        if place % apart == 0
    ]
