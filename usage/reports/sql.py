"""The statements that add up a report's sources (usage.reports.sources)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self

from django.db import connection
from django.db.models import Case, Count, F, IntegerField, Q, Sum, UUIDField, Value, When
from django.db.models.functions import Coalesce

from usage import rows
from usage.ledger import ledger
from usage.models import NOBODY, DailyUsage, Outcome
from usage.models import Source as LineSource
from usage.reports.sources import Source, of_nobody


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


NAMES = tuple(field.name for field in fields(Sums))
COLUMNS = {
    "input": "input_tokens",
    "cached": "cache_read_input_tokens",
    "written": "cache_creation_input_tokens",
    "output": "output_tokens",
    "cost_nano": "cost_nano",
}
# Aggregates may not be named as columns are, so that each has a mark before its name.
_OF_LINES = {
    **{f"sum_{name}": Sum(COLUMNS[name]) for name in NAMES if name in COLUMNS},
    "sum_calls": Count("outcome", filter=Q(line=0, attempt=1)),
    "sum_failed": Count("outcome", filter=Q(line=0, outcome=Outcome.FAILED)),
    "sum_estimated": Count("outcome", filter=Q(source=LineSource.ESTIMATED)),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """Its rows: `keys` (so many as `width`), the columns of the groups, then NAMES."""

    keys: str
    width: int
    text: str
    values: list[Any]

    def rows(self) -> list[tuple[Any, ...]]:
        """Of the groups that have anything."""
        return [row for row in fetched(self.text, self.values) if any(row[self.width :])]

    def first(self, order: str, most: int) -> list[tuple[Any, ...]]:
        """The first of these rows, and behind each how many there are of all."""
        some = " OR ".join(f"sum_{name} <> 0" for name in NAMES)
        return fetched(
            f"SELECT every_one.*, COUNT(*) OVER () FROM ({self.text}) every_one WHERE {some} "  # noqa: S608
            f"ORDER BY {', '.join(filter(None, (order, self.keys)))} LIMIT {int(most)}",
            self.values,
        )


def adding_up(sources: Sequence[Source], columns: Sequence[str], *, few: bool = False) -> Statement:
    """The sums of every source, added up where they share groups. Among the columns may be the day. `few`: of
    the groups few will be read.
    """
    names = [f"of_{column}" for column in columns] or ["of_all"]
    keys, values, statements = ", ".join(names), list[Any](), []

    def added(some: Sequence[Source]) -> None:
        parts = []
        for source in some:
            text, parameters = _part(source, columns, few=few)
            parts.append(text)
            values.extend(parameters)
        union = " UNION ALL ".join(parts)
        if len(parts) > 1:
            totals = ", ".join(f"{_sum(f'sum_{name}', few=few)} AS sum_{name}" for name in NAMES)
            union = f"SELECT {keys}, {totals} FROM ({union}) parts GROUP BY {keys}"  # noqa: S608
        statements.append(union)

    if "day" in columns:  # no day is in a digest and elsewhere
        for digested in (True, False):
            if some := [source for source in sources if (source.kind == "digests") is digested]:
                added(some)
    elif sources:
        added(sources)
    return Statement(keys, len(names), " UNION ALL ".join(statements), values)


def cost_of_days(source: Source, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> list[Any]:
    """Rows of a day, the place of the columns' values among these (behind the last one: all others), and
    what they cost.
    """
    if source.lines is not None:
        place = _place(columns, values) if values else Value(0)
        found = source.lines.order_by().values("day").annotate(at=place, cost=Sum("cost_nano"))
        return list(found.values_list("day", "at", "cost"))
    parameters: list[Any] = []
    case = "0"
    if values:
        ours, nobody = _columns_of(source, columns)
        same = " AND ".join(f"{ours[column]} = %s" for column in columns)
        case = " ".join(f"WHEN {same} THEN {at}" for at in range(len(values)))
        case = f"CASE {case} ELSE {len(values)} END"
        for each in values:
            parameters += nobody
            parameters += [rows.prepared(DailyUsage, *one) for one in zip(columns, each, strict=True)]
    statement = (
        f"SELECT day, {case} AS place, {_sum('cost_nano')} "  # noqa: S608
        f"FROM {rows.quoted(source.table._meta.db_table)} WHERE {source.where} GROUP BY 1, 2"
    )
    return fetched(statement, [*parameters, *source.values])


def different(source: Source, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """The values of these columns of DailyUsage that there are."""
    if source.lines is not None:
        groups = _groups_of_lines(columns)
        found = source.lines.order_by().annotate(**groups).values_list(*groups).distinct()
        return list(found)
    ours, nobody = _columns_of(source, columns)
    return fetched(
        f"SELECT DISTINCT {', '.join(ours.values())} "  # noqa: S608
        f"FROM {rows.quoted(source.table._meta.db_table)} WHERE {source.where}",
        [*nobody, *source.values],
    )


def fetched(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    if not statement:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _part(source: Source, columns: Sequence[str], *, few: bool) -> tuple[str, Sequence[Any]]:
    sign = "-" if source.sign < 0 else ""
    if source.lines is not None:
        # Django's own compiler writes the filters of lines.
        groups = _groups_of_lines(columns) or {"of_all": Value(1)}
        query = source.lines.order_by().annotate(**groups).values(*groups).annotate(**_OF_LINES).query
        text, parameters = query.sql_with_params()
        names = ", ".join([*groups, *(f"{sign}sum_{name} AS sum_{name}" for name in NAMES)])
        return f"SELECT {names} FROM ({text}) part", parameters  # noqa: S608
    ours, nobody = _columns_of(source, columns)
    keys = [f"{key} AS of_{column}" for column, key in ours.items()] or ["1 AS of_all"]
    table = f"{rows.quoted(source.table._meta.db_table)} WHERE {source.where}"
    values = [*nobody, *source.values]
    if source.grain is not None and "day" in columns and source.grain <= set(columns):  # a row is a group
        amounts = [f"{sign}{COLUMNS.get(name, name)} AS sum_{name}" for name in NAMES]
        return f"SELECT {', '.join([*keys, *amounts])} FROM {table}", values  # noqa: S608
    counted = ledger.COUNTED if source.kind == "lines" else {}
    sums = [
        f"{sign}{_sum(counted.get(name, COLUMNS.get(name, name)), few=few)} AS sum_{name}" for name in NAMES
    ]
    grouped = (
        f"GROUP BY {', '.join(map(str, range(1, len(columns) + 1)))}" if columns else "HAVING COUNT(*) > 0"
    )
    return f"SELECT {', '.join([*keys, *sums])} FROM {table} {grouped}", values  # noqa: S608


def _columns_of(source: Source, columns: Sequence[str]) -> tuple[dict[str, str], list[Any]]:
    """Columns of DailyUsage as SQL over a source's table, with its values."""
    if source.kind != "lines":
        return {column: rows.quoted(column) for column in columns}, []
    ours, values = {}, []
    for column in columns:
        name = rows.quoted("model_asked" if column == "model" else column)
        if column in ("team", "token"):
            name = f"COALESCE({name}, %s)"
            values.append(rows.prepared(DailyUsage, column, NOBODY))
        ours[column] = name
    return ours, values


def _groups_of_lines(columns: Sequence[str]) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for column in columns:
        if column in ("team", "token"):
            groups[f"of_{column}"] = Coalesce(F(column), Value(NOBODY, UUIDField()))
        else:
            groups[f"of_{column}"] = F("model_asked" if column == "model" else column)
    return groups


def _sum(column: str, *, few: bool = False) -> str:
    """PostgreSQL gives sums of big integers as decimals: many take less time to make big integers of than to
    read.
    """
    return f"SUM({column})" if few else f"CAST(SUM({column}) AS bigint)"


def _place(columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Case:
    """That of cost_of_days, for lines."""
    names = ["model_asked" if column == "model" else column for column in columns]
    cases = [
        When(**of_nobody(dict(zip(names, each, strict=True))), then=Value(at))
        for at, each in enumerate(values)
    ]
    return Case(*cases, default=Value(len(values)), output_field=IntegerField())


def as_day(value: Any) -> date:
    """SQLite gives days as text."""
    return value if isinstance(value, date) else date.fromisoformat(value)
