"""What was used and what it cost: the sums behind every page, file and chart of usage.

Sums come from DailyUsage, whose keys suffice for all filters but the outcome. DailyUsage is by promise the
ledger's sum, so that what completed is its rows less the few lines that did not complete: a filter never
reads the many lines of the ledger, only the few. Amounts are nano-dollars, sizes tokens, days those of the
organisation.

A call counts where its first attempt is: a call that was tried again and then completed is a failed one here,
as it is in DailyUsage. Money and tokens are counted attempt by attempt, under each attempt's own outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from .models import NOBODY, DailyUsage, LedgerLine, Outcome, Source

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
NO_PROVIDER = "-"  # that of a model and another one's provider: no slug is called so
UNFINISHED = [outcome for outcome in Outcome if outcome != Outcome.COMPLETED]
# A moment belongs to a day in the zone of the time when it was written; this bound holds in every zone.
SLACK = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which part of the ledger is meant: whole days from `first` to `last`, both counted. "" and None: any.

    `team` and `token` NOBODY: the calls without one. `model` is "provider/model", `key` whose credential
    was used (person, team, organisation …).
    """

    first: date
    last: date
    person: UUID | None = None
    team: UUID | None = None
    token: UUID | None = None
    provider: str = ""
    model: str = ""
    purpose: str = ""
    key: str = ""
    outcome: str = ""


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
        return any(getattr(self, name) for name in NAMES)

    @property
    def prompt(self) -> int:
        """The whole input."""
        return self.input + self.cached + self.written

    @property
    def cache_share(self) -> float | None:
        """The part of the whole input that came from cache, from 0 to 1; None without input."""
        return self.cached / self.prompt if self.prompt > 0 else None

    def _with(self, other: Self, sign: int) -> Self:
        return type(self)(**{name: getattr(self, name) + sign * getattr(other, name) for name in NAMES})


NAMES = tuple(field.name for field in fields(Sums))
COLUMNS = {
    "input": "input_tokens",
    "cached": "cache_read_input_tokens",
    "written": "cache_creation_input_tokens",
    "output": "output_tokens",
    "cost_nano": "cost_nano",
}
# Aggregates may not be named as columns are, so that each has a mark before its name.
_OF_DAYS = {f"sum_{name}": Sum(COLUMNS.get(name, name)) for name in NAMES}
_OF_LINES = {
    **{f"sum_{name}": Sum(column) for name, column in COLUMNS.items()},
    "sum_calls": Count("outcome", filter=Q(line=0, attempt=1)),
    "sum_failed": Count("outcome", filter=Q(line=0, outcome=Outcome.FAILED)),
    "sum_estimated": Count("outcome", filter=Q(source=Source.ESTIMATED)),
}


def sums(filters: Filters, by: tuple[str, ...] = ()) -> dict[Key, Sums]:
    """The sums of each group that has any, by these GROUPINGS; without groupings, one of everything, if there
    is anything. One query, two where only what completed is asked for.
    """
    if not filters.outcome:
        return _grouped(days(filters), by, _OF_DAYS)
    if filters.outcome != Outcome.COMPLETED:
        return _grouped(_ended(filters, [filters.outcome]), by, _OF_LINES, of_lines=True)
    whole = _grouped(days(filters), by, _OF_DAYS)
    for key, less in _grouped(_ended(filters, UNFINISHED), by, _OF_LINES, of_lines=True).items():
        whole[key] = whole.get(key, Sums()) - less
    return {key: found for key, found in whole.items() if found}


def costs_by_day(filters: Filters, grouping: str, values: Sequence[Any]) -> dict[tuple[date, int], int]:
    """What each day cost (nano-dollars) by the place of the grouping's value among `values`; all others are
    at the place after the last one. As many queries as `sums`, and never more than a few rows for each day.
    """
    found: dict[tuple[date, int], int] = {}

    def add(rows: QuerySet[Any], sign: int, *, of_lines: bool = False) -> None:
        place = _place(grouping, values, of_lines=of_lines)
        for day, at, cost in (
            rows.order_by()
            .values("day")
            .annotate(at=place, cost=Sum("cost_nano"))
            .values_list("day", "at", "cost")
        ):
            found[day, at] = found.get((day, at), 0) + sign * int(cost or 0)

    if filters.outcome and filters.outcome != Outcome.COMPLETED:
        add(_ended(filters, [filters.outcome]), 1, of_lines=True)
        return found
    add(days(filters), 1)
    if filters.outcome:
        add(_ended(filters, UNFINISHED), -1, of_lines=True)
    return found


