"""A thousand calls are cancelled under load, at any point: everything that they held comes back.

threats.md §9 and §11.8."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from accounts.ids import uuid7
from providers import resilience
from providers.resilience import Guards
from providers.simulator.server import ThreadServer
from providers.transport import transport
from usage import metering
from usage.calls.attempt_ends import AttemptEnded, on_attempt_end
from usage.calls.open_calls import open_calls
from usage.metering import Caller
from usage.models import Hold

from .conftest import asking, database, ledger_is_whole, lines, open_holds

pytestmark = pytest.mark.usefixtures("vendor")

CALLS = 1000
AT_ONCE = 80
SEED = 20261120


async def test_a_thousand_cancelled_calls_give_everything_back(caller: Caller, vendor: ThreadServer) -> None:
    # A pace that makes some of them wait in the queue, so that they are cancelled there too.
    resilience.use(Guards(rate=300.0, burst=10.0))
    chance = random.Random(SEED)
    wrong: list[str] = []
    ends: list[AttemptEnded] = []
    turns = asyncio.Semaphore(AT_ONCE)

    async def read(number: int) -> None:
        stamp = f"<{number}>"
        text = ""
        request = asking(text=stamp * 30, deltas=30, rate=300)
        async with metering.call(caller, request, purpose="chat", call_id=uuid7()) as call:
            async for event in call:
                if event["type"] == "content_block_delta":
                    text += event["delta"]["text"]
        if text != stamp * 30:
            wrong.append(text)

    async def cancelled(number: int) -> str:
        async with turns:
            task = asyncio.create_task(read(number))
            if chance.random() < 0.3:
                for _ in range(chance.randrange(60)):  # some turns of the loop: between admission and head
                    await asyncio.sleep(0)
            else:
                await asyncio.wait([task], timeout=chance.uniform(0.0, 0.25))
            task.cancel()
            [outcome] = await asyncio.gather(task, return_exceptions=True)
            return type(outcome).__name__

    on_attempt_end.append(ends.append)
    began = time.monotonic()
    try:
        outcomes = await asyncio.gather(*[cancelled(number) for number in range(CALLS)])
    finally:
        on_attempt_end.remove(ends.append)
    assert time.monotonic() - began < 60
    assert wrong == []
    assert set(outcomes) <= {"CancelledError", "NoneType"}
    assert outcomes.count("CancelledError") > CALLS * 0.7

    # Holds and money
    assert await database(open_holds) == 0
    await database(ledger_is_whole)
    written = await database(lines)
    assert len(written) == await database(Hold.objects.count)
    assert len({end.call_id for end in ends}) == len(ends) <= len(written)
    assert {line.outcome for line in written} <= {"stopped", "completed"}
    assert len(open_calls()) == 0

    # Places in the queue, and the breaker: people who leave break nothing
    (guard,) = resilience.guards().all()
    state = guard.snapshot()
    assert (state.state, state.failures, state.waiting, state.cooling) == ("closed", 0, 0, ())

    # Connections: the vendor sees every stream end, and the pool serves as many as before, each its own
    await transport().settled()
    async with asyncio.timeout(10):
        while vendor.app.counters.counts["streams_open"]:  # noqa: ASYNC110 - counted in another thread
            await asyncio.sleep(0.01)
    await asyncio.gather(*[read(number) for number in range(AT_ONCE)])
    assert wrong == []
