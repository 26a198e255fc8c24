"""A call may be cancelled anywhere, once or again and again: it is settled once, and what came is paid."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Generator
from typing import Any
from uuid import UUID

import pytest

from accounts.ids import uuid7
from providers.simulator.server import ThreadServer
from usage import metering
from usage.metering import Caller
from usage.models import Hold
from usage.writer import writer

from .conftest import asking, database, ledger_is_whole, lines, open_holds

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


class Steps:
    """Awaits a coroutine and counts the moments at which it waits; at some of them its task is cancelled."""

    def __init__(self, inner: Coroutine[Any, Any, Any], cancel_at: set[int]) -> None:
        self.inner = inner
        self.cancel_at = cancel_at
        self.count = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        waits, answer, error = self.inner, None, None
        while True:
            try:
                waited = waits.throw(error) if error is not None else waits.send(answer)
            except StopIteration as done:
                return done.value
            self.count += 1
            if self.count in self.cancel_at:
                loop.call_soon(task.cancel)
            answer = error = None
            try:
                answer = yield waited
            except BaseException as thrown:
                error = thrown


async def use(caller: Caller, call_id: UUID, read: list[Any], **script: Any) -> None:
    async with metering.call(caller, asking(**script), purpose="chat", call_id=call_id) as call:
        async for event in call:
            read.append(event)


async def cancelled_at(
    caller: Caller, cancel_at: set[int], **script: Any
) -> tuple[int, UUID, list[Any], bool]:
    call_id, read = uuid7(), list[Any]()
    steps = Steps(use(caller, call_id, read, **script), cancel_at)

    async def run() -> None:
        await steps

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    return steps.count, call_id, read, task.cancelled()


async def must_be_settled(call_id: UUID, read: list[Any], was_cancelled: bool) -> None:
    await database(ledger_is_whole)
    assert await database(open_holds) == 0
    written = await database(lambda: lines(call_id))
    held = await database(lambda: Hold.objects.filter(call_id=call_id).count())
    assert len(written) == held  # one settlement where there was a hold
    if any(event["type"] == "content_block_delta" for event in read):
        assert written[0].cost_nano > 0
        assert written[0].output_tokens > 0
    if not was_cancelled:
        assert written[0].outcome == "completed"
        assert written[0].source == "reported"


@pytest.mark.parametrize("more", [(), (1,), (1, 2, 3)], ids=["once", "twice", "four times"])
async def test_a_cancellation_at_every_await_settles_once(caller: Caller, more: tuple[int, ...]) -> None:
    moment, outcomes = 0, set()
    while True:
        moment += 1
        cancel_at = {moment, *(moment + step for step in more)}
        count, call_id, read, was_cancelled = await cancelled_at(
            caller, cancel_at, text="Ja", deltas=2, rate=400
        )
        await must_be_settled(call_id, read, was_cancelled)
        outcomes |= {line.outcome for line in await database(lambda call_id=call_id: lines(call_id))}
        if count < moment:
            break
        assert was_cancelled or count == moment
    assert moment > 4
    assert outcomes == {"stopped", "completed"}


async def test_closing_a_generator_around_a_call_settles_it(caller: Caller) -> None:
    """GeneratorExit, as a caller gets it that passes the events on."""

    async def events(call_id: UUID) -> Any:
        async with metering.call(caller, asking(deltas=9), purpose="chat", call_id=call_id) as call:
            async for event in call:
                yield event

    call_id = uuid7()
    passing = events(call_id)
    for _ in range(4):
        await anext(passing)
    await passing.aclose()
    (line,) = await database(lambda: lines(call_id))
    assert (line.outcome, line.source) == ("stopped", "estimated")
    assert await database(open_holds) == 0


async def test_a_call_between_two_attempts_can_be_cancelled(caller: Caller) -> None:
    sleeping = asyncio.Event()

    async def sleep(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    async def run() -> None:
        request = asking(status=529)
        retries = metering.Retries(sleep=sleep)
        async with metering.call(caller, request, purpose="chat", call_id=uuid7(), retries=retries) as call:
            async for _event in call:
                pass

    task = asyncio.create_task(run())
    await sleeping.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    (line,) = await database(lines)
    assert (line.outcome, line.cost_nano) == ("failed", 0)
    assert await database(open_holds) == 0


async def test_a_hundred_aborted_calls_leave_no_hold_and_no_harm(
    caller: Caller, vendor: ThreadServer
) -> None:
    """threats.md §11.8, in small; seeded."""
    choose = random.Random(7)
    reads: list[list[Any]] = [[] for _ in range(100)]
    ids = [uuid7() for _ in reads]
    tasks = [
        asyncio.create_task(use(caller, call_id, read, deltas=-1, rate=200))
        for call_id, read in zip(ids, reads, strict=True)
    ]
    waiting = set(tasks)
    while waiting:
        some = choose.sample(sorted(waiting, key=tasks.index), min(len(waiting), choose.randint(1, 9)))
        for task in some:
            task.cancel()
        waiting -= set(some)
        await asyncio.wait(some)
    assert all(task.cancelled() for task in tasks)
    for call_id, read in zip(ids, reads, strict=True):
        await must_be_settled(call_id, read, True)
    message = await metering.complete(caller, asking(text="Still here"), purpose="chat", call_id=uuid7())
    assert message["content"][0]["text"] == "Still here"


def test_a_loop_that_is_shut_down_settles_its_calls(caller: Caller) -> None:
    """asyncio.run cancels every task, also those that clean up."""
    call_id = uuid7()

    async def main() -> None:
        read: list[Any] = []
        task = asyncio.create_task(use(caller, call_id, read, deltas=-1, rate=500))
        while len(read) < 5:  # noqa: ASYNC110 - the reader has no event to wait for
            await asyncio.sleep(0.01)
        assert not task.done()

    asyncio.run(main())
    writer.stop()
    (line,) = lines(call_id)
    assert (line.outcome, line.source) == ("stopped", "estimated")
    assert line.output_tokens > 0
    assert open_holds() == 0
