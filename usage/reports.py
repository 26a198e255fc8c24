"""What was used and what it cost: the sums behind every page, file and chart of usage.

Every sum is that of the ledger's lines, though hardly any line is read: report_sources says which rows stand
for them. Amounts are nano-dollars, sizes tokens, days those of the organisation.

A call counts where its first attempt is: a call that was tried again and then completed is a failed one here,
as it is in DailyUsage. Money and tokens are counted attempt by attempt, under each attempt's own outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from typing import Any, Self
from uuid import UUID

from django.db import connection
from django.db.models import Case, Count, F, IntegerField, Q, Sum, UUIDField, Value, When
from django.db.models.functions import Coalesce

from .models import NOBODY, DailyUsage, Outcome
from .models import Source as LineSource
from .report_sources import Filters, Source, days, lines, narrowed, of_nobody, sources

__all__ = [
    "GROUPINGS",
    "Filters",
    "Key",
    "Leading",
    "Sums",
    "costs_by_day",
    "days",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of some rows. `input` is the prompt that was neither read from cache nor written to it; `failed` counts
    attempts, `estimated` lines with estimated numbers.
    """

    calls: int = 0
    failed: int = 0
    estimated: int = 0
    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    cost_nano: int = 0

    def __add__(self, other: Self) -> Self:
        return self._with(other, 1)

    def __sub__(self, other: Self) -> Self:
        return self._with(other, -1)

    def __bool__(self) -> bool:
        return bool(self.calls or self.cost_nano) or any(getattr(self, name) for name in NAMES)

    @property
    def prompt(self) -> int:
        """The whole input."""
        return self.input + self.cached + self.written

    @property
    def cache_share(self) -> float | None:
        """The part of the whole input that came from cache, from 0 to 1; None without input."""
        return self.cached / self.prompt if self.prompt > 0 else None

    def _with(self, other: Self, sign: int) -> Self:
        return type(self)(
            calls=self.calls + sign * other.calls,
            failed=self.failed + sign * other.failed,
            estimated=self.estimated + sign * other.estimated,
            input=self.input + sign * other.input,
            cached=self.cached + sign * other.cached,
            written=self.written + sign * other.written,
            output=self.output + sign * other.output,
            cost_nano=self.cost_nano + sign * other.cost_nano,
        )


@dataclass(frozen=True, slots=True)
class Leading:
    """The first groups of many, in order, and how many there are."""

    groups: dict[Key, Sums]
    count: int


