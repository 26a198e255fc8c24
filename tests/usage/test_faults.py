"""What a vendor's faults leave behind: no open hold, one settlement, nothing negative, nothing for free.

The rows of the table of provider faults that are about money, on Anthropic's wire and on both of OpenAI's;
tests/providers/test_faults.py has the others. `made` itself looks at what must hold after every call
(`ledger_is_whole`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from providers import errors
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage.catalogue import discovery, overrides
from usage.metering import Caller
from usage.models import LedgerLine

from .conftest import SONNET, asking, database, lines, made, open_holds

Json = dict[str, Any]
TOOL: Json = {"name": "lookup", "input": {"text": "word " * 400}}
MODELS = (SONNET, "openai/gpt-5.4", "openai/gpt-4.1")
every_wire = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(autouse=True)
def both_vendors(settings: Any) -> Iterator[ThreadServer]:
    discovery.forget()
    overrides.forget()
    with ThreadServer(Simulator(scripted=True)) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": server.base_url},
            "openai": {"api_key": Secret("sk-test"), "base_url": f"{server.base_url}/openai/v1"},
        }
        yield server
    discovery.forget()
    overrides.forget()


def asked(server: ThreadServer) -> int:
    """How often a model was called."""
    return sum(request["method"] == "POST" for request in server.app.counters.recent)


@every_wire
async def test_a_whole_answer_is_settled_by_the_vendors_count(caller: Caller, model: str) -> None:
    done = await made(caller, asking(model, text="Hello there.", deltas=3))
    assert done.error is None and done.fold.complete
    (line,) = await database(lambda: lines(done.id))
    assert (line.source, line.outcome) == ("reported", "completed")
    assert line.cost_nano > 0 and line.output_tokens == done.fold.message["usage"]["output_tokens"]
    assert await database(open_holds) == 0


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"status": 429, "headers": {"retry-after": "1"}}, errors.RateLimited),
        ({"status": 529}, errors.Overloaded),
        ({"status": 429, "details": {"error_code": "enforced_spend_limit_reached"}}, errors.BillingError),
        ({"status": 400}, errors.InvalidRequest),
        ({"status": 413}, errors.TooLarge),
    ],
    ids=["429", "529", "spend-limit", "400", "413"],
)
@every_wire
async def test_a_call_that_was_turned_down_is_free_and_holds_nothing(
    caller: Caller, both_vendors: ThreadServer, model: str, script: Json, expected: type[Exception]
) -> None:
    done = await made(caller, asking(model, **script))
    assert isinstance(done.error, expected)
    assert done.settlement.cost_nano == 0
    assert await database(open_holds) == 0
    assert asked(both_vendors) <= 3
    if not done.error.retryable:
        assert asked(both_vendors) == 1


@pytest.mark.parametrize(
    "script",
    [
        {"error_event_after": 0},
        {"status": 429, "times": 1, "then": {"text": "Hello there."}},
        {"status": 529, "times": 2, "then": {"text": "Hello there."}},
        {"status": 500, "times": 1, "then": {"text": "Hello there."}},
        {"deltas": 5, "cut_after": 1, "times": 1, "then": {"text": "Hello there."}},
    ],
    ids=["error-first", "429-once", "529-twice", "500-once", "cut-at-once"],
)
@every_wire
async def test_a_call_may_be_made_again_before_anything_was_said(
    caller: Caller, both_vendors: ThreadServer, model: str, script: Json
) -> None:
    done = await made(caller, asking(model, id=model, **script))
    assert 2 <= asked(both_vendors) <= 3
    assert await database(open_holds) == 0
    if "then" in script:
        assert done.error is None and done.fold.complete
        assert (await database(lambda: lines(done.id)))[-1].outcome == "completed"


@pytest.mark.parametrize(
    ("script", "expected", "outcome"),
    [
        ({"deltas": 20, "cut_after": 9}, errors.InterruptedStream, "interrupted"),
        ({"deltas": 20, "reset_after": 9, "rate": 200}, errors.InterruptedStream, "interrupted"),
        ({"deltas": 20, "error_event_after": 9}, errors.ProviderError, "failed"),
        ({"deltas": 20, "garbage": "bad_json", "after": 9}, errors.ProtocolError, "failed"),
        ({"deltas": 20, "garbage": "bad_utf8", "after": 9}, errors.ProtocolError, "failed"),
        (
            {"deltas": 20, "garbage": "giant_event", "after": 9, "size": 9_000_000},
            errors.ProtocolError,
            "failed",
        ),
        ({"tool_use": TOOL, "cut_after": 12}, errors.InterruptedStream, "interrupted"),
    ],
    ids=["cut", "reset", "error-event", "bad-json", "bad-utf8", "giant", "cut-tool-call"],
)
@every_wire
async def test_what_was_said_before_a_fault_is_paid_and_not_asked_for_again(
    caller: Caller,
    both_vendors: ThreadServer,
    model: str,
    script: Json,
    expected: type[Exception],
    outcome: str,
) -> None:
    done = await made(caller, asking(model, **script))
    assert isinstance(done.error, expected)
    (line,) = await database(lambda: lines(done.id))
    assert (line.outcome, line.source) == (outcome, "estimated")
    assert line.cost_nano > 0 and line.output_tokens > 0
    assert asked(both_vendors) == 1
    assert await database(open_holds) == 0


@pytest.mark.parametrize("garbage", ["html_200", "empty_200", "gzip"])
@every_wire
async def test_bytes_that_are_no_answer_may_have_been_billed(
    caller: Caller, model: str, garbage: str
) -> None:
    done = await made(caller, asking(model, text="x", garbage=garbage, size=1_000_000))
    assert done.error is not None
    written = await database(lambda: lines(done.id))
    assert {line.outcome for line in written} <= {"failed", "interrupted"}
    assert all(line.source == "estimated" and line.cost_nano > 0 for line in written)
    assert await database(open_holds) == 0


@pytest.mark.parametrize("fault", ["missing", "negative", "nan", "text", "huge", "null"])
@every_wire
async def test_counts_that_cannot_be_are_estimated(caller: Caller, model: str, fault: str) -> None:
    done = await made(caller, asking(model, text="Some words of an answer. " * 4, usage=fault))
    assert done.fold.complete
    (line,) = await database(lambda: lines(done.id))
    assert (line.source, line.outcome) == ("estimated", "completed")
    assert line.cost_nano > 0
    assert all(0 <= getattr(line, name) < 10**8 for name in LedgerLine.BUCKETS)


@every_wire
async def test_counts_that_are_repeated_count_once(caller: Caller, model: str) -> None:
    once = await made(caller, asking(model, text="So it is.", id="once"))
    thrice = await made(caller, asking(model, text="So it is.", id="then", usage_repeats=3))
    assert once.settlement.usage.output_tokens == thrice.settlement.usage.output_tokens


@pytest.mark.parametrize(
    ("script", "leave_after"),
    [
        ({"deltas": -1, "rate": 200}, 1),
        ({"deltas": -1, "rate": 200}, 6),
        ({"tool_use": TOOL, "rate": 100}, 6),
    ],
    ids=["before-any-text", "in-the-text", "in-a-tool-call"],
)
@every_wire
async def test_a_stop_is_settled_by_what_came(
    caller: Caller, both_vendors: ThreadServer, model: str, script: Json, leave_after: int
) -> None:
    done = await made(caller, asking(model, **script), leave_after=leave_after)
    (line,) = await database(lambda: lines(done.id))
    assert (line.outcome, line.source) == ("stopped", "estimated")
    assert line.input_tokens > 0
    assert await database(open_holds) == 0
    again = await made(caller, asking(model, text="And on."))
    assert again.fold.complete
