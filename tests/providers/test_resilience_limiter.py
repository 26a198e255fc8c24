from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import RateLimited
from providers.heard import Limits
from providers.resilience_limiter import Bucket, RateLimiter

from .clock import Clock


class Line:
    """Callers before one limiter; `went` lists who went when, in seconds from the beginning."""

    def __init__(self, *, rate: float = 10.0, burst: float = 3.0, **settings: Any) -> None:
        self.clock = Clock()
        self.began = self.clock.now
        self.bucket = Bucket(rate=rate, burst=burst, clock=self.clock)
        self.limiter = RateLimiter(self.bucket, clock=self.clock, sleep=self.clock.sleep, **settings)
        self.went: list[tuple[int, float]] = []
        self.refused: dict[int, RateLimited] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, count: int) -> None:
        first = len(self.tasks)
        self.tasks += [asyncio.create_task(self._caller(first + number)) for number in range(count)]
        await self.clock.settle()

    async def _caller(self, number: int) -> None:
        try:
            await self.limiter.turn()
        except RateLimited as error:
            self.refused[number] = error
        else:
            self.went.append((number, round(self.clock.now - self.began, 3)))


async def test_a_burst_goes_at_once_and_the_rest_in_order_at_the_pace() -> None:
    line = Line()
    await line.come(6)
    assert [number for number, _ in line.went] == [0, 1, 2]
    await line.clock.pass_(1)
    assert line.went[3:] == [(3, 0.1), (4, 0.2), (5, 0.3)]
    assert line.limiter.waiting == 0


async def test_callers_wait_rather_than_fail_but_not_for_ever() -> None:
    line = Line(rate=1.0, burst=1.0)
    await line.come(15)
    await line.clock.pass_(20)
    assert [number for number, _ in line.went] == list(range(11))
    assert sorted(line.refused) == [11, 12, 13, 14]
    error = line.refused[11]
    assert (error.kind, error.sent, error.retryable) == ("queue_full", False, False)
    assert line.limiter.waiting == 0


async def test_the_queue_is_bounded() -> None:
    line = Line(rate=1.0, burst=1.0, most_waiting=2)
    await line.come(5)
    assert sorted(line.refused) == [3, 4]


async def test_a_cancelled_caller_gives_its_place_to_the_next() -> None:
    line = Line(burst=1.0)
    await line.come(4)
    line.tasks[1].cancel()  # it is first in the queue, asleep
    line.tasks[2].cancel()
    await line.clock.pass_(1)
    assert line.went == [(0, 0.0), (3, 0.1)]
    assert line.limiter.waiting == 0


async def test_the_vendors_exhausted_limit_is_waited_for() -> None:
    line = Line(burst=20.0)
    # 0 of 50 left, whole again in 60 s: one comes back every 1.2 s
    line.limiter.learn(Limits(requests=50, requests_left=0, requests_reset=60.0))
    await line.come(2)
    await line.clock.pass_(3)
    assert line.went == [(0, 1.2), (1, 2.4)]


async def test_what_the_vendor_has_left_goes_at_once() -> None:
    line = Line(burst=20.0)
    line.limiter.learn(Limits(requests=50, requests_left=2, requests_reset=48.0))
    await line.come(3)
    assert [number for number, _ in line.went] == [0, 1]
    await line.clock.pass_(2)
    assert line.went[2] == (2, 1.0)


async def test_an_exhausted_limit_without_a_size_comes_back_at_its_reset() -> None:
    line = Line()
    line.limiter.learn(Limits(tokens_left=0, tokens_reset=4.0))
    await line.come(1)
    await line.clock.pass_(5)
    assert line.went == [(0, 4.0)]


async def test_a_wait_that_is_too_long_is_said_at_once() -> None:
    line = Line()
    line.limiter.hold_off(45.0)
    await line.come(2)
    assert sorted(line.refused) == [0, 1]
    assert line.refused[0].retry_after == 45.0
    line.limiter.go_on()
    await line.come(1)
    assert line.went == [(2, 0.0)]


async def test_a_vendor_that_takes_more_is_asked_faster() -> None:
    line = Line(rate=10.0, burst=1.0)
    await line.come(1)
    line.limiter.learn(Limits(requests=6000, requests_left=5999, requests_reset=1.0))
    await line.come(200)
    await line.clock.pass_(0.1)
    assert len(line.went) == 201


async def test_a_head_out_of_an_older_time_cannot_block_for_long() -> None:
    line = Line()
    line.limiter.learn(Limits(requests=50, requests_left=0, requests_reset=86_400.0))
    await line.come(1)
    assert line.went == [(0, 0.0)]


@settings(max_examples=80, deadline=None)
@given(
    rate=st.sampled_from([1.0, 5.0, 10.0]),
    burst=st.sampled_from([1.0, 3.0, 20.0]),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("come"), st.integers(1, 12)),
            st.tuples(st.just("pass"), st.floats(0.01, 3.0)),
            st.tuples(st.just("cancel"), st.integers(0, 60)),
        ),
        max_size=25,
    ),
)
@pytest.mark.filterwarnings("error")
def test_whoever_comes_goes_in_order_never_faster_than_the_pace_and_no_place_is_lost(
    rate: float, burst: float, steps: list[tuple[str, Any]]
) -> None:
    async def play() -> None:
        line = Line(rate=rate, burst=burst)
        for what, value in steps:
            if what == "come":
                await line.come(value)
            elif what == "pass":
                await line.clock.pass_(value)
            elif value < len(line.tasks):
                line.tasks[value].cancel()
                await line.clock.settle()
        await line.clock.pass_(120)
        await line.clock.settle(2000)  # a long queue is sent off one after the other
        assert line.limiter.waiting == 0
        assert all(task.done() for task in line.tasks)
        cancelled = {number for number, task in enumerate(line.tasks) if task.cancelled()}
        assert {number for number, _ in line.went} | set(line.refused) | cancelled == set(
            range(len(line.tasks))
        )
        numbers = [number for number, _ in line.went]
        assert numbers == sorted(numbers)
        times = [at for _, at in line.went]
        for first, at in enumerate(times):
            within = sum(1 for other in times[first:] if other <= at + 1.0)
            assert within <= burst + rate + 1

    asyncio.run(play())


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(requests=0), Limits(requests_left=0, requests_reset=-1.0)]
)
async def test_limits_that_say_nothing_change_nothing(limits: Limits) -> None:
    line = Line()
    line.limiter.learn(limits)
    assert line.limiter.delay() == 0.0
