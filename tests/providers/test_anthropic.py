"""The Anthropic adapter against a scripted server: what goes out, what comes back, how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from providers import errors
from providers.access import Access, Secret
from providers.anthropic import AnthropicAdapter
from providers.errors import ProviderError
from providers.transport import Timeouts, Transport
from providers.types import MessageRequest, StreamEvent
from tests.providers.conftest import KEY, access
from tests.providers.loopback import (
    PING,
    STOP,
    Exchange,
    Script,
    block,
    end,
    hello,
    loopback,
    start,
    stop,
    text,
)


def streams(*pieces: bytes | StreamEvent) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(request_id="req_1")
        await exchange.send(*pieces)
        await exchange.end_stream()

    return script


def says(status: int, body: Any, /, **headers: str) -> Script:
    async def script(exchange: Exchange) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await exchange.answer(status, data, **({"content_type": "application/json"} | headers))

    return script


async def collect(adapter: AnthropicAdapter, request: MessageRequest, to: Access) -> list[StreamEvent]:
    return [event async for event in adapter.stream(request, to)]


async def failure(adapter: AnthropicAdapter, request: MessageRequest, script: Script) -> ProviderError:
    """The error in which a call to a server with this script ends."""
    async with loopback(script) as server:
        with pytest.raises(ProviderError) as caught:
            await collect(adapter, request, access(server.url))
    return caught.value


# What goes out


async def test_a_call_sends_the_request_and_exactly_one_credential(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as server:
        await collect(adapter, question, access(server.url + "/"))
    [sent] = server.exchanges
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert json.loads(sent.body) == {
        "model": "claude-test",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello?"}],
        "stream": True,
    }
    assert sent.header("x-api-key") == KEY
    assert sent.header("authorization") is None
    assert sent.header("anthropic-version") == "2026-10-21"
    assert sent.header("anthropic-beta") is None
    assert sent.header("accept-encoding") == "identity"
    assert sent.header("content-type") == "application/json"


async def test_an_oauth_token_goes_as_bearer_with_its_beta(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as server:
        await collect(adapter, question, access(server.url, "oauth"))
    [sent] = server.exchanges
    assert sent.header("authorization") == f"Bearer {KEY}"
    assert sent.header("x-api-key") is None
    assert sent.header("anthropic-beta") == "oauth-2025-04-20"


async def test_without_a_secret_no_credential_is_sent(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as server:
        await collect(adapter, question, access(server.url, "none"))
    [sent] = server.exchanges
    assert sent.header("authorization") is None
    assert sent.header("x-api-key") is None


async def test_sampling_parameters_go_with_the_version_that_still_takes_them(
    adapter: AnthropicAdapter,
) -> None:
    warm = MessageRequest(model="m", messages=[], max_tokens=1, temperature=0.2)
    async with loopback(streams(*hello())) as server:
        await collect(adapter, warm, access(server.url))
    [sent] = server.exchanges
    assert sent.header("anthropic-version") == "2023-06-01"
    assert json.loads(sent.body)["temperature"] == 0.2


@pytest.mark.parametrize("key", ["sk-ant-ü", "sk-ant\r\nx-evil: 1", "two words", "nul\0"])
async def test_a_key_that_no_header_can_carry_is_refused_before_anything_is_sent(
    key: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as server:
        with pytest.raises(errors.AuthenticationError) as caught:
            await collect(adapter, question, Access(server.url, Secret(key), "api_key"))
    assert not server.exchanges
    assert not caught.value.sent
    assert key not in str(caught.value)


async def test_text_that_no_json_can_carry_is_refused_before_anything_is_sent(
    adapter: AnthropicAdapter,
) -> None:
    broken = MessageRequest(model="m", messages=[{"role": "user", "content": "\ud83d"}], max_tokens=1)
    async with loopback(streams(*hello())) as server:
        with pytest.raises(errors.InvalidRequest) as caught:
            await collect(adapter, broken, access(server.url))
    assert not server.exchanges
    assert not caught.value.sent


# What comes back


async def test_events_come_as_sent_without_pings(adapter: AnthropicAdapter, question: MessageRequest) -> None:
    unknown: StreamEvent = {"type": "weather", "sky": ["blue", None], "x": 1.5}
    events = hello()
    async with loopback(streams(PING, events[0], PING, unknown, *events[1:])) as server:
        assert await collect(adapter, question, access(server.url)) == [events[0], unknown, *events[1:]]


async def test_the_stop_event_ends_the_answer_though_the_socket_stays_open(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello())
        await exchange.until_left()

    async with loopback(script) as server, asyncio.timeout(5):
        assert (await collect(adapter, question, access(server.url)))[-1] == STOP


async def test_nothing_after_the_stop_event_is_read(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    late = {"type": "error", "error": {"type": "api_error", "message": "too late"}}
    async with loopback(streams(*hello(), text(0, "more"), late, b"data: no json\n\n")) as server:
        assert await collect(adapter, question, access(server.url)) == hello()


async def test_a_connection_is_used_again_after_a_whole_answer(
    adapter: AnthropicAdapter, question: MessageRequest, pool: Transport
) -> None:
    async with loopback(streams(*hello())) as server:
        for _ in range(3):
            await collect(adapter, question, access(server.url))
            await pool.settled()
    assert server.connections == 1


async def test_closing_the_answer_closes_its_connection(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    left = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello()[:3])
        await exchange.until_left()
        left.set()

    async with loopback(script) as server, asyncio.timeout(5):
        async with contextlib.aclosing(adapter.stream(question, access(server.url))) as events:
            async for event in events:
                if event["type"] == "content_block_delta":
                    break
        await left.wait()


@pytest.mark.parametrize("cookie_for", ["other", "same"])
async def test_no_cookie_goes_to_the_next_call(
    cookie_for: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(set_cookie="caller=1; Path=/")
        await exchange.send(*hello())
        await exchange.end_stream()

    async with loopback(script) as server:
        await collect(adapter, question, access(server.url))
        await collect(adapter, question, access(server.url, "none" if cookie_for == "other" else "api_key"))
    assert [exchange.header("cookie") for exchange in server.exchanges] == [None, None]


# How it fails: the answer's status


REFUSALS = [
    (400, "invalid_request_error", errors.InvalidRequest, False),
    (401, "authentication_error", errors.AuthenticationError, False),
    (402, "billing_error", errors.BillingError, False),
    (403, "permission_error", errors.Forbidden, False),
    (404, "not_found_error", errors.NotFound, False),
    (409, "conflict_error", errors.ServerError, True),
    (413, "request_too_large", errors.TooLarge, False),
    (429, "rate_limit_error", errors.RateLimited, True),
    (500, "api_error", errors.ServerError, True),
    (504, "timeout_error", errors.DeadlineExceeded, True),
    (529, "overloaded_error", errors.Overloaded, True),
]


@pytest.mark.parametrize(("status", "kind", "expected", "retryable"), REFUSALS)
async def test_a_refusal_becomes_its_error(
    status: int,
    kind: str,
    expected: type[ProviderError],
    retryable: bool,
    adapter: AnthropicAdapter,
    question: MessageRequest,
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "because"}, "request_id": "req_9"}
    error = await failure(adapter, question, says(status, body))
    assert type(error) is expected
    assert error.retryable is retryable
    assert error.to_json() == {
        "type": kind,
        "message": "because",
        "retryable": retryable,
        "request_id": "req_9",
        "status": status,
    }
    assert error.sent is (status == 504)


@pytest.mark.parametrize(("status", "expected"), [(status, expected) for status, _, expected, _ in REFUSALS])
@pytest.mark.parametrize("body", [b"", b"<html>edge</html>", b'{"error": "x"}', b"\xff\xfe", b"[" * 5000])
async def test_a_refusal_without_an_error_object_is_told_by_its_status(
    status: int,
    expected: type[ProviderError],
    body: bytes,
    adapter: AnthropicAdapter,
    question: MessageRequest,
) -> None:
    error = await failure(adapter, question, says(status, body, content_type="text/html"))
    assert isinstance(error, errors.InvalidRequest if status == 409 else expected)
    assert error.status == status
    assert "<" not in error.safe_message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
        ({"retry_after_ms": "soon", "retry_after": "7"}, 7.0),
        ({"retry_after": "Fri, 01 Jan 2100 00:00:00 GMT"}, 86400.0),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry_after": "99999999999"}, 86400.0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "NaN"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "tomorrow"}, None),
        ({}, None),
    ],
)
async def test_the_asked_wait_is_read_and_bounded(
    headers: dict[str, str], seconds: float | None, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    assert (await failure(adapter, question, says(429, body, **headers))).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "advice", "retryable"), [(429, "false", False), (400, "true", True), (500, "", True)]
)
async def test_the_vendors_advice_on_retrying_wins(
    status: int, advice: str, retryable: bool, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(status, {}, x_should_retry=advice))
    assert error.retryable is retryable


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
async def test_a_spend_limit_is_never_retried(
    code: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    body = {"error": {"type": "rate_limit_error", "message": "limit", "details": {"error_code": code}}}
    error = await failure(adapter, question, says(429, body, x_should_retry="true"))
    assert isinstance(error, errors.BillingError)
    assert not error.retryable


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(
    status: int, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as elsewhere:
        error = await failure(adapter, question, says(status, b"", location=f"{elsewhere.url}/v1/messages"))
    assert isinstance(error, errors.ProtocolError)
    assert not elsewhere.exchanges


@pytest.mark.parametrize("kind", ["api_key", "oauth"])
async def test_an_echoed_key_is_masked(
    kind: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    message = f"invalid key {KEY}, Authorization: Bearer {KEY}x and sk-ant-api03-somebody-else_1"
    body = {"type": "error", "error": {"type": "authentication_error", "message": message}}
    async with loopback(says(401, body, request_id=KEY)) as server:
        with pytest.raises(errors.AuthenticationError) as caught:
            await collect(adapter, question, access(server.url, kind))
    shown = str(caught.value) + json.dumps(caught.value.to_json() | {"request_id": None})
    assert KEY not in shown
    assert "somebody-else" not in shown
    assert "invalid key ***" in shown


# How it fails: no stream behind status 200


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>Sign in to the hotel network</html>", {"content_type": "text/html"}),
        (b'{"type":"message","content":[]}', {"content_type": "application/json"}),
        (b"", {"content_type": "text/event-stream"}),
        (b"", {"content_type": ""}),
        (b"\x1f\x8b\x08\x00", {"content_type": "text/event-stream", "content_encoding": "gzip"}),
        (b"x", {"content_type": "text/event-stream", "content_encoding": "identity, br"}),
    ],
)
async def test_a_200_that_is_no_stream_is_a_protocol_error(
    body: bytes, headers: dict[str, str], adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(200, body, **headers))
    assert isinstance(error, errors.ProtocolError)
    assert not error.retryable


@pytest.mark.parametrize(
    "poison",
    [
        b"data: not json\n\n",
        b"data: 5\n\n",
        b'data: {"no":"type"}\n\n',
        b'data: {"type":"x","text":"\xff"}\n\n',
        b'data: {"type":"x","v":' + b"[" * 5000 + b"]" * 5000 + b"}\n\n",
        b'data: {"type":"content_block_delta","delta":{"type":"signature_delta","signature":"a\\u0000"}}\n\n',
    ],
)
async def test_an_event_that_cannot_be_read_ends_the_answer(
    poison: bytes, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    seen: list[StreamEvent] = []
    async with loopback(streams(*hello()[:3], poison, *hello()[3:])) as server:
        with pytest.raises(errors.ProtocolError) as caught:
            async for event in adapter.stream(question, access(server.url)):
                seen.append(event)
    assert seen == hello()[:3]
    assert not caught.value.retryable
    assert caught.value.request_id == "req_1"


async def test_an_event_of_fifty_megabytes_is_refused_long_before_it_is_whole(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    sent = 0

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.begin_stream()
        await exchange.send(start(), b'data: {"type":"x","text":"')
        megabyte = b"a" * 1024 * 1024
        for _ in range(50):
            await exchange.send(megabyte)
            sent += 1

    error = await failure(adapter, question, script)
    assert isinstance(error, errors.ProtocolError)
    assert sent < 20


# How it fails: in the middle


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


# Keys and models


def models(*pages: dict[str, Any]) -> Callable[[Exchange], Any]:
    waiting = list(pages)

    async def script(exchange: Exchange) -> None:
        body = json.dumps(waiting.pop(0)).encode()
        await exchange.answer(200, body, content_type="application/json", anthropic_organization_id="org-1")

    return script


async def test_checking_a_key_tells_the_account_and_its_models(adapter: AnthropicAdapter) -> None:
    first = {"data": [{"id": "a", "display_name": "A"}, {"id": "b"}], "has_more": True, "last_id": "b"}
    second = {"data": [{"id": "c", "display_name": "C"}], "has_more": False, "last_id": "c"}
    async with loopback(models(first, second, first, second)) as server:
        account = await adapter.check(access(server.url))
        listed = await adapter.list_models(access(server.url))
    assert (account.vendor_account, account.models) == ("org-1", ["a", "b", "c"])
    assert [(model.id, model.display_name) for model in listed] == [("a", "A"), ("b", "b"), ("c", "C")]
    assert [exchange.path for exchange in server.exchanges[:2]] == [
        "/v1/models?limit=1000",
        "/v1/models?limit=1000&after_id=b",
    ]
    assert server.exchanges[0].header("x-api-key") == KEY


async def test_a_list_that_never_ends_is_left(adapter: AnthropicAdapter) -> None:
    page = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
    async with loopback(models(*[page] * 9)) as server:
        assert (await adapter.check(access(server.url))).models == ["a", "a"]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"data":5}', b'{"data":[{"id":5}]}'])
async def test_a_list_that_cannot_be_read_is_a_protocol_error(body: bytes, adapter: AnthropicAdapter) -> None:
    async with loopback(says(200, body)) as server:
        with pytest.raises(errors.ProtocolError):
            await adapter.check(access(server.url))


async def test_checking_a_wrong_key_is_an_authentication_error(adapter: AnthropicAdapter) -> None:
    body = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    async with loopback(says(401, body)) as server:
        with pytest.raises(errors.AuthenticationError):
            await adapter.check(access(server.url))


async def test_two_answers_at_once_do_not_mix(adapter: AnthropicAdapter, question: MessageRequest) -> None:
    both = asyncio.Barrier(2)

    async def script(exchange: Exchange) -> None:
        name = f"answer {exchange.connection}"
        await exchange.begin_stream()
        await exchange.send(start(), block(0))
        await both.wait()
        await exchange.send(text(0, name), stop(0), end(), STOP)
        await exchange.end_stream()

    async with loopback(script) as server:
        answers = await asyncio.gather(*[collect(adapter, question, access(server.url)) for _ in range(2)])
    assert {answer[2]["delta"]["text"] for answer in answers} == {"answer 1", "answer 2"}