def total(filters: Filters) -> Sums:
    """Of everything that the filters leave."""
    return sums(filters).get((), Sums())


def days(filters: Filters) -> QuerySet[DailyUsage]:
    """The daily rows of the filters, whatever their outcome."""
    found = DailyUsage.objects.filter(day__range=(filters.first, filters.last))
    return found.filter(**_wanted(filters, "model"))


def lines(filters: Filters) -> QuerySet[LedgerLine]:
    """The ledger's lines of the filters, to be read newest first."""
    found = _between(filters).filter(**_of_nobody(_wanted(filters, "model_asked")))
    if filters.outcome and filters.outcome != Outcome.COMPLETED:
        found = found.exclude(outcome=Outcome.COMPLETED)  # what the index of unfinished lines is for
    return found.filter(outcome=filters.outcome) if filters.outcome else found


def _ended(filters: Filters, outcomes: Sequence[str]) -> QuerySet[LedgerLine]:
    """The lines of the filters that ended in one of these ways, to be added up. They are few, and found by
    their outcome: the other filters look as if no index could serve them, lest SQLite takes one that finds
    most of the ledger.
    """
    wanted = _wanted(filters, "model_asked")
    hidden = {f"of_{name}": Coalesce(name, name) for name in wanted}
    asked = _of_nobody({f"of_{name}": value for name, value in wanted.items()})
    unfinished = _between(filters).exclude(outcome=Outcome.COMPLETED)  # literally what the index holds
    return unfinished.filter(outcome__in=outcomes).alias(**hidden).filter(**asked)


def _between(filters: Filters) -> QuerySet[LedgerLine]:
    """The lines of the days. The moments let an index find them, the days say which they are."""
    begin = datetime.combine(filters.first, time(), UTC) - SLACK
    end = datetime.combine(filters.last, time(), UTC) + SLACK
    return LedgerLine.objects.filter(
        accounted_at__range=(begin, end), day__range=(filters.first, filters.last)
    )


def _wanted(filters: Filters, model_column: str) -> dict[str, Any]:
    """The columns that the filters narrow, beside day and outcome, and the value of each."""
    wanted: dict[str, Any] = {
        "user": filters.person,
        "team": filters.team,
        "token": filters.token,
        "provider": filters.provider,
        "purpose": filters.purpose,
        "credential_scope": filters.key,
    }
    if filters.model:
        provider, _, model = filters.model.partition("/")
        wanted[model_column] = model
        wanted["provider"] = provider if filters.provider in ("", provider) else NO_PROVIDER
    return {name: value for name, value in wanted.items() if value not in (None, "")}


def _of_nobody(wanted: dict[str, Any]) -> dict[str, Any]:
    """For the ledger, in which nobody is NULL."""
    return {
        f"{name}__isnull" if value == NOBODY else name: True if value == NOBODY else value
        for name, value in wanted.items()
    }


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
        cases.append(When(**(_of_nobody(wanted) if of_lines else wanted), then=Value(at)))
    return Case(*cases, default=Value(len(values)), output_field=IntegerField())


def _grouped(
    found: QuerySet[Any], by: tuple[str, ...], amounts: dict[str, Any], *, of_lines: bool = False
) -> dict[Key, Sums]:
    columns = [
        "model_asked" if of_lines and column == "model" else column
        for name in by
        for column in GROUPINGS[name]
    ]
    if not by:
        row = found.aggregate(**amounts)
        amount = _sums(row)
        return {(): amount} if amount else {}
    # `values` of the same column twice gives it once; rows are read by name.
    rows = found.order_by().values(*dict.fromkeys(columns)).annotate(**amounts)
    groups: dict[Key, Sums] = {}
    for row in rows:
        groups[tuple(_value(row, name, of_lines) for name in by)] = _sums(row)
    return groups


def _value(row: dict[str, Any], name: str, of_lines: bool) -> Any:
    if name == "model":
        return f"{row['provider']}/{row['model_asked' if of_lines else 'model']}"
    value = row[GROUPINGS[name][0]]
    return NOBODY if value is None else value


def _sums(row: dict[str, Any]) -> Sums:
    """PostgreSQL gives sums of big integers as decimals, and both give None for those of nothing."""
    return Sums(**{name: int(row[f"sum_{name}"] or 0) for name in NAMES})
