"""Keeps DailyUsage equal to the ledger's sums: called in the transaction that writes lines, and nowhere
else. What is summed up of older days beside it (digests) is outdated by a line that comes late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from usage import rows
from usage.clock import database_now, organisation_day
from usage.models import NOBODY, DailyUsage, Digest, LedgerLine, Outcome, Source

# How far back lines are written in the course of things. Digests are made of days before those
# alone, and one day more lies between, for a transaction that began before midnight.
LATELY = timedelta(days=2)

Key = tuple[Any, ...]


def add(lines: Sequence[LedgerLine]) -> None:
    """Adds new lines to their days."""
    rows.together(adding(lines))
    outdate_late(lines)


def adding(lines: Iterable[LedgerLine]) -> list[rows.Statement]:
    """The statements for that, in the order of the days' keys, so that two writers cannot deadlock. After
    them `outdate_late` is to be called.
    """
    sums = dict[Key, dict[str, int]]()
    for line in lines:
        row = sums.setdefault(key_of(line), dict.fromkeys(DailyUsage.SUMS, 0))
        for name, amount in amounts_of(line).items():
            row[name] += amount
    return [
        rows.inserting(
            DailyUsage(**dict(zip(DailyUsage.KEY, key, strict=True)), **sums[key]), otherwise=_added()
        )
        for key in sorted(sums, key=str)
    ]


def outdate_late(lines: Iterable[LedgerLine]) -> None:
    """Outdates the digests of days to which lines came when those may have been made."""
    outdate({line.day for line in lines if line.day < organisation_day(line.written_at) - LATELY})


def outdate(days: Collection[date]) -> None:
    """To be called in the transaction that changes what these days come to, after `share_ledger`."""
    for day in sorted(days):
        found = Digest.objects.filter(first__lte=day, last__gte=day).exclude(state=Digest.State.OUTDATED)
        # Locked in an order that all transactions share.
        ids = list(found.select_for_update().order_by("id").values_list("id", flat=True))
        if ids:
            Digest.objects.filter(pk__in=ids).update(state=Digest.State.OUTDATED, changed_at=database_now())


def key_of(line: LedgerLine) -> Key:
    """Which row of DailyUsage a line counts in: the values of DailyUsage.KEY."""
    return (
        line.day,
        line.user,
        line.team or NOBODY,
        line.token or NOBODY,
        line.provider,
        line.model_asked,
        line.purpose,
        line.credential_scope,
    )


def amounts_of(line: LedgerLine) -> dict[str, int]:
    """What a line adds to its row: the values of DailyUsage.SUMS. A later line of an attempt is no call
    more.
    """
    first = line.line == 0
    return {
        **{name: getattr(line, name) for name in LedgerLine.BUCKETS},
        "cost_nano": line.cost_nano,
        "calls": int(first and line.attempt == 1),
        "failed": int(first and line.outcome == Outcome.FAILED),
        "estimated": int(line.source == Source.ESTIMATED),
    }


@cache
def _added() -> str:
    """What becomes of a row that is there already: the new amounts are added to it."""
    table = rows.quoted(DailyUsage._meta.db_table)
    sums = ", ".join(
        f"{name} = {table}.{name} + excluded.{name}" for name in map(rows.quoted, DailyUsage.SUMS)
    )
    return f"ON CONFLICT ({rows.quoted(*DailyUsage.KEY)}) DO UPDATE SET {sums}"
