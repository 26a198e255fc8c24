from __future__ import annotations

from typing import Any

import pytest

from accounts.ids import uuid7
from providers.errors import ConnectionFailed, InterruptedStream, Overloaded, RateLimited
from providers.simulator.server import ThreadServer
from usage.metering import Caller

from .conftest import Pauses, asking, database, lines, made

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_what_was_turned_down_is_asked_again_and_costs_nothing(caller: Caller, status: int) -> None:
    pauses = Pauses()
    script = {"status": status, "times": 2, "then": {"text": "At last."}, "id": uuid7().hex}
    done = await made(caller, asking(**script), retries=pauses)
    assert done.fold.complete
    assert pauses.waited == [0.5, 1.0]
    written = await database(lambda: lines(done.id))
    assert [(line.attempt, line.outcome, line.cost_nano > 0) for line in written] == [
        (1, "failed", False),
        (2, "failed", False),
        (3, "completed", True),
    ]
    assert done.settlement.source == "reported"


async def test_two_retries_and_no_more(caller: Caller, vendor: ThreadServer) -> None:
    done = await made(caller, asking(status=529))
    assert isinstance(done.error, Overloaded)
    assert vendor.app.counters.counts["requests"] == 3


@pytest.mark.parametrize(
    ("header", "requests", "waited"), [("7", 3, [7.0, 7.0]), ("60", 3, [60.0, 60.0]), ("61", 1, [])]
)
async def test_retry_after_is_obeyed_up_to_a_minute(
    caller: Caller, vendor: ThreadServer, header: str, requests: int, waited: list[float]
) -> None:
    pauses = Pauses()
    done = await made(caller, asking(status=429, headers={"retry-after": header}), retries=pauses)
    assert isinstance(done.error, RateLimited)
    assert (vendor.app.counters.counts["requests"], pauses.waited) == (requests, waited)


async def test_a_spend_limit_is_never_asked_again(caller: Caller, vendor: ThreadServer) -> None:
    await made(caller, asking(status=429, details={"error_code": "contract_spend_limit_reached"}))
    assert vendor.app.counters.counts["requests"] == 1


async def test_an_attempt_that_may_have_been_billed_is_made_again_once_and_paid(
    caller: Caller, vendor: ThreadServer
) -> None:
    """The stream breaks after message_start, before any content."""
    done = await made(caller, asking(cut_after=1))
    assert isinstance(done.error, InterruptedStream)
    assert done.fold.message == {}  # nothing of it was shown
    assert vendor.app.counters.counts["requests"] == 2
    written = await database(lambda: lines(done.id))
    assert [(line.attempt, line.source, line.cost_nano > 0) for line in written] == [
        (1, "estimated", True),
        (2, "estimated", True),
    ]
    script = {"cut_after": 1, "times": 1, "then": {"text": "Whole."}, "id": uuid7().hex}
    done = await made(caller, asking(**script))
    assert done.fold.complete
    assert done.fold.message["content"][0]["text"] == "Whole."


async def test_once_content_came_nothing_is_made_again(caller: Caller, vendor: ThreadServer) -> None:
    done = await made(caller, asking(deltas=5, error_event_after=4, error="overloaded_error"))
    assert isinstance(done.error, Overloaded)
    assert done.fold.blocks()
    assert vendor.app.counters.counts["requests"] == 1


async def test_where_nobody_listens_nothing_is_billed(caller: Caller, settings: Any) -> None:
    settings.PROVIDER_ENVIRONMENT["anthropic"]["base_url"] = "http://127.0.0.1:9"
    done = await made(caller, asking(text="Hi"))
    assert isinstance(done.error, ConnectionFailed)
    written = await database(lambda: lines(done.id))
    assert [(line.outcome, line.cost_nano) for line in written] == [("failed", 0)] * 3
