from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection

from accounts.ids import uuid7
from usage import metering
from usage.calls import open_calls
from usage.clock import database_now
from usage.metering import Caller, sweep_expired
from usage.models import Hold
from usage.writer import writer

from .conftest import asking, database, ledger_is_whole, lines, open_holds
from .holds import hold

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


async def hold_of(call_id: UUID) -> Hold:
    return await database(lambda: Hold.objects.get(call_id=call_id))


async def test_an_open_call_stores_what_it_saw_and_a_sweep_charges_it(caller: Caller) -> None:
    """What another process settles when this one is lost: up to a second less than was delivered."""
    call_id = uuid7()
    request = asking(deltas=-1, rate=500)
    async with metering.call(caller, request, purpose="chat", call_id=call_id) as call:
        for _ in range(20):
            await anext(call)
        await open_calls.open_calls().store_now()
        stored = await hold_of(call_id)
        assert stored.attempts[0]["text_bytes"] > 0
        assert await database(lambda: sweep_expired(stored.renewed_until + timedelta(seconds=1))) == 1
        (swept,) = await database(lambda: lines(call_id))
        assert (swept.source, swept.outcome) == ("estimated", "interrupted")
        assert swept.output_tokens > 0
        assert swept.input_tokens > 0
        for _ in range(20):
            await anext(call)
    assert call.settlement is not None
    assert call.settlement.cost_nano > swept.cost_nano  # it lived after all, and delivered more
    await database(ledger_is_whole)
    assert await database(open_holds) == 0


async def test_the_sweep_of_a_serving_process_settles_what_others_left(caller: Caller) -> None:
    await database(lambda: [hold(expires=-1) for _ in range(23)] + [hold(expires=60)])
    assert await metering.sweep() == 23
    assert await metering.sweep() == 0
    assert await database(open_holds) == 1


async def test_the_process_that_lived_after_all_corrects_the_sweep(caller: Caller) -> None:
    call_id = uuid7()
    async with metering.call(caller, asking(deltas=30), purpose="chat", call_id=call_id) as call:
        await anext(call)
        await database(metering.sweep_all)
        async for _event in call:
            pass
    assert call.settlement is not None
    assert (call.settlement.source, call.settlement.outcome) == ("reported", "completed")
    assert [line.source for line in await database(lambda: lines(call_id))] == ["estimated", "corrected"]
    await database(ledger_is_whole)


async def test_a_silent_call_is_written_when_its_lease_is_old(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates: list[str] = []

    def listen() -> None:
        def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            if "SET attempts" in sql:
                updates.append(sql)
            return execute(sql, *rest)

        connection.execute_wrappers.append(count)

    if connection.vendor != "sqlite":
        pytest.skip("several threads write on PostgreSQL")
    await database(listen)
    call_id = uuid7()
    async with metering.call(caller, asking(text="Hi", deltas=1), purpose="chat", call_id=call_id) as call:
        await anext(call)
        calls = open_calls.open_calls()
        for _ in range(3):
            await calls.store_now()
        assert len(updates) == 1
        before = (await hold_of(call_id)).renewed_until
        monkeypatch.setattr(open_calls, "RENEW_AFTER", -1.0)
        await calls.store_now()
        assert len(updates) == 2
        assert (await hold_of(call_id)).renewed_until > before
        assert before > await database(database_now)


async def test_the_timer_runs_while_calls_are_open(caller: Caller) -> None:
    calls, call_id = open_calls.open_calls(), uuid7()

    async def ring() -> None:
        assert calls._timer is not None
        calls._timer.cancel()
        calls._ring()
        assert calls._storing is not None
        await calls._storing
        await asyncio.sleep(0)

    async with metering.call(caller, asking(deltas=3), purpose="chat", call_id=call_id) as call:
        await anext(call)
        await ring()
        assert (await hold_of(call_id)).attempts
        await ring()
        async for _event in call:
            pass
    await ring()
    assert calls._timer is None


async def test_a_settlement_that_the_database_would_not_take_is_written_later(caller: Caller) -> None:
    calls, tries = open_calls.open_calls(), []
    call_id = uuid7()
    async with metering.call(caller, asking(text="Hi"), purpose="chat", call_id=call_id) as call:
        async for _event in call:
            pass
    settled = await hold_of(call_id)

    def settle() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("terminating connection due to administrator command")
        return call.settlement

    calls.settle_later(settle)
    waiting = writer.submit(lambda: None)
    await waiting
    await calls.store_now()
    assert len(tries) == 2  # the writer itself tried again
    assert settled.state == "closed"
