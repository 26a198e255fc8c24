"""The timetable, and the timer that all streams share."""

import asyncio

import pytest

from providers.simulator.pacing import SLOT, Timetable, Wheel
from tests.simulator.conftest import Caller, directive


def test_the_rate_holds_although_single_wake_ups_are_late() -> None:
    timetable = Timetable(20)
    lateness = [0.0, 0.04, 0.2, 0.01, 0.0]
    due, now = [], 100.0
    for late in lateness:
        due.append(timetable.due(now))
        now = max(now, due[-1]) + late
    assert due == pytest.approx([100 + number / 20 for number in range(5)])


def test_jitter_moves_deltas_but_not_the_mean() -> None:
    timetable = Timetable(50, jitter=0.5, seed=1)
    due = [timetable.due(10.0) for _ in range(1000)]
    offsets = [time - (10 + number / 50) for number, time in enumerate(due)]
    assert all(0 <= offset <= 0.5 / 50 for offset in offsets) and len(set(offsets)) > 900
    assert due == [Timetable(50, jitter=0.5, seed=1).due(10.0) for _ in range(1)] + due[1:]


def test_after_a_pause_the_timetable_begins_anew() -> None:
    timetable = Timetable(10)
    timetable.due(0.0)
    timetable.restart()
    assert [timetable.due(5.0), timetable.due(5.0)] == pytest.approx([5.0, 5.1])


async def test_the_wheel_wakes_in_the_order_of_due_times() -> None:
    loop, wheel = asyncio.get_running_loop(), Wheel()
    start = loop.time()
    woken: list[tuple[float, float]] = []

    async def sleeper(delay: float, waiter: asyncio.Future[None]) -> None:
        wheel.at(start + delay, waiter)
        await waiter
        woken.append((delay, loop.time() - start))

    cancelled: asyncio.Future[None] = loop.create_future()
    wheel.at(start + 0.03, cancelled)
    cancelled.cancel()
    await asyncio.gather(*(sleeper(delay, loop.create_future()) for delay in (0.05, 0.01, 0.01)))
    assert [delay for delay, _ in woken] == [0.01, 0.01, 0.05]
    assert all(passed >= delay - SLOT for delay, passed in woken)


async def test_streams_keep_their_rate_together(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.ask(directive(deltas=21, rate=100)) for _ in range(20)))
    seconds = [answer.elapsed.total_seconds() for answer in answers]
    assert min(seconds) >= 0.2 - SLOT
