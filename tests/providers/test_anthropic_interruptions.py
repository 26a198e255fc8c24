"""An answer that breaks off, fails on its way, or keeps its reader waiting."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from providers import errors
from providers.anthropic import AnthropicAdapter
from providers.errors import ProviderError
from providers.transport import Timeouts, Transport
from providers.types import MessageRequest, StreamEvent
from tests.providers.calls import collect, failure, streams
from tests.providers.conftest import KEY, access
from tests.providers.loopback import (
    PING,
    Exchange,
    Script,
    block,
    hello,
    loopback,
    start,
    text,
)


@pytest.mark.parametrize("events", range(1, 7))
@pytest.mark.parametrize("how", ["end of the body", "end of the connection", "reset"])
async def test_an_end_without_the_stop_event_is_an_interruption(
    events: int, how: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello()[:events])
        if how == "end of the body":
            await exchange.end_stream()
        elif how == "end of the connection":
            exchange.writer.close()
        else:
            await seen_all.wait()
            exchange.reset()

    seen_all = asyncio.Event()
    seen: list[StreamEvent] = []
    async with loopback(script) as server:
        with pytest.raises(errors.InterruptedStream) as caught:
            async for event in adapter.stream(question, access(server.url)):
                seen.append(event)
                if len(seen) == events:
                    seen_all.set()
    assert seen == hello()[:events]
    assert caught.value.sent
    assert caught.value.retryable is (events == 1)


@pytest.mark.parametrize(
    ("kind", "expected", "retryable"),
    [
        ("overloaded_error", errors.Overloaded, True),
        ("api_error", errors.ServerError, True),
        ("rate_limit_error", errors.RateLimited, True),
        ("invalid_request_error", errors.InvalidRequest, False),
        ("new_error", errors.ServerError, False),
    ],
)
@pytest.mark.parametrize(("before", "sent"), [(0, False), (1, True), (3, True)])
async def test_an_error_event_is_the_error_of_its_type(
    kind: str,
    expected: type[ProviderError],
    retryable: bool,
    before: int,
    sent: bool,
    adapter: AnthropicAdapter,
    question: MessageRequest,
) -> None:
    event = {"type": "error", "error": {"type": kind, "message": f"busy {KEY}"}, "request_id": "req_7"}
    error = await failure(adapter, question, streams(*hello()[:before], event))
    assert type(error) is expected
    assert error.kind == kind
    assert error.safe_message == "busy ***"
    assert error.request_id == "req_7"
    assert error.sent is sent
    assert error.retryable is (retryable and before < 2)


async def test_an_unreachable_provider_was_not_sent_anything(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as server:
        pass
    with pytest.raises(errors.ConnectionFailed) as caught:
        await collect(adapter, question, access(server.url))
    assert caught.value.retryable
    assert not caught.value.sent


# Deadlines


def hurried(pool: Transport, **timeouts: float) -> AnthropicAdapter:
    quiet = timeouts.pop("quiet", 30)
    return AnthropicAdapter(timeouts=Timeouts(**timeouts), quiet=quiet, through=lambda: pool)


def then_pings(*events: StreamEvent) -> Script:
    """These events, and from then on a sign of life that is no content, every few milliseconds."""

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*events)
        while True:
            await exchange.send(PING, b": still here\n\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.005):
                    await exchange.until_left()

    return script


async def test_pings_are_not_content_before_the_first(pool: Transport, question: MessageRequest) -> None:
    error = await failure(hurried(pool, first=0.1), question, then_pings(start()))
    assert isinstance(error, errors.DeadlineExceeded)
    assert error.retryable


async def test_pings_are_not_content_between_two(pool: Transport, question: MessageRequest) -> None:
    error = await failure(hurried(pool, idle=0.1), question, then_pings(*hello()[:3]))
    assert isinstance(error, errors.DeadlineExceeded)
    assert not error.retryable


@pytest.mark.parametrize("kind", ["thinking", "server_tool_use"])
async def test_a_model_that_works_unseen_gets_more_time(
    kind: str, pool: Transport, question: MessageRequest
) -> None:
    adapter = hurried(pool, idle=0.05, quiet=0.3)
    loop = asyncio.get_running_loop()
    began = loop.time()
    error = await failure(adapter, question, then_pings(start(), block(0, kind)))
    assert isinstance(error, errors.DeadlineExceeded)
    assert loop.time() - began >= 0.3


async def test_an_answer_without_end_meets_the_total_deadline(pool: Transport) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello()[:2])
        while True:
            await exchange.send(*[text(0, "and ")] * 50)

    endless = MessageRequest(model="m", messages=[], max_tokens=1)
    error = await failure(hurried(pool, total=0.2), endless, script)
    assert isinstance(error, errors.DeadlineExceeded)


async def test_a_silent_server_meets_the_first_deadline(pool: Transport, question: MessageRequest) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.until_left()

    error = await failure(hurried(pool, first=0.1), question, script)
    assert isinstance(error, errors.DeadlineExceeded)
    assert error.sent


async def test_a_trickle_of_bytes_is_not_content(pool: Transport, question: MessageRequest) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello()[:2])
        while True:
            await exchange.send(b"d")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.005):
                    await exchange.until_left()

    error = await failure(hurried(pool, idle=0.1), question, script)
    assert isinstance(error, errors.DeadlineExceeded)
