"""What can go wrong at a vendor, for every adapter on every wire it speaks, against the simulator.

Each test is one row of the table of provider faults; test_fault_events.py has those about events and counts.
What needs more than an adapter is elsewhere: holds and settlement in tests/usage/test_faults.py, pairing of
calls and results after a stop in tests/chat, an adapter's own details beside it
(test_anthropic_interruptions.py and the like).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from providers import errors
from providers.errors import ProviderError
from providers.transport import Timeouts
from providers.types import Usage
from tests.providers.wires import KEY, TOOL, Line, every_wire, streaming
from tests.providers.wires import line as line

ODD_TEXT = 'Ghent, Liège, 東京, 🙂, line\u2028separator\u2029and\x85next, tab\tend\r\nof \\"it\\".'
HURRIED = Timeouts(first=0.3, idle=0.3, total=30)


@every_wire
async def test_an_answer_comes_whole(line: Line) -> None:
    ended = await line.call(text=ODD_TEXT)
    assert ended.error is None
    assert ended.text == ODD_TEXT
    assert ended.fold.complete and ended.fold.message["stop_reason"] == "end_turn"
    usage = Usage.from_json(ended.fold.message["usage"])
    assert usage.input_tokens > 0 and usage.output_tokens > 0 and not usage.estimated
    assert [head.status for head in ended.heads] == [200]


@streaming
async def test_a_tool_call_comes_whole(line: Line) -> None:
    ended = await line.call(text="One moment.", tool_use=[TOOL, TOOL | {"id": "call_2", "input": {}}])
    assert ended.error is None
    calls = [block for block in ended.fold.message["content"] if block["type"] == "tool_use"]
    assert [(call["id"], call["name"], call["input"]) for call in calls] == [
        ("call_1", "lookup", {"city": "東京 🙂"}),
        ("call_2", "lookup", {}),
    ]
    assert ended.fold.message["stop_reason"] == "tool_use"


# 429 short, long, spend cap; 5xx, 529; connect or TLS failure


@pytest.mark.parametrize(
    ("script", "expected", "retryable"),
    [
        ({"status": 429, "headers": {"retry-after": "2"}}, errors.RateLimited, True),
        ({"status": 429, "headers": {"retry-after": "7200"}}, errors.RateLimited, True),
        ({"status": 500}, errors.ServerError, True),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, errors.ServerError, True),
        ({"status": 529}, errors.Overloaded, True),
        ({"status": 400}, errors.InvalidRequest, False),
        ({"status": 413}, errors.TooLarge, False),
    ],
    ids=["429", "429-long", "500", "502-html", "529", "400", "413"],
)
@every_wire
async def test_a_refusal_says_whether_to_try_again(
    line: Line, script: dict[str, Any], expected: type[ProviderError], retryable: bool
) -> None:
    if not line.wire.streams and script["status"] == 529:
        expected = errors.ServerError  # this vendor has no word for it: it sends 503
    ended = await line.call(**script)
    failure = ended.failure
    assert isinstance(failure, expected), repr(failure)
    assert failure.retryable is retryable
    assert not failure.sent or (failure.status is not None and failure.status >= 500)
    assert [head.status for head in ended.heads] == [failure.status]
    assert ended.fold.message == {}
    if "headers" in script:
        assert failure.retry_after is not None and failure.retry_after >= 2


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
@streaming
async def test_a_spend_limit_is_never_retried(line: Line, code: str) -> None:
    ended = await line.call(status=429, details={"error_code": code})
    assert isinstance(ended.failure, errors.BillingError)
    assert not ended.failure.retryable and not ended.failure.sent


@every_wire
async def test_a_vendor_that_is_not_there_was_not_sent_anything(line: Line) -> None:
    await line.server.stop()
    failure = (await line.call()).failure
    assert isinstance(failure, errors.ConnectionFailed)
    assert failure.retryable and not failure.sent


@every_wire
async def test_a_handshake_that_fails_was_not_sent_anything(line: Line) -> None:
    failure = (await line.call(base_url=line.server.base_url.replace("http:", "https:"))).failure
    assert isinstance(failure, errors.ConnectionFailed)
    assert not failure.sent


@every_wire
async def test_an_echoed_key_is_masked(line: Line) -> None:
    failure = (await line.call(key_echo=True, status=400)).failure
    for secret in (line.wire.secret, KEY, "simulated:", "eyJ"):
        assert secret not in f"{failure} {failure.safe_message} {failure.to_json()}"


@every_wire
async def test_a_redirect_is_not_followed(line: Line) -> None:
    failure = (await line.call(redirect=f"{line.server.base_url}/elsewhere")).failure
    assert not failure.retryable
    paths = [request["path"] for request in line.server.app.counters.recent]
    assert "/elsewhere" not in paths


# An error event, first or later


@streaming
async def test_an_error_event_that_comes_first_may_be_tried_again(line: Line) -> None:
    failure = (await line.call(error_event_after=0)).failure
    assert isinstance(failure, errors.Overloaded | errors.ServerError)
    assert failure.retryable


@pytest.mark.parametrize("form", ["event", "nested", "failed"])
@streaming
async def test_an_error_event_that_comes_later_leaves_what_was_said(line: Line, form: str) -> None:
    ended = await line.call(deltas=9, error_event_after=8, error_form=form)
    assert isinstance(ended.failure, errors.Overloaded | errors.ServerError)
    assert not ended.failure.retryable
    assert ended.failure.sent
    assert ended.text.startswith("w0 ")
    assert not ended.fold.complete


# The end without the stop event


@pytest.mark.parametrize("how", ["cut_after", "reset_after"])
@pytest.mark.parametrize("events", [1, 5, 9])
@streaming
async def test_an_end_without_the_stop_event_is_an_interruption(line: Line, how: str, events: int) -> None:
    script: dict[str, Any] = {how: events}
    ended = await line.call(deltas=12, **script)
    assert isinstance(ended.failure, errors.InterruptedStream)
    assert not ended.fold.complete
    said = "".join(f"w{number} " for number in range(12))
    assert said.startswith(ended.text)
    # A reset may overtake what was sent before it; only what was seen counts.
    assert ended.failure.retryable is (not ended.fold.message.get("content"))


@pytest.mark.parametrize("events", range(4, 20, 3))
@streaming
async def test_a_tool_call_that_breaks_off_is_not_whole(line: Line, events: int) -> None:
    ended = await line.call(text="Hm", tool_use=TOOL | {"input": {"text": "word " * 40}}, cut_after=events)
    assert isinstance(ended.failure, errors.InterruptedStream)
    assert not ended.fold.complete


@every_wire
async def test_a_body_that_breaks_off_inside_an_event_is_an_interruption(line: Line) -> None:
    ended = await line.call(text="word " * 60, cut_bytes=500)
    assert isinstance(ended.failure, errors.InterruptedStream | errors.ProtocolError)
    assert not ended.fold.complete


# The stop event, and the socket stays open


@streaming
async def test_the_stop_event_ends_the_answer(line: Line) -> None:
    async with asyncio.timeout(10):
        ended = await line.call(text="Done.", stop_then_hold=True)
    assert ended.error is None and ended.fold.complete
    assert ended.text == "Done."


# No content though signs of life come; a trickle; no end


@streaming
async def test_signs_of_life_are_no_content(line: Line) -> None:
    ended = await line.call(timeouts=HURRIED, quiet=0.3, deltas=9, hang_after=8, ping_every=0.02)
    assert isinstance(ended.failure, errors.DeadlineExceeded)
    assert not ended.failure.retryable and ended.failure.sent


@every_wire
async def test_a_vendor_that_does_not_begin_meets_the_first_deadline(line: Line) -> None:
    ended = await line.call(timeouts=HURRIED, quiet=0.3, header_delay=30)
    assert isinstance(ended.failure, errors.DeadlineExceeded)
    assert ended.failure.retryable and ended.failure.sent


@every_wire
async def test_silence_meets_a_deadline(line: Line) -> None:
    ended = await line.call(timeouts=HURRIED, quiet=0.3, text="x", hang_after=0)
    assert isinstance(ended.failure, errors.DeadlineExceeded)


@streaming
async def test_an_answer_without_end_meets_the_total_deadline(line: Line) -> None:
    adapter = line.adapter(Timeouts(total=0.5))
    request = line.request(deltas=-1, rate=200)
    endless = type(request)(model=request.model, messages=request.messages, max_tokens=1)
    with pytest.raises(errors.DeadlineExceeded):
        async for _ in adapter.stream(endless, line.wire.access(line.server.base_url), spec=line.wire.spec):
            pass


# Bytes cut anywhere


@pytest.mark.parametrize("chunk", [1, 3, "random"])
@pytest.mark.parametrize("newline", ["lf", "crlf", "cr"])
@streaming
async def test_cuts_in_the_bytes_change_nothing(line: Line, chunk: int | str, newline: str) -> None:
    ended = await line.call(text=ODD_TEXT, tool_use=TOOL, chunk=chunk, newline=newline, seed=7)
    assert ended.error is None
    assert ended.text == ODD_TEXT
    assert ended.fold.message["content"][-1]["input"] == TOOL["input"]


# Bytes that are no answer


@pytest.mark.parametrize("garbage", ["bad_utf8", "bad_json", "html_200", "empty_200", "gzip"])
@every_wire
async def test_bytes_that_are_no_answer_are_refused(line: Line, garbage: str) -> None:
    ended = await line.call(text="x", garbage=garbage, size=5_000_000)
    assert isinstance(ended.failure, errors.ProtocolError | errors.InterruptedStream), repr(ended.failure)
    assert not ended.fold.complete


@every_wire
async def test_an_event_of_fifty_megabytes_is_left_long_before_its_end(line: Line) -> None:
    ended = await line.call(text="x", garbage="giant_event", size=50_000_000)
    assert isinstance(ended.failure, errors.ProtocolError)
    async with asyncio.timeout(10):
        counters = line.server.app.counters
        await counters.reached("streams_cancelled", 1)
    assert counters.counts["bytes"] < 45_000_000


# A stop, and many of them


@pytest.mark.parametrize(
    "script", [{"deltas": -1, "rate": 100}, {"tool_use": TOOL | {"input": {"a": "b " * 9000}}, "rate": 50}]
)
@streaming
async def test_a_stop_closes_the_connection(line: Line, script: dict[str, Any]) -> None:
    adapter = line.adapter()
    access = line.wire.access(line.server.base_url)
    async with contextlib.aclosing(
        adapter.stream(line.request(**script), access, spec=line.wire.spec)
    ) as events:
        async for event in events:
            if event["type"] == "content_block_delta":
                break
    async with asyncio.timeout(10):
        await line.server.app.counters.reached("streams_cancelled", 1)


@every_wire
async def test_many_cancelled_calls_leave_a_line_that_works(line: Line) -> None:
    """That a thousand of them give every connection back is in test_transport.py, for the pool is one."""
    adapter = line.adapter()
    access = line.wire.access(line.server.base_url)

    async def ask(number: int) -> None:
        request = line.request(text=f"answer {number}", id=str(number), gates={"never": 0}, hang_after=0)
        async for _ in adapter.stream(request, access, spec=line.wire.spec):
            pass

    tasks = [asyncio.create_task(ask(number)) for number in range(40)]
    async with asyncio.timeout(20):
        await line.server.app.counters.reached("streams_started", 40)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
        answers = await asyncio.gather(*(line.call(text=f"own answer {number}") for number in range(20)))
    assert [answer.text for answer in answers] == [f"own answer {number}" for number in range(20)]
