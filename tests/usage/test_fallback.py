"""A call that its first model does not answer: where it goes on, and what it is charged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from accounts.ids import uuid7
from providers.errors import Overloaded, ProviderError, ServerError
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage import metering
from usage.calls.attempt_ends import AttemptEnded, on_attempt_end
from usage.calls.open_calls import open_calls
from usage.metering import Caller
from usage.models import Hold

from .conftest import DEMO, SONNET, Pauses, asking, clock, database, lines, made, open_holds
from .moving_on import HAIKU, OPUS, chain, once

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


@pytest.fixture
def demo(settings: Any) -> Iterator[ThreadServer]:
    """Another provider, which costs nothing and asks for no key."""
    with ThreadServer(Simulator(scripted=True)) as server:
        settings.DEMO_BASE_URL = server.base_url
        yield server


@pytest.mark.parametrize("status", [529, 429])
async def test_the_next_model_answers_at_once_and_says_so(caller: Caller, status: int) -> None:
    await chain(HAIKU)
    pauses = Pauses()
    done = await made(caller, asking(**once(status)), retries=pauses)
    assert done.fold.message["content"][0]["text"] == "Here I am."
    assert done.fold.message["model"] == "claude-haiku-5-5"
    assert (done.call.route.provider, done.call.route.model) == ("anthropic", "claude-haiku-5-5")
    assert done.call.fell_back_from == SONNET
    (passed,) = done.call.fallbacks
    assert (passed.ref, passed.label, bool(passed.reason)) == (SONNET, "Sonnet 5.5", True)
    assert pauses.waited == []


async def test_a_model_that_answers_names_no_fallback(caller: Caller) -> None:
    await chain(HAIKU)
    done = await made(caller, asking(text="Myself."))
    assert (done.call.route.model, done.call.fallbacks, done.call.fell_back_from) == (
        "claude-sonnet-5-5",
        [],
        None,
    )


async def test_each_attempt_is_charged_at_the_price_of_its_own_model(caller: Caller) -> None:
    """The first stream breaks before any content, twice, and is billed; the dearer fallback answers.

    T36, T39."""
    await chain(OPUS)
    script = {"cut_after": 1, "times": 1, "then": {"text": "Dearer."}, "id": uuid7().hex}
    pauses = Pauses(most=0)
    done = await made(caller, asking(**script), retries=pauses)
    written = await database(lambda: lines(done.id))
    assert [(line.model_asked, line.source, line.outcome) for line in written] == [
        ("claude-sonnet-5-5", "estimated", "interrupted"),
        ("claude-opus-5-5", "reported", "completed"),
    ]
    broken, whole = written
    assert broken.cost_nano == broken.input_tokens * 2_000 + broken.output_tokens * 10_000 > 0
    assert whole.cost_nano == whole.input_tokens * 4_000 + whole.output_tokens * 20_000 > 0
    assert done.settlement.cost_nano == broken.cost_nano + whole.cost_nano


async def test_the_hold_covers_the_dearest_model_of_the_chain(caller: Caller) -> None:
    alone = await made(caller, asking(text="Hi", max_tokens=2000))
    await chain(HAIKU, OPUS)
    chained = await made(caller, asking(text="Hi", max_tokens=2000))
    held = {hold.call_id: hold for hold in await database(lambda: list(Hold.objects.all()))}
    assert held[chained.id].amount_nano == 2 * held[alone.id].amount_nano
    assert [route["model"] for route in held[chained.id].routes] == ["claude-haiku-5-5", "claude-opus-5-5"]
    assert held[alone.id].routes == []


async def test_another_provider_is_asked_and_accounted_under_its_own_name(
    caller: Caller, vendor: ThreadServer, demo: ThreadServer
) -> None:
    await chain(DEMO)
    done = await made(caller, asking(status=529))
    assert not done.fold.complete  # the script makes every provider refuse: both were asked
    assert [(line.provider, line.credential_scope) for line in await database(lambda: lines(done.id))] == [
        ("anthropic", "environment"),
        ("demo", "demo"),
        ("demo", "demo"),
    ]
    assert demo.app.counters.counts["requests"] >= 1


async def test_after_a_passing_failure_the_same_model_is_asked_again_first(caller: Caller) -> None:
    await chain(HAIKU)
    done = await made(caller, asking(**once(500)))
    assert done.call.route.model == "claude-sonnet-5-5"
    again = await made(caller, asking(status=500))
    assert isinstance(again.error, ServerError)
    asked = [line.model_asked for line in await database(lambda: lines(again.id))]
    assert asked == ["claude-sonnet-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]


async def test_a_fallback_begins_no_new_round_of_retries(caller: Caller, vendor: ThreadServer) -> None:
    """T72."""
    await chain(HAIKU)
    done = await made(caller, asking(status=529))
    assert isinstance(done.error, Overloaded)
    assert vendor.app.counters.counts["requests"] == 3


async def test_after_content_there_is_no_other_attempt(caller: Caller, vendor: ThreadServer) -> None:
    await chain(HAIKU)
    done = await made(caller, asking(deltas=5, error_event_after=4, error="overloaded_error"))
    assert isinstance(done.error, Overloaded)
    assert (done.call.route.model, done.call.fallbacks) == ("claude-sonnet-5-5", [])
    assert vendor.app.counters.counts["requests"] == 1


async def test_a_wrong_request_is_wrong_everywhere(caller: Caller, vendor: ThreadServer) -> None:
    await chain(HAIKU)
    done = await made(caller, asking(status=400))
    assert done.error is not None
    assert vendor.app.counters.counts["requests"] == 1


async def test_a_model_that_cannot_do_what_is_asked_is_passed_over(caller: Caller) -> None:
    request = asking(OPUS, **once(529), extra={"speed": "fast"})
    await chain(SONNET, "anthropic/claude-opus-4-8", of=OPUS)  # only the last has a fast mode
    done = await made(caller, request)
    assert done.call.route.model == "claude-opus-4-8"


async def test_a_model_that_thinks_in_another_way_is_asked_in_its_own(
    caller: Caller, vendor: ThreadServer
) -> None:
    await chain("anthropic/claude-haiku-4-5")
    thinking = {"type": "adaptive", "display": "summarized"}
    asked = replace(asking(**once(529)), thinking=thinking, output_config={"effort": "max"}, max_tokens=4_000)
    done = await made(caller, asked)
    assert done.call.route.model == "claude-haiku-4-5"
    assert done.call.fell_back_from == SONNET


async def test_a_chain_may_name_models_that_are_not_on_offer(caller: Caller) -> None:
    await chain("anthropic/never-heard-of", "anthropic/claude-mythos-5-2", HAIKU)
    done = await made(caller, asking(**once(529)))
    assert done.call.route.model == "claude-haiku-5-5"


async def test_a_broken_circuit_is_said_and_the_provider_is_left_alone(
    caller: Caller, vendor: ThreadServer
) -> None:
    """threats.md §9; T12: what we refuse ourselves keeps nothing broken."""
    for _ in range(2):
        await made(caller, asking(status=500))
    asked = vendor.app.counters.counts["requests"]
    assert asked == 5  # the sixth found the circuit broken
    for _ in range(10):
        done = await made(caller, asking(text="Hi"))
        assert isinstance(done.error, ProviderError)
        assert done.error.kind == "circuit_open"
        assert "5 minutes" in done.error.safe_message
        (line,) = await database(lambda call_id=done.id: lines(call_id))
        assert (line.outcome, line.error, line.cost_nano) == ("failed", "circuit_open", 0)
    assert vendor.app.counters.counts["requests"] == asked
    clock().now += 300
    done = await made(caller, asking(text="Back."))
    assert done.fold.complete
    assert await database(open_holds) == 0


async def test_a_broken_circuit_sends_calls_to_the_next_model(
    caller: Caller, vendor: ThreadServer, demo: ThreadServer
) -> None:
    for _ in range(2):
        await made(caller, asking(status=500))
    await chain(DEMO)
    asked = vendor.app.counters.counts["requests"]
    done = await made(caller, asking(text="From elsewhere."))
    assert done.fold.complete
    assert (done.call.route.provider, vendor.app.counters.counts["requests"]) == ("demo", asked)
    (passed,) = done.call.fallbacks
    assert "asked again" in passed.reason


async def test_a_short_cool_down_is_waited_for(caller: Caller) -> None:
    done = await made(caller, asking(status=429, headers={"retry-after": "8"}), retries=Pauses(most=0))
    assert done.error is not None
    pauses = Pauses()
    done = await made(caller, asking(text="Thank you."), retries=pauses)
    assert done.fold.complete
    assert pauses.waited == [8.0]


async def test_a_long_cool_down_is_said(caller: Caller, vendor: ThreadServer) -> None:
    """T73."""
    await made(caller, asking(status=429, headers={"retry-after": "90"}))
    done = await made(caller, asking(text="Hi"))
    assert done.error is not None
    assert (done.error.kind, done.error.retry_after) == ("cooling_down", 90.0)
    assert "in 2 minutes" in done.error.safe_message
    assert vendor.app.counters.counts["requests"] == 1


@pytest.fixture
def ends() -> Iterator[list[AttemptEnded]]:
    heard: list[AttemptEnded] = []
    on_attempt_end.append(heard.append)
    yield heard
    on_attempt_end.remove(heard.append)


async def test_every_attempt_is_announced_with_how_it_ended(caller: Caller, ends: list[AttemptEnded]) -> None:
    await chain(HAIKU)
    done = await made(caller, asking(**once(529)))
    assert [(end.model, end.outcome, end.error, end.retries, end.route) for end in ends] == [
        ("claude-sonnet-5-5", "failed", "overloaded_error", 0, 0),
        ("claude-haiku-5-5", "completed", "", 1, 1),
    ]
    assert ends[1].usage.output_tokens > 0
    assert ends[1].first_content is not None
    await made(caller, asking(deltas=-1, rate=300), leave_after=5)
    assert ends[2].outcome == "stopped"
    assert done.call.settlement is not None


async def test_a_call_that_is_killed_between_two_attempts_is_settled_by_the_sweep(caller: Caller) -> None:
    """Of what its hold stored: both attempts, each with its own model and price; once."""
    await chain(OPUS)
    reached, kept = asyncio.Event(), asyncio.Event()

    async def sleep(_seconds: float) -> None:
        reached.set()
        await kept.wait()

    call_id = uuid7()
    retries = metering.Retries(sleep=sleep)
    script = {"cut_after": 1, "id": uuid7().hex}

    async def run() -> None:
        async with metering.call(
            caller, asking(**script), purpose="chat", call_id=call_id, retries=retries
        ) as call:
            async for _event in call:
                pass

    task = asyncio.create_task(run())
    await reached.wait()
    await open_calls().store_now()
    assert await database(metering.sweep_all) == 1  # as if this process were lost
    (line,) = await database(lambda: lines(call_id))
    assert (line.model_asked, line.source, line.cost_nano > 0) == ("claude-sonnet-5-5", "estimated", True)
    kept.set()
    with pytest.raises(ProviderError):
        await task
    written = await database(lambda: lines(call_id))
    assert [line.attempt for line in written] == [1, 2]  # the living process adds what it knows better
    assert await database(open_holds) == 0


SCRIPTS: list[dict[str, Any]] = [
    {"text": "All well, at some length.", "deltas": 4},
    {"status": 529, "times": 1, "then": {"text": "After an overload."}},
    {"status": 500, "times": 1, "then": {"text": "After a failure."}},
    {"status": 500, "times": 2, "then": {"text": "After two failures."}},
    {"cut_after": 1, "times": 1, "then": {"text": "After a cut."}},
    {"cut_after": 1},
    {"deltas": 6, "cut_after": 5},
    {"deltas": 6, "error_event_after": 4, "error": "overloaded_error"},
    {"status": 400},
    {"status": 529},
    {"text": "Numbers that cannot be.", "usage": "huge"},
]


async def test_money_is_whole_whatever_way_calls_go(caller: Caller, vendor: ThreadServer) -> None:
    """threats.md §11 with fallbacks, retries and people who leave; seeded."""
    chance = random.Random(20261120)
    await chain(OPUS, HAIKU)
    for _ in range(60):
        script = chance.choice(SCRIPTS) | {"id": uuid7().hex}
        leave_after = chance.choice([0, 0, 0, 1, 3])
        done = await made(caller, asking(**script), leave_after=leave_after)
        hold = await database(lambda call_id=done.id: Hold.objects.get(call_id=call_id))
        written = await database(lambda call_id=done.id: lines(call_id))
        assert hold.state == "closed"
        models = {"claude-sonnet-5-5", *(route["model"] for route in hold.routes)}
        assert {line.model_asked for line in written} <= models
        assert [line.attempt for line in written] == list(range(1, len(written) + 1))
        assert sum(line.cost_nano > 0 for line in written) <= 2  # billed once, and once more at most
        assert all(0 <= line.cost_nano <= hold.amount_nano for line in written)
        assert done.settlement.cost_nano == sum(line.cost_nano for line in written)
        if done.error is None and not leave_after:
            assert written[-1].outcome == "completed"
            assert done.call.route.model == written[-1].model_asked
            assert done.fold.message["model"] == written[-1].model_served
        clock().now += 400  # whatever cools or rests is over
    assert await database(open_holds) == 0
