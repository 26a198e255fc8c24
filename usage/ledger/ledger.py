"""Proves that what is counted beside the ledger equals the ledger, and mends it where it does not.

The ledger's rows are the truth; DailyUsage and BudgetPeriod are sums of them, kept in the same transactions
(rollup, settlement). A difference means a mistake of ours or of somebody with the database's password. Both
work while calls go on: each comparison is one statement, so it sees one state of the database, and each
repair locks the few rows it mends.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Min

from usage import rows
from usage.budgets.periods import share_ledger
from usage.ledger import rollup
from usage.ledger.budgets import WrongPeriod, mend_periods, wrong_periods
from usage.models import NOBODY, DailyUsage, LedgerLine, Outcome, Source
from usage.writer import write_turn

AT_ONCE = 10  # rows mended in one transaction
EAST, WEST = timedelta(hours=14), timedelta(hours=12)  # how far a calendar day lies from that of UTC
ONE_DAY = timedelta(days=1)
# What a ledger line adds to a roll-up that is no column of its own (usage.ledger.rollup.amounts_of, as SQL).
COUNTED = {
    "calls": "CASE WHEN line = 0 AND attempt = 1 THEN 1 ELSE 0 END",
    "failed": f"CASE WHEN line = 0 AND outcome = '{Outcome.FAILED}' THEN 1 ELSE 0 END",
    "estimated": f"CASE WHEN source = '{Source.ESTIMATED}' THEN 1 ELSE 0 END",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One number that is stored and is not what the ledger's rows add up to.

    `place` names the row for people. Money is nano-dollars, everything else a count, or a day.
    """

    place: str
    name: str
    stored: int | date
    truth: int | date


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongDay:
    """A row of DailyUsage with what the ledger says; `truth` and `stored` hold all of DailyUsage.SUMS."""

    key: dict[str, Any]
    stored: dict[str, int]
    truth: dict[str, int]

    @property
    def place(self) -> str:
        team, token = (("-" if self.key[of] == NOBODY else self.key[of]) for of in ("team", "token"))
        return (
            f"day {self.key['day']} person {self.key['user']} team {team} token {token} "
            f"{self.key['provider']}/{self.key['model']} {self.key['purpose']} {self.key['credential_scope']}"
        )

    def differences(self) -> list[Difference]:
        return [
            Difference(place=self.place, name=name, stored=self.stored[name], truth=self.truth[name])
            for name in DailyUsage.SUMS
            if self.stored[name] != self.truth[name]
        ]


def verify(*, since: date | None = None, until: date | None = None) -> Iterator[Difference]:
    """Every difference, row by row, from the oldest day to the newest, then those of all budgets' periods.

    `since` and `until` are days of the organisation, both included; without them every day. Nothing is
    locked and nothing written.
    """
    for day in days(since, until):
        yield from _misplaced(day)
        for row in wrong_days(day):
            yield from row.differences()
    for period in wrong_periods():
        yield from _of_period(period)


def rebuild(*, since: date | None = None, until: date | None = None) -> Generator[Difference]:
    """Mends every difference that `verify` finds and yields it, mended.

    In transactions of at most AT_ONCE rows, in the order in which settlements lock them. It may be stopped at
    any point and begun again: what was mended stays, and is passed over by the next run. What it cannot mend
    (a line on a day that its moment cannot have) it leaves to `verify`.
    """
    for day in days(since, until):
        wrong = sorted(wrong_days(day), key=lambda row: str(tuple(row.key.values())))
        for start in range(0, len(wrong), AT_ONCE):
            batch = wrong[start : start + AT_ONCE]
            with write_turn(), transaction.atomic():
                share_ledger()
                for row in batch:
                    _mend(row.key)
                rollup.outdate({day})
            for row in batch:
                yield from row.differences()
    for period in mend_periods():
        yield from _of_period(period)


def days(since: date | None = None, until: date | None = None) -> list[date]:
    """The days on which the ledger or its roll-up may hold something, oldest first."""
    span = LedgerLine.objects.aggregate(first=Min("accounted_at"), last=Max("accounted_at"))
    found = set(DailyUsage.objects.values_list("day", flat=True).distinct())
    if span["first"] is not None:
        first, last = (span[end].astimezone(UTC).date() for end in ("first", "last"))
        found |= {first + ONE_DAY * number for number in range(-1, (last - first).days + 2)}
    return sorted(day for day in found if (not since or day >= since) and (not until or day <= until))


def wrong_days(day: date) -> list[WrongDay]:
    """The rows of DailyUsage of this day that are not the sums of their lines, missing ones included."""
    midnight = datetime.combine(day, time(), UTC)
    values = (
        rows.prepared(DailyUsage, "team", NOBODY),
        rows.prepared(DailyUsage, "token", NOBODY),
        rows.prepared(LedgerLine, "accounted_at", midnight - EAST),
        rows.prepared(LedgerLine, "accounted_at", midnight + ONE_DAY + WEST),
        rows.prepared(LedgerLine, "day", day),
        rows.prepared(DailyUsage, "day", day),
    )
    with connection.cursor() as cursor:
        cursor.execute(_comparison(), values)
        found = cursor.fetchall()
    return [_wrong_day(row) for row in found]


