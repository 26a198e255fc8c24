"""What was used and what it cost: the sums behind every page, file and chart of usage.

Every sum is that of the ledger's lines, though hardly any line is read: usage.reports.sources says which rows
stand for them, usage.reports.sql adds them up. Amounts are nano-dollars, sizes tokens, days those of the
organisation.

A call counts where its first attempt is: a call that was tried again and then completed is a failed one here,
as it is in DailyUsage. Money and tokens are counted attempt by attempt, under each attempt's own outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from usage.models import DailyUsage
from usage.reports import sql
from usage.reports.sources import Filters, days, lines, sources
from usage.reports.sql import NAMES, Statement, Sums

__all__ = [
    "GROUPINGS",
    "Filters",
    "Groups",
    "Key",
    "Leading",
    "Sums",
    "costs_by_day",
    "days",
    "groups",
    "leading",
    "lines",
    "sums",
    "total",
    "values",
]

Key = tuple[Any, ...]
"""The value of each grouping: a date, an id (NOBODY for none), a text, or for models "provider/model"."""

# Which columns of DailyUsage a grouping stands for.
GROUPINGS: dict[str, tuple[str, ...]] = {
    "day": ("day",),
    "person": ("user",),
    "team": ("team",),
    "token": ("token",),
    "provider": ("provider",),
    "model": ("provider", "model"),
    "purpose": ("purpose",),
    "key": ("credential_scope",),
}
# What `leading` can go by, as SQL over the sums of the groups.
ORDERS = {
    "cost": "sum_cost_nano DESC",
    "calls": "sum_calls DESC",
    "input": "sum_input + sum_cached + sum_written DESC",
    "cached": "sum_cached DESC",
    "output": "sum_output DESC",
    "first": "",  # the groupings themselves
}


class Groups:
    """The sums of each group that has any, as the database gave them: of a page's thousands of groups most
    are only added up, and reading them as Key and Sums takes longer than that.
    """

    def __init__(self, by: tuple[str, ...], width: int, rows: list[tuple[Any, ...]]) -> None:
        """`rows`: the groupings' columns, so many as `width`, then NAMES."""
        self._rows, self._width, self._key = rows, width, _key_of(by)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def total(self) -> Sums:
        end = self._width + len(NAMES)
        return _sums([sum(column) for column in list(zip(*self._rows, strict=True))[self._width : end]])

    def items(self) -> Iterator[tuple[Key, Sums]]:
        return ((self._key(row), _sums(row[self._width :])) for row in self._rows)

    def of(self, wanted: Collection[Key]) -> dict[Key, Sums]:
        """Of some groups, where they have any."""
        found = ((self._key(row), row) for row in self._rows)
        return {key: _sums(row[self._width :]) for key, row in found if key in wanted}

    def keys(self) -> list[Key]:
        return [self._key(row) for row in self._rows]

    def first(self, order: str, most: int) -> dict[Key, Sums]:
        """The first groups in one of ORDERS, and all others that are as far to the front as the last one."""
        places = [self._width + NAMES.index(name) for name in _ORDERED[order]]
        amounts = [sum([row[place] for place in places]) for row in self._rows]
        least = sorted(amounts, reverse=True)[most - 1] if len(amounts) > most else min(amounts, default=0)
        some = (row for row, amount in zip(self._rows, amounts, strict=True) if amount >= least)
        return {self._key(row): _sums(row[self._width :]) for row in some}

    def costs(self, grouping: int) -> dict[Any, int]:
        """What each value of one of the groupings cost, named by its place among them."""
        place, found = self._width + NAMES.index("cost_nano"), dict[Any, int]()
        for row in self._rows:
            value = self._key(row)[grouping]
            found[value] = found.get(value, 0) + row[place]
        return found


@dataclass(frozen=True, slots=True)
class Leading:
    """The first groups of many, in order, and how many there are."""

    groups: dict[Key, Sums]
    count: int


_ORDERED = {
    "cost": ("cost_nano",),
    "calls": ("calls",),
    "input": ("input", "cached", "written"),
    "cached": ("cached",),
    "output": ("output",),
}


