"""What admission and settlement add to a call, with no budget and with several, in turns on the same ledger.

Both run as calls run them: through the writer, in its threads, committed. No vendor is asked. Also measured:
how long nobody else can write while a budget is made in the midst of a period.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts.ids import uuid7
from bench.ledger_cast import Cast
from providers.access import Secret
from providers.types import MessageRequest, Usage
from usage import rows
from usage.budgets import actions as budget_actions
from usage.caller import Caller
from usage.calls import admission
from usage.calls.admission import Admitted, Asked
from usage.calls.attempts import Attempt
from usage.calls.settlement import settle
from usage.catalogue import known_models
from usage.estimates import measure
from usage.models import Budget
from usage.writer import writer

BUDGETS = (0, 1, 3, 6)
WARM = 15  # rounds that are not counted
PLENTY = 10**15
MODEL = "anthropic/claude-sonnet-5-5"


@dataclass
class Added:
    """Seconds of each call, by how many budgets pay for it."""

    admitted: dict[int, list[float]] = field(default_factory=lambda: {count: [] for count in BUDGETS})
    settled: dict[int, list[float]] = field(default_factory=lambda: {count: [] for count in BUDGETS})
    bare: list[float] = field(default_factory=list)
    """Of a row that is written and committed by the same writer in the same rounds: the disk's share."""
    worked: list[float] = field(default_factory=list)
    """For how long our process ran on a processor for admission and settlement with most budgets."""
    made: dict[str, float] = field(default_factory=dict)
    """Seconds that making a budget took, and the longest of its transactions."""

    def both(self, count: int) -> list[float]:
        pairs = zip(self.admitted[count], self.settled[count], strict=True)
        return [admitted + settled for admitted, settled in pairs]

    def more(self, count: int) -> list[float]:
        """What so many budgets add to the same call without any, round by round."""
        return [one - none for one, none in zip(self.both(count), self.both(0), strict=True)]


def measured(whole: Cast, count: int) -> Added:
    settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": Secret("sk-ant-bench"), "base_url": None}}
    added = Added()
    callers = _callers(whole)
    added.made = _made()
    rows.run("CREATE TABLE IF NOT EXISTS b_bare (number integer)")
    asyncio.run(_rounds(added, callers, count))
    writer.stop()
    return added


def percentile(seconds: Sequence[float], share: int) -> float:
    """Milliseconds."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[share - 1] * 1e3


async def _rounds(added: Added, callers: dict[int, Caller], rounds: int) -> None:
    for number in range(-WARM, rounds):
        turn = number % len(BUDGETS)
        for count in (*BUDGETS[turn:], *BUDGETS[:turn]):
            worked = time.process_time()
            admitted, settled = await _call(callers[count])
            worked = time.process_time() - worked
            if number >= 0:
                added.admitted[count].append(admitted)
                added.settled[count].append(settled)
                if count == BUDGETS[-1]:
                    added.worked.append(worked)
        began = time.perf_counter()
        await writer.run(_bare)
        if number >= 0:
            added.bare.append(time.perf_counter() - began)


def _bare() -> None:
    rows.run("INSERT INTO b_bare VALUES (1)")


async def _call(caller: Caller) -> tuple[float, float]:
    request = MessageRequest(
        model=MODEL, messages=[{"role": "user", "content": "What is new? " * 40}], max_tokens=1000
    )
    spec = await known_models.resolve(caller, request.model)
    asked = Asked(
        hold_id=uuid7(),
        call_id=uuid7(),
        caller=caller,
        spec=spec,
        request=request,
        size=measure(request),
        purpose="chat",
    )
    began = time.perf_counter()
    admitted = await writer.run(partial(admission.admit_or_refuse, asked))
    between = time.perf_counter()
    assert isinstance(admitted, Admitted), admitted
    attempt = Attempt(number=1, asked=True, began=True, final=True)
    attempt.usage = Usage.from_json({"input_tokens": 400, "output_tokens": 120})
    attempt.finish("completed")
    ready = time.perf_counter()
    await writer.run(partial(settle, admitted.hold, [attempt]))
    return between - began, time.perf_counter() - ready


def _callers(whole: Cast) -> dict[int, Caller]:
    """For each number a person, their team and token, and so many budgets that pay for their calls."""
    callers = {}
    for place, count in enumerate(BUDGETS):
        person, team, token = whole.people[place], whole.teams[-1 - place], uuid7()
        kinds: list[tuple[str, UUID, str]] = [
            ("person", person, "month"),
            ("team", team, "month"),
            ("member", team, "month"),
            ("token", token, "day"),
            ("person", person, "day"),
            ("team", team, "week"),
        ]
        for number, (scope, scope_id, period) in enumerate(kinds[:count]):
            _budget(f"{count} budgets, {number}", scope, scope_id, period)
        callers[count] = Caller(user_id=person, team_id=team, token_id=token)
    return callers


def _budget(name: str, scope: str, scope_id: UUID | None, period: str) -> Budget:
    return budget_actions.make(
        by=uuid7(),
        name=name,
        scope=scope,
        scope_id=scope_id,
        measure="money",
        period=period,
        timezone_name="UTC",
        limit=PLENTY,
        mode="block",
    )


def _made() -> dict[str, float]:
    """Makes the budget with the most lines behind it, and takes it out of force again."""
    longest, began_at = 0.0, None

    def watch(
        execute: object, sql: str, params: object, many: bool, context: dict[str, CursorWrapper]
    ) -> object:
        nonlocal longest, began_at
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)  # type: ignore[operator]
        finally:
            if context["connection"].in_atomic_block:
                longest = max(longest, time.perf_counter() - began)

    began_at = time.perf_counter()
    with connection.execute_wrapper(watch):
        made = _budget("Everything", "organisation", None, "month")
    took = time.perf_counter() - began_at
    budget_actions.switch(budget=made, on=False)
    return {"made": took, "longest": longest}