NAMES = tuple(field.name for field in fields(Sums))
COLUMNS = {
    "input": "input_tokens",
    "cached": "cache_read_input_tokens",
    "written": "cache_creation_input_tokens",
    "output": "output_tokens",
    "cost_nano": "cost_nano",
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
# Aggregates may not be named as columns are, so that each has a mark before its name.
_OF_ROWS = {f"sum_{name}": Sum(COLUMNS.get(name, name)) for name in NAMES}
_OF_LINES = {
    **{f"sum_{name}": Sum(COLUMNS[name]) for name in NAMES if name in COLUMNS},
    "sum_calls": Count("outcome", filter=Q(line=0, attempt=1)),
    "sum_failed": Count("outcome", filter=Q(line=0, outcome=Outcome.FAILED)),
    "sum_estimated": Count("outcome", filter=Q(source=LineSource.ESTIMATED)),
}


def sums(
    filters: Filters, by: tuple[str, ...] = (), *, people: Collection[UUID] | None = None
) -> dict[Key, Sums]:
    """The sums of each group that has any, by these GROUPINGS; without groupings, one of everything, if there
    is anything. At most two queries. `people`: of these alone.
    """
    parts = _parts(filters, by, people)
    key, width = _key_of(by), parts.width
    return {key(row): _sums(row[width:]) for row in _rows(parts.grouped, parts.values) if any(row[width:])}


def leading(filters: Filters, by: tuple[str, ...], order: str, most: int) -> Leading:
    """The first groups in one of ORDERS, where all of them would be too many. At most two queries."""
    parts = _parts(filters, by, None)
    some = " OR ".join(f"sum_{name} <> 0" for name in NAMES)
    rows = _rows(
        f"SELECT every_one.*, COUNT(*) OVER () FROM ({parts.grouped}) every_one WHERE {some} "  # noqa: S608
        f"ORDER BY {', '.join(filter(None, (ORDERS[order], parts.keys)))} LIMIT {int(most)}",
        parts.values,
    )
    key = _key_of(by)
    groups = {key(row): _sums(row[parts.width : -1]) for row in rows}
    return Leading(groups, int(rows[0][-1]) if rows else 0)


def costs_by_day(filters: Filters, grouping: str, values: Sequence[Any]) -> dict[tuple[date, int], int]:
    """What each day cost (nano-dollars) by the place of the grouping's value among `values`; all others are
    at the place after the last one. Few queries, and never more than a few rows for each day.
    """
    found: dict[tuple[date, int], int] = {}
    columns, rest = GROUPINGS[grouping], len(values)

    def add(source: Source, *, rest_too: bool = False) -> None:
        place = _place(grouping, values, of_lines=source.kind == "lines")
        rows = source.rows.order_by().values("day").annotate(at=place, cost=Sum("cost_nano"))
        for day, at, cost in rows.values_list("day", "at", "cost"):
            amount = source.sign * int(cost or 0)
            found[day, at] = found.get((day, at), 0) + amount
            if rest_too:
                found[day, rest] = found.get((day, rest), 0) - amount

    if grouping == "person" and not filters.is_of_one and narrowed(filters, "model"):
        # No digest of days knows people and what they called. A few of them are found by an index, and the
        # others are everybody less those.
        for source in sources(filters, (), by_day=True):
            for day, cost in source.rows.order_by().values_list("day").annotate(cost=Sum("cost_nano")):
                found[day, rest] = found.get((day, rest), 0) + source.sign * int(cost or 0)
        for source in sources(filters, columns, by_day=True, people=values):
            add(source, rest_too=True)
    else:
        for source in sources(filters, columns, by_day=True):
            add(source)
    return found


def total(filters: Filters) -> Sums:
    """Of everything that the filters leave."""
    return sums(filters).get((), Sums())


def values(filters: Filters, *columns: str) -> list[tuple[Any, ...]]:
    """The combinations of these columns of DailyUsage that have rows; the filters' outcome is not asked."""
    found: set[tuple[Any, ...]] = set()
    for source in sources(filters, columns, by_day=False):
        found |= set(source.rows.order_by().values_list(*columns).distinct())
    return sorted(found, key=str)


def _columns(by: tuple[str, ...]) -> list[str]:
    """Each column once, also where two groupings share it."""
    return list(dict.fromkeys(column for name in by for column in GROUPINGS[name]))


@dataclass(frozen=True, slots=True)
class _Parts:
    """A statement for the sums of some groups. Its rows: the groupings' columns (`keys`, so many as `width`),
    then NAMES.
    """

    keys: str
    width: int
    grouped: str
    values: list[Any]


def _parts(filters: Filters, by: tuple[str, ...], people: Collection[UUID] | None) -> _Parts:
    """The sums of every source, added up where they share groups."""
    columns = _columns(by)
    names = [f"of_{column}" for column in columns] or ["of_all"]
    keys = ", ".join(names)
    totals = ", ".join(f"SUM(sum_{name}) AS sum_{name}" for name in NAMES)
    statements, values = [], list[Any]()

    def added(some: Sequence[Source]) -> None:
        parts = []
        for source in some:
            # Django's own compiler writes the filters; what it cannot say is the sum over several tables.
            part, parameters = _grouped(source, columns).query.sql_with_params()
            signed = ", ".join(f"{'-' if source.sign < 0 else ''}sum_{name} AS sum_{name}" for name in NAMES)
            parts.append(f"SELECT {keys}, {signed} FROM ({part}) part")  # noqa: S608
            values.extend(parameters)
        union = " UNION ALL ".join(parts)
        if len(parts) > 1:
            union = f"SELECT {keys}, {totals} FROM ({union}) parts GROUP BY {keys}"  # noqa: S608
        statements.append(union)

    found = sources(filters, columns, by_day="day" in by, people=people)
    if "day" in by:  # no day is in a digest and elsewhere
        for digested in (True, False):
            if some := [source for source in found if (source.kind == "digests") is digested]:
                added(some)
    else:
        added(found)
    return _Parts(keys, len(names), " UNION ALL ".join(statements), values)


def _grouped(source: Source, columns: Sequence[str]) -> Any:
    of_lines = source.kind == "lines"
    groups: dict[str, Any] = {"of_all": Value(1)} if not columns else {}
    for column in columns:
        if of_lines and column in ("team", "token"):
            groups[f"of_{column}"] = Coalesce(F(column), Value(NOBODY, UUIDField()))
        else:
            groups[f"of_{column}"] = F("model_asked" if of_lines and column == "model" else column)
    amounts = _OF_LINES if of_lines else _OF_ROWS
    return source.rows.order_by().annotate(**groups).values(*groups).annotate(**amounts)


def _rows(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


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
    """Of NAMES. PostgreSQL gives sums of big integers as decimals."""
    calls, failed, estimated, input, cached, written, output, cost_nano = map(int, amounts)
    return Sums(
        calls=calls,
        failed=failed,
        estimated=estimated,
        input=input,
        cached=cached,
        written=written,
        output=output,
        cost_nano=cost_nano,
    )


def _place(grouping: str, values: Sequence[Any], *, of_lines: bool) -> Case:
    """Which of these values of a grouping a row has, as a number; their count where it has none of them."""
    model_column = "model_asked" if of_lines else "model"
    cases = []
    for at, value in enumerate(values):
        if grouping == "model":
            provider, _, model = value.partition("/")
            wanted = {"provider": provider, model_column: model}
        else:
            wanted = {GROUPINGS[grouping][0]: value}
        cases.append(When(**(of_nobody(wanted) if of_lines else wanted), then=Value(at)))
    return Case(*cases, default=Value(len(values)), output_field=IntegerField())
