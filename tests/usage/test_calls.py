from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection

from accounts.ids import uuid7
from accounts.models import Credential, User
from providers import registry
from providers.access import Secret
from providers.errors import (
    AuthenticationError,
    BillingError,
    InterruptedStream,
    ProtocolError,
    ProviderError,
)
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from providers.types import StreamEvent
from usage import metering
from usage.errors import CallRefused, DuplicateCall
from usage.metering import Caller
from usage.models import Hold, LedgerLine

from .conftest import DEMO, asking, database, lines, made, open_holds

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]

Json = dict[str, Any]


async def test_an_answer_passes_through_and_is_settled_from_the_vendors_count(caller: Caller) -> None:
    done = await made(caller, asking(text="Hello there.", deltas=3))
    assert done.fold.complete
    (line,) = await database(lambda: lines(done.id))
    assert (line.source, line.outcome, line.cost_nano) == (
        "reported",
        "completed",
        done.settlement.cost_nano,
    )
    assert line.cost_nano == line.input_tokens * 2_000 + line.output_tokens * 10_000 > 0
    assert (line.user, line.run, line.conversation) == (caller.user_id, caller.run_id, caller.conversation_id)
    assert (line.provider, line.model_asked, line.purpose) == ("anthropic", "claude-sonnet-5-5", "chat")
    assert (line.credential_scope, line.price_source) == ("environment", "catalogue 2026-10-07")
    assert line.vendor_request_id.startswith("msg_")
    assert line.ttft_ms is not None
    assert line.duration_ms is not None
    assert await database(open_holds) == 0


async def test_the_route_says_where_the_call_goes(caller: Caller) -> None:
    async with metering.call(caller, asking(text="Hi"), purpose="chat", call_id=uuid7()) as call:
        route = call.route
    assert (route.provider, route.model, route.label) == ("anthropic", "claude-sonnet-5-5", "Sonnet 5.5")


async def test_complete_gives_the_whole_message(caller: Caller) -> None:
    message = await metering.complete(caller, asking(text="A title"), purpose="title", call_id=uuid7())
    assert message["content"][0]["text"] == "A title"
    (line,) = await database(lines)
    assert line.purpose == "title"


async def test_leaving_early_is_a_stop_and_costs_what_came(caller: Caller, vendor: ThreadServer) -> None:
    done = await made(caller, asking(deltas=-1, rate=200), leave_after=8)
    (line,) = await database(lines)
    assert (line.source, line.outcome) == ("estimated", "stopped")
    assert line.input_tokens > 0
    assert line.output_tokens > 0
    assert done.settlement.source == "estimated"


async def test_entering_without_reading_costs_nothing_and_asks_nobody(
    caller: Caller, vendor: ThreadServer
) -> None:
    async with metering.call(caller, asking(text="Hi"), purpose="chat", call_id=uuid7()) as call:
        pass
    assert call.settlement is not None
    assert (call.settlement.cost_nano, call.settlement.outcome) == (0, "stopped")
    assert vendor.app.counters.counts["requests"] == 0
    assert await database(open_holds) == 0


async def test_an_error_of_the_caller_settles_as_a_stop(caller: Caller) -> None:
    with pytest.raises(LookupError):
        async with metering.call(caller, asking(deltas=9), purpose="chat", call_id=uuid7()) as call:
            async for _event in call:
                raise LookupError
    (line,) = await database(lines)
    assert line.outcome == "stopped"


@pytest.mark.parametrize(
    ("script", "error", "outcome", "source"),
    [
        ({"deltas": 20, "cut_after": 6}, InterruptedStream, "interrupted", "estimated"),
        ({"deltas": 20, "reset_after": 6}, InterruptedStream, "interrupted", "estimated"),
        ({"deltas": 20, "error_event_after": 6}, ProviderError, "failed", "estimated"),
        ({"status": 400}, ProviderError, "failed", "reported"),
        (
            {"status": 429, "details": {"error_code": "enforced_spend_limit_reached"}},
            BillingError,
            "failed",
            "reported",
        ),
        ({"garbage": "bad_json", "after": 4}, ProtocolError, "failed", "estimated"),
        ({"garbage": "html_200"}, ProtocolError, "failed", "estimated"),
        ({"garbage": "empty_200"}, ProviderError, "failed", "estimated"),
    ],
    ids=str,
)
async def test_a_failure_is_raised_and_settled_by_what_it_cost(
    caller: Caller, script: Json, error: type[Exception], outcome: str, source: str
) -> None:
    done = await made(caller, asking(**script))
    assert isinstance(done.error, error)
    (line,) = await database(lambda: lines(done.id))
    assert (line.outcome, line.source) == (outcome, source)
    assert (line.cost_nano > 0) == (source == "estimated")
    assert line.error
    assert await database(open_holds) == 0


@pytest.mark.parametrize("fault", ["missing", "negative", "nan", "text", "huge", "null"])
async def test_usage_that_cannot_be_is_estimated_and_flagged(caller: Caller, fault: str) -> None:
    """threats.md §9: the balance never rises, and delivered work is never free."""
    done = await made(caller, asking(text="Some words of an answer. " * 4, usage=fault))
    assert done.fold.complete
    (line,) = await database(lambda: lines(done.id))
    assert line.source == "estimated"
    assert line.cost_nano > 0
    assert all(getattr(line, name) >= 0 for name in LedgerLine.BUCKETS)


async def test_cumulative_usage_sent_twice_counts_once(caller: Caller) -> None:
    done = await made(caller, asking(text="Twice.", usage_repeats=3))
    (line,) = await database(lambda: lines(done.id))
    assert line.output_tokens == done.fold.message["usage"]["output_tokens"]
    assert line.source == "reported"


