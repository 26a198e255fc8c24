"""Keeps DailyUsage equal to the ledger's sums: called in the transaction that writes lines, and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from . import rows
from .models import NOBODY, DailyUsage, LedgerLine, Outcome, Source

Key = tuple[Any, ...]


def add(lines: Iterable[LedgerLine]) -> None:
    """Adds new lines to their days, in the order of their keys, so that two writers cannot deadlock."""
    sums: dict[Key, dict[str, int]] = {}
    for line in lines:
        row = sums.setdefault(key_of(line), dict.fromkeys(DailyUsage.SUMS, 0))
        for name, amount in amounts_of(line).items():
            row[name] += amount
    for key in sorted(sums, key=str):
        day = DailyUsage(**dict(zip(DailyUsage.KEY, key, strict=True)), **sums[key])
        rows.insert(day, otherwise=_added())


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