def sums(
    filters: Filters, by: tuple[str, ...] = (), *, people: Collection[UUID] | None = None
) -> dict[Key, Sums]:
    """The sums of each group that has any, by these GROUPINGS; without groupings, one of everything, if there
    is anything. At most two queries. `people`: of these alone.
    """
    return dict(groups(filters, by, people=people).items())


def groups(filters: Filters, by: tuple[str, ...] = (), *, people: Collection[UUID] | None = None) -> Groups:
    """The same, not read yet."""
    statement = _statement(filters, by, people)
    return Groups(by, statement.width, statement.rows())


def leading(filters: Filters, by: tuple[str, ...], order: str, most: int) -> Leading:
    """The first groups in one of ORDERS, where all of them would be too many. At most two queries."""
    statement = _statement(filters, by, None, few=True)
    rows = statement.first(ORDERS[order], most)
    found = Groups(by, statement.width, [row[:-1] for row in rows])
    return Leading(dict(found.items()), int(rows[0][-1]) if rows else 0)


def costs_by_day(filters: Filters, grouping: str, values: Sequence[Any]) -> dict[tuple[date, int], int]:
    """What each day cost (nano-dollars) by the place of the grouping's value among `values`; all others are
    at the place after the last one. Few queries, and never more than a few rows for each day.
    """
    found: dict[tuple[date, int], int] = {}
    columns, rest = GROUPINGS[grouping], len(values)

    def add(day: Any, at: int, amount: int) -> None:
        key = sql.as_day(day), at
        found[key] = found.get(key, 0) + amount

    if grouping == "person" and not filters.is_of_one:
        # A few people are found by an index, and the others are everybody less those.
        for source in sources(filters, (), by_day=True):
            for day, _, cost in sql.cost_of_days(source, (), ()):
                add(day, rest, source.sign * int(cost or 0))
        people: Collection[UUID] | None = values
    else:
        people = None
    if people is None or values:
        each = [tuple(value.split("/", 1)) if grouping == "model" else (value,) for value in values]
        for source in sources(filters, columns, by_day=True, people=people):
            for day, at, cost in sql.cost_of_days(source, columns, each):
                amount = source.sign * int(cost or 0)
                add(day, at, amount)
                if people is not None:
                    add(day, rest, -amount)
    return found


def total(filters: Filters) -> Sums:
    """Of everything that the filters leave."""
    return groups(filters).total


def values(filters: Filters, *columns: str) -> list[tuple[Any, ...]]:
    """The combinations of these columns of DailyUsage that have rows; the filters' outcome is not asked."""
    found: set[tuple[Any, ...]] = set()
    for source in sources(filters, columns, by_day=False):
        found |= {
            tuple([_value(*one) for one in zip(columns, row, strict=True)])
            for row in sql.different(source, columns)
        }
    return sorted(found, key=str)


def _statement(
    filters: Filters, by: tuple[str, ...], people: Collection[UUID] | None, *, few: bool = False
) -> Statement:
    columns = _columns(by)
    found = sources(filters, columns, by_day="day" in by, people=people)
    return sql.adding_up(found, columns, few=few)


def _columns(by: tuple[str, ...]) -> list[str]:
    """Each column once, also where two groupings share it."""
    return list(dict.fromkeys(column for name in by for column in GROUPINGS[name]))


def _key_of(by: tuple[str, ...]) -> Callable[[Sequence[Any]], Key]:
    """The key of a row as the database gives it, whose columns come first."""
    columns = _columns(by)

    def value(name: str) -> Callable[[Sequence[Any]], Any]:
        at = columns.index(GROUPINGS[name][0])
        if name == "model":
            model = columns.index("model")
            return lambda row: f"{row[at]}/{row[model]}"
        return lambda row: _value(columns[at], row[at])

    values = [value(name) for name in by]
    return lambda row: tuple([value(row) for value in values])


@lru_cache(maxsize=10_000)
def _value(column: str, value: Any) -> Any:
    """A column's value as the models have it: SQLite gives days and ids as text."""
    return DailyUsage._meta.get_field(column).to_python(value)  # type: ignore[union-attr]


def _sums(amounts: Sequence[Any]) -> Sums:
    """Of NAMES, or of nothing."""
    return Sums(**dict(zip(NAMES, map(int, amounts), strict=True))) if amounts else Sums()