async def test_a_stop_event_ends_the_call_though_the_connection_stays_open(caller: Caller) -> None:
    done = await made(caller, asking(deltas=3, stop_then_hold=True))
    assert done.fold.complete
    assert done.settlement.outcome == "completed"


async def test_a_refusal_of_the_model_is_its_own_outcome(caller: Caller) -> None:
    done = await made(caller, asking(text="I", stop_reason="refusal"))
    assert (done.settlement.outcome, done.settlement.source) == ("refused", "reported")


async def test_a_refused_key_is_marked_and_not_tried_again(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    def enter() -> Credential:
        return Credential.objects.create(
            person=person,
            provider="anthropic",
            base_url=vendor.base_url,
            secret=Secret("sk-sim-401"),
            hint="-401",
        )

    credential = await database(enter)
    done = await made(caller, asking(text="Hi"))
    assert isinstance(done.error, AuthenticationError)
    (line,) = await database(lambda: lines(done.id))
    assert (line.credential, line.credential_scope, line.cost_nano) == (credential.pk, "person", 0)
    await database(credential.refresh_from_db)
    assert credential.state == "invalid"
    with pytest.raises(CallRefused) as refused:
        await made(caller, asking(text="Hi"))
    assert refused.value.code == "no_credential"


async def test_a_call_id_is_good_for_one_call(caller: Caller, vendor: ThreadServer) -> None:
    done = await made(caller, asking(text="Hi"))
    for _ in range(2):
        with pytest.raises(DuplicateCall):
            await metering.complete(caller, asking(text="Hi"), purpose="chat", call_id=done.id)
    twice = uuid7()
    results = await asyncio.gather(
        *(metering.complete(caller, asking(text="Hi"), purpose="chat", call_id=twice) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, DuplicateCall) for result in results) == 4
    assert vendor.app.counters.counts["requests"] == 2
    assert len(await database(lines)) == 2


async def test_the_demo_is_really_free(caller: Caller, settings: Any) -> None:
    with ThreadServer(Simulator(demo_rate=0)) as demo:
        settings.DEMO_BASE_URL = demo.base_url
        done = await made(caller, asking(DEMO))
    assert done.fold.complete
    assert (done.settlement.cost_nano, done.settlement.source) == (0, "reported")
    (line,) = await database(lambda: lines(done.id))
    assert (line.price_source, line.credential_scope) == ("demo", "demo")
    assert line.output_tokens > 0


class Faulty:
    """An adapter with a mistake in it."""

    async def stream(self, request: Any, access: Any, **known: Any) -> AsyncGenerator[StreamEvent, None]:
        yield {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 9}}}
        raise ZeroDivisionError


async def test_a_mistake_of_ours_is_a_failure_and_is_settled(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "adapter", lambda slug: Faulty())
    with pytest.raises(ZeroDivisionError):
        await made(caller, asking())
    (line,) = await database(lines)
    assert (line.outcome, line.error, line.input_tokens) == ("failed", "internal_error", 9)
    assert await database(open_holds) == 0


class Watching(Simulator):
    """Looks into the database each time that it is asked for an answer."""

    def __init__(self) -> None:
        super().__init__(scripted=True)
        self.found: list[tuple[int, int]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        def look() -> tuple[int, int]:
            try:
                return open_holds(), Hold.objects.count()
            finally:
                connection.close()

        if scope["path"] == "/v1/messages":
            self.found.append(await asyncio.to_thread(look))
        await super().__call__(scope, receive, send)


@pytest.fixture
def watching(vendor: ThreadServer, settings: Any) -> Iterator[Watching]:
    app = Watching()
    with ThreadServer(app) as server:
        settings.PROVIDER_ENVIRONMENT["anthropic"]["base_url"] = server.base_url
        yield app


async def test_the_vendor_is_asked_only_when_the_hold_is_committed(
    caller: Caller, watching: Watching
) -> None:
    for number in range(1, 4):
        await made(caller, asking(text="Hi"))
        assert watching.found[-1] == (1, number)


async def test_without_a_hold_the_vendor_is_not_asked(caller: Caller, watching: Watching) -> None:
    def refuse() -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "ALTER TABLE usage_hold ADD CONSTRAINT refused CHECK (amount_nano < 0) NOT VALID"
                )
            else:
                cursor.execute(
                    "CREATE TRIGGER refused BEFORE INSERT ON usage_hold BEGIN SELECT RAISE(ABORT, 'no'); END"
                )

    def allow() -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("ALTER TABLE usage_hold DROP CONSTRAINT refused")
            else:
                cursor.execute("DROP TRIGGER refused")

    await database(refuse)
    try:
        with pytest.raises(DatabaseError):
            await made(caller, asking(text="Hi"))
        assert watching.found == []
    finally:
        await database(allow)


async def test_the_hold_bounds_what_the_call_can_cost(caller: Caller) -> None:
    done = await made(caller, asking(text="word " * 300, max_tokens=2000))
    hold = await database(lambda: Hold.objects.get(call_id=done.id))
    assert hold.amount_nano >= 2000 * 10_000
    assert hold.amount_nano >= done.settlement.cost_nano
    json.dumps(hold.tariff)


async def test_aliases_reach_the_model_under_its_own_id(caller: Caller) -> None:
    done = await made(caller, asking("anthropic/claude-opus-4-5-20251101", text="Hi"))
    (line,) = await database(lambda: lines(done.id))
    assert line.model_asked == "claude-opus-4-5"