def _wrong_day(row: tuple[Any, ...]) -> WrongDay:
    keys = len(DailyUsage.KEY)
    fields = [DailyUsage._meta.get_field(name) for name in DailyUsage.KEY]
    truth, stored = row[keys : keys + len(DailyUsage.SUMS)], row[keys + len(DailyUsage.SUMS) :]
    return WrongDay(
        key={
            name: field.to_python(value)  # type: ignore[union-attr]
            for name, field, value in zip(DailyUsage.KEY, fields, row, strict=False)
        },
        truth={name: int(value) for name, value in zip(DailyUsage.SUMS, truth, strict=True)},
        stored={name: int(value) for name, value in zip(DailyUsage.SUMS, stored, strict=True)},
    )


@cache
def _comparison() -> str:
    """The ledger's lines and the roll-up's rows of a day, one above the other, and the sums that differ."""
    keys = rows.quoted(*DailyUsage.KEY)
    # Columns of the ledger by the names that they have in the roll-up.
    ours = {name: rows.quoted(name) for name in DailyUsage.KEY} | {
        "team": f"COALESCE({rows.quoted('team')}, %s)",
        "token": f"COALESCE({rows.quoted('token')}, %s)",
        "model": rows.quoted("model_asked"),
    }
    of_line = [f"{column} AS {rows.quoted(name)}" for name, column in ours.items()]
    of_line += [f"{COUNTED.get(name, rows.quoted(name))} AS l_{name}" for name in DailyUsage.SUMS]
    of_line += [f"0 AS d_{name}" for name in DailyUsage.SUMS]
    of_day = [keys, *("0" for _ in DailyUsage.SUMS), rows.quoted(*DailyUsage.SUMS)]
    sums = [f"SUM({side}_{name})" for side in "ld" for name in DailyUsage.SUMS]
    differ = " OR ".join(f"SUM(l_{name}) <> SUM(d_{name})" for name in DailyUsage.SUMS)
    return (
        f"SELECT {keys}, {', '.join(sums)} FROM ("  # noqa: S608 - names of our own columns
        f"SELECT {', '.join(of_line)} FROM {rows.quoted(LedgerLine._meta.db_table)} "
        "WHERE accounted_at >= %s AND accounted_at < %s AND day = %s "
        f"UNION ALL SELECT {', '.join(of_day)} FROM {rows.quoted(DailyUsage._meta.db_table)} WHERE day = %s"
        f") AS both_sides GROUP BY {keys} HAVING {differ}"
    )


def _mend(key: dict[str, Any]) -> None:
    """Sets one row to the sum of its lines. To be run in a transaction.

    The row is locked first and the lines are added up after: whoever has written a line for it either has
    committed, and is counted, or waits for the row and adds to what is set here.
    """
    rows.insert(DailyUsage(**key), otherwise=f"ON CONFLICT ({rows.quoted(*DailyUsage.KEY)}) DO NOTHING")
    row = DailyUsage.objects.select_for_update().get(**key)
    for name, amount in _sums(key).items():
        setattr(row, name, amount)
    row.save(update_fields=DailyUsage.SUMS)


def _sums(key: dict[str, Any]) -> dict[str, int]:
    midnight = datetime.combine(key["day"], time(), UTC)
    sums = ", ".join(f"COALESCE(SUM({COUNTED.get(name, rows.quoted(name))}), 0)" for name in DailyUsage.SUMS)
    conditions = {
        "accounted_at >= %s": ("accounted_at", midnight - EAST),
        "accounted_at < %s": ("accounted_at", midnight + ONE_DAY + WEST),
        "model_asked = %s": ("model_asked", key["model"]),
    }
    for name in ("day", "user", "provider", "purpose", "credential_scope"):
        conditions[f"{rows.quoted(name)} = %s"] = (name, key[name])
    for name in ("team", "token"):
        somebody: UUID | None = None if key[name] == NOBODY else key[name]
        if somebody is None:
            conditions[f"COALESCE({rows.quoted(name)}, %s) = %s"] = (name, NOBODY)
        else:
            conditions[f"{rows.quoted(name)} = %s"] = (name, somebody)
    values: list[Any] = []
    for condition, (name, value) in conditions.items():
        values += [rows.prepared(LedgerLine, name, value)] * condition.count("%s")
    found = rows.first(
        f"SELECT {sums} FROM {rows.quoted(LedgerLine._meta.db_table)} "  # noqa: S608
        f"WHERE {' AND '.join(conditions)}",
        *values,
    )
    return {name: int(value) for name, value in zip(DailyUsage.SUMS, found or (), strict=True)}


def _of_period(wrong: WrongPeriod) -> Iterator[Difference]:
    for name in ("settled", "held"):
        stored, truth = getattr(wrong.period, name), getattr(wrong, name)
        if stored != truth:
            yield Difference(place=wrong.place, name=name, stored=stored, truth=truth)


def _misplaced(day: date) -> Iterator[Difference]:
    """Lines whose day cannot be that of their moment, wherever the organisation is: nothing else would see
    them. Found on the day (UTC) of their moment.
    """
    midnight = datetime.combine(day, time(), UTC)
    near = [day - ONE_DAY, day, day + ONE_DAY]
    lines = LedgerLine.objects.filter(accounted_at__gte=midnight, accounted_at__lt=midnight + ONE_DAY)
    for line in lines.exclude(day__in=near).order_by("id"):
        yield Difference(
            place=f"line {line.pk} of {line.accounted_at:%Y-%m-%d %H:%M} UTC",
            name="day",
            stored=line.day,
            truth=line.accounted_at.astimezone(UTC).date(),
        )
