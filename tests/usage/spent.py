"""Usage made by hand, for what is reported of it: lines of the ledger with their days, and our own sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from usage.ledger import rollup
from usage.models import LedgerLine

from .lines import line

NOON = time(12, 0, tzinfo=UTC)


def spent(day: date, cost_nano: int, **fields: Any) -> LedgerLine:
    """A line of a call at noon of that day (UTC), counted in DailyUsage as well."""
    moment = datetime.combine(day, NOON)
    values: dict[str, Any] = {"accounted_at": moment, "written_at": moment, "day": day} | fields
    made = line(cost_nano=cost_nano, **values)
    rollup.add([made])
    return made


def added(lines: Iterable[LedgerLine], of: Callable[[LedgerLine], int]) -> int:
    """A sum by counting, one line after the other."""
    whole = 0
    for one in lines:
        whole += of(one)
    return whole


def figures(lines: Iterable[LedgerLine]) -> dict[str, int]:
    """What a report says of these lines, counted one by one."""
    lines = list(lines)
    return {
        "calls": added(lines, lambda one: int(one.attempt == 1 and one.line == 0)),
        "failed": added(lines, lambda one: int(one.line == 0 and one.outcome == "failed")),
        "estimated": added(lines, lambda one: int(one.source == "estimated")),
        "input": added(lines, lambda one: one.input_tokens),
        "cached": added(lines, lambda one: one.cache_read_input_tokens),
        "written": added(lines, lambda one: one.cache_creation_input_tokens),
        "output": added(lines, lambda one: one.output_tokens),
        "cost_nano": added(lines, lambda one: one.cost_nano),
    }


def id_of(number: int) -> UUID:
    return UUID(int=number)
