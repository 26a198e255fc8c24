"""The Anthropic adapter against a scripted server: what goes out, what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from providers import errors
from providers.access import Access, Secret
from providers.anthropic import AnthropicAdapter
from providers.transport import Transport
from providers.types import MessageRequest, StreamEvent
from tests.providers.calls import collect, says, streams
from tests.providers.conftest import KEY, access
from tests.providers.loopback import (
    PING,
    STOP,
    Exchange,
    block,
    end,
    hello,
    loopback,
    start,
    stop,
    text,
)

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


# Counting tokens


async def test_tokens_are_counted_for_nothing(adapter: AnthropicAdapter, question: MessageRequest) -> None:
    async with loopback(says(200, {"input_tokens": 12})) as server:
        assert await adapter.count_tokens(question, access(server.url)) == 12
    [sent] = server.exchanges
    assert sent.path == "/v1/messages/count_tokens"
    assert json.loads(sent.body) == {
        "model": "claude-test",
        "messages": [{"role": "user", "content": "Hello?"}],
    }


async def test_what_is_not_counted_is_not_asked(adapter: AnthropicAdapter, question: MessageRequest) -> None:
    searching = replace(question, tools=[{"type": "web_search_20250305", "name": "web_search"}])
    async with loopback(says(200, {"input_tokens": 12})) as server:
        assert await adapter.count_tokens(searching, access(server.url)) is None
    assert server.exchanges == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"input_tokens": "12"}', b'{"input_tokens": -1}', b"{}"])
async def test_a_count_that_cannot_be_read_is_a_protocol_error(
    body: bytes, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(says(200, body)) as server:
        with pytest.raises(errors.ProtocolError):
            await adapter.count_tokens(question, access(server.url))


async def test_a_refused_count_is_its_error(adapter: AnthropicAdapter, question: MessageRequest) -> None:
    body = {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}
    async with loopback(says(404, body)) as server:
        with pytest.raises(errors.NotFound):
            await adapter.count_tokens(question, access(server.url))


async def test_the_flags_of_a_request_are_one_header_with_the_tokens_own(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    fast = replace(question, extra={"speed": "fast", "betas": ["oauth-2025-04-20"]})
    async with loopback(streams(*hello())) as server:
        await collect(adapter, fast, access(server.url, "oauth"))
    [sent] = server.exchanges
    assert sent.header("anthropic-beta") == "oauth-2025-04-20,fast-mode-2026-02-01"
    assert json.loads(sent.body)["speed"] == "fast"
    assert "betas" not in json.loads(sent.body)
