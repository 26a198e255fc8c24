"""The adapter of OpenAI's wire: what it sends, and what it makes of whole answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from providers.access import Secret
from providers.catalogue import Api
from providers.errors import AuthenticationError, InvalidRequest, NotFound, ProtocolError, Unsupported
from providers.fold import fold
from providers.heard import Head, Limits
from providers.openai import OpenAIAdapter
from providers.openai_address import Address
from providers.transport import Timeouts, Transport
from providers.types import Json
from tests.providers.loopback import Exchange, loopback
from tests.providers.openai_answers import DONE, USAGE, answers, chat, chunk, data, responses
from tests.providers.openai_calls import KEY, access, asked, collect, failure
from tests.providers.openai_specs import spec_of

CHAT = spec_of(provider="openai")
RESPONSES = spec_of(provider="openai", api="responses", efforts=("low", "medium", "high"))


@pytest.fixture
def adapter(pool: Transport) -> OpenAIAdapter:
    return OpenAIAdapter(through=lambda: pool)


def sent(exchange: Exchange) -> Json:
    body: Json = json.loads(exchange.body)
    return body


async def test_chat_is_the_wire_of_unknown_models(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        message = fold(await collect(adapter, asked(), access(server)))
        [exchange] = server.exchanges
    assert (exchange.method, exchange.path) == ("POST", "/v1/chat/completions")
    assert exchange.header("authorization") == f"Bearer {KEY}"
    assert [name for name, value in exchange.headers if KEY in value] == ["authorization"]
    body = sent(exchange)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert body["messages"] == [{"role": "user", "content": "Hello?"}]
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert message["stop_reason"] == "end_turn"
    assert message["usage"] == {"input_tokens": 9, "output_tokens": 5}


@pytest.mark.parametrize("api", ["messages", "generations"])
async def test_a_model_of_another_wire_is_refused_before_anything_is_sent(
    adapter: OpenAIAdapter, api: Api
) -> None:
    async with loopback(chat()) as server:
        with pytest.raises(Unsupported, match="another wire") as caught:
            await collect(adapter, asked(), access(server), spec=spec_of(api=api))
        assert server.exchanges == []
    assert not caught.value.sent


async def test_the_spec_chooses_responses(adapter: OpenAIAdapter) -> None:
    async with loopback(responses("Hi")) as server:
        message = fold(await collect(adapter, asked(), access(server), spec=RESPONSES))
        [exchange] = server.exchanges
    assert exchange.path == "/v1/responses"
    body = sent(exchange)
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]
    assert message["content"] == [{"type": "text", "text": "Hi"}]
    assert message["id"] == "resp_1"


async def test_a_local_server_needs_no_key(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        await collect(adapter, asked(), access(server, secret=None, kind="none"))
        assert server.exchanges[0].header("authorization") is None


async def test_an_access_token_is_sent_as_it_is(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        await collect(adapter, asked(), access(server, secret=Secret("ey.token"), kind="oauth"))
        assert server.exchanges[0].header("authorization") == "Bearer ey.token"


async def test_organization_and_project_are_headers(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        options = {"organization": "org-1", "project": "proj_2"}
        await collect(adapter, asked(), access(server, options=options))
        assert server.exchanges[0].header("openai-organization") == "org-1"
        assert server.exchanges[0].header("openai-project") == "proj_2"


@pytest.mark.parametrize("value", ["org\r\nx: y", "orgé"])
async def test_an_option_that_no_header_can_hold_is_refused(adapter: OpenAIAdapter, value: str) -> None:
    async with loopback(chat()) as server:
        with pytest.raises(InvalidRequest) as caught:
            await collect(adapter, asked(), access(server, options={"organization": value}))
        assert server.exchanges == []
    assert caught.value.sent is False


@pytest.mark.parametrize("key", ["sk with space", "sk-\r\nx: y", "sk-ü"])
async def test_a_key_that_no_header_can_hold_is_refused(adapter: OpenAIAdapter, key: str) -> None:
    async with loopback(chat()) as server:
        with pytest.raises(AuthenticationError) as caught:
            await collect(adapter, asked(), access(server, secret=Secret(key)))
        assert server.exchanges == []
    assert caught.value.sent is False
    assert key not in str(caught.value)


async def test_what_the_head_says_is_heard_once(adapter: OpenAIAdapter) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(
            x_request_id="req-7",
            openai_organization="acme",
            x_ratelimit_limit_requests="500",
            x_ratelimit_remaining_requests="499",
            x_ratelimit_reset_requests="120ms",
            x_ratelimit_remaining_tokens="10",
            x_ratelimit_reset_tokens="6m0s",
        )
        await exchange.send(*data(chunk(content="x"), chunk("stop")), DONE)
        await exchange.end_stream()

    heads: list[Head] = []
    async with loopback(script) as server:
        await collect(adapter, asked(), access(server), heard=heads.append)
    limits = Limits(requests=500, requests_left=499, requests_reset=0.12, tokens_left=10, tokens_reset=360.0)
    assert heads == [Head(status=200, request_id="req-7", vendor_account="acme", limits=limits)]


async def test_the_head_of_a_refusal_is_heard(adapter: OpenAIAdapter) -> None:
    heads: list[Head] = []
    script = answers(404, {"error": {"code": "model_not_found"}}, x_request_id="req-8")
    error = await failure(adapter, script, heard=heads.append)
    assert isinstance(error, NotFound)
    assert error.request_id == "req-8"
    assert [(head.status, head.request_id) for head in heads] == [(404, "req-8")]


async def test_no_tokens_are_answered_without_a_call(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        message = fold(await collect(adapter, asked(max_tokens=0), access(server)))
        assert server.exchanges == []
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert message["usage"] == {"input_tokens": 0, "output_tokens": 0}


async def test_a_whole_answer_instead_of_a_stream_is_taken(adapter: OpenAIAdapter) -> None:
    whole = {
        "id": "c1",
        "model": "local",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    }
    async with loopback(answers(200, whole)) as server:
        message = fold(await collect(adapter, asked(), access(server)))
    assert message["content"] == [{"type": "text", "text": "Hi"}]
    assert message["stop_reason"] == "max_tokens"


async def test_a_stop_sequence_ends_the_answer_and_the_call(adapter: OpenAIAdapter) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*data(chunk(content="one EN"), chunk(content="D two")))
        await exchange.until_left()

    async with loopback(script) as server:
        request = asked(stop_sequences=["END"])
        message = fold(await collect(adapter, request, access(server), spec=CHAT))
        assert "stop" not in sent(server.exchanges[0])
    assert message["content"] == [{"type": "text", "text": "one "}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")
    assert message["usage"] == {}


async def test_a_prompt_that_the_filter_blocks_is_a_refusal(adapter: OpenAIAdapter) -> None:
    error = {"code": "content_filter", "message": f"Filtered, {KEY}.", "innererror": {"code": "x"}}
    async with loopback(answers(400, {"error": error})) as server:
        message = fold(await collect(adapter, asked(), access(server)))
    assert (message["content"], message["stop_reason"]) == ([], "refusal")
    assert message["stop_details"] == {"type": "refusal", "category": None, "explanation": "Filtered, ***."}


async def test_a_long_tool_name_comes_back_whole(adapter: OpenAIAdapter) -> None:
    name = "a_very_long_name_" * 5
    tool: Json = {"name": name, "input_schema": {"type": "object"}}

    async def script(exchange: Exchange) -> None:
        [told] = sent(exchange)["tools"]
        short = told["function"]["name"]
        assert len(short) <= 64
        call = {"index": 0, "id": "call_1", "function": {"name": short, "arguments": "{}"}}
        await chat(chunk(tool_calls=[call]), chunk("tool_calls"))(exchange)

    async with loopback(script) as server:
        message = fold(await collect(adapter, asked(tools=[tool]), access(server)))
    assert message["content"] == [{"type": "tool_use", "id": "call_1", "name": name, "input": {}}]


async def test_reasoning_goes_back_to_the_account_that_it_came_from(adapter: OpenAIAdapter) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "find", "arguments": "{}"}
    end = {"id": "resp_1", "status": "completed", "output": [item, call]}

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*data({"type": "response.completed", "response": end}))
        await exchange.end_stream()

    async with loopback(script) as server:
        to = access(server)
        message = fold(await collect(adapter, asked(), to, spec=RESPONSES))
        history: list[Json] = [
            {"role": "user", "content": "Hello?"},
            {"role": "assistant", "content": message["content"]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "found"}],
            },
        ]
        again = asked(messages=history)
        await collect(adapter, again, to, spec=RESPONSES)
        await collect(adapter, again, access(server, secret=Secret("sk-another-key")), spec=RESPONSES)
        same, other = (sent(exchange)["input"] for exchange in server.exchanges[1:])
    assert [block["type"] for block in message["content"]] == ["thinking", "tool_use"]
    assert same[1] == item
    assert [entry["type"] for entry in same] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert [entry["type"] for entry in other] == ["message", "function_call", "function_call_output"]


async def test_tokens_are_counted_by_openai_alone(adapter: OpenAIAdapter, pool: Transport) -> None:
    class Counting(OpenAIAdapter):
        def counts_tokens(self, access: object) -> bool:
            return True

    async with loopback(answers(200, {"object": "response.input_tokens", "input_tokens": 42})) as server:
        assert await adapter.count_tokens(asked(), access(server)) is None
        counting = Counting(through=lambda: pool)
        request = asked(system="Be brief.", extra={"top_p": 0.5})
        assert await counting.count_tokens(request, access(server)) == 42
        [exchange] = server.exchanges
    assert exchange.path == "/v1/responses/input_tokens"
    assert set(sent(exchange)) == {"model", "input", "instructions"}


@pytest.mark.parametrize("count", [None, -1, True, "12"])
async def test_a_count_that_is_none_is_a_protocol_error(pool: Transport, count: object) -> None:
    class Counting(OpenAIAdapter):
        def counts_tokens(self, access: object) -> bool:
            return True

    async with loopback(answers(200, {"input_tokens": count})) as server:
        with pytest.raises(ProtocolError):
            await Counting(through=lambda: pool).count_tokens(asked(), access(server))


async def test_a_check_names_the_account_and_its_models(adapter: OpenAIAdapter) -> None:
    models = {"object": "list", "data": [{"id": "gpt-a", "object": "model"}, {"id": "gpt-b"}]}
    async with loopback(answers(200, models, openai_organization="acme")) as server:
        account = await adapter.check(access(server))
        assert server.exchanges[0].path == "/v1/models"
        assert server.exchanges[0].header("authorization") == f"Bearer {KEY}"
    assert (account.vendor_account, account.models) == ("acme", ["gpt-a", "gpt-b"])


async def test_a_check_with_a_bad_key_says_so(adapter: OpenAIAdapter) -> None:
    body = {"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {KEY}."}}
    async with loopback(answers(401, body)) as server:
        with pytest.raises(AuthenticationError) as caught:
            await adapter.check(access(server))
    assert KEY not in str(caught.value)
    assert "***" in caught.value.safe_message


@pytest.mark.parametrize("body", [{}, {"data": "x"}, "text", b"<html>", {"data": None}])
async def test_a_list_that_is_none_is_a_protocol_error(adapter: OpenAIAdapter, body: Any) -> None:
    async with loopback(answers(200, body)) as server:
        with pytest.raises(ProtocolError):
            await adapter.list_models(access(server))


async def test_a_refused_call_is_made_again_once_when_its_proof_is_new(pool: Transport) -> None:
    class Minting(OpenAIAdapter):
        tokens = 0

        async def address(self, *args: Any, **rest: Any) -> Address:
            found = await super().address(*args, **rest)
            return Address(found.url, {"authorization": f"Bearer token-{self.tokens}"}, found.secrets)

        async def renewed(self, failure: object, access: object) -> bool:
            self.tokens += 1
            return isinstance(failure, AuthenticationError)

    async def script(exchange: Exchange) -> None:
        if exchange.header("authorization") == "Bearer token-1":
            await chat()(exchange)
        else:
            await answers(401, {"error": {"message": "expired"}})(exchange)

    heads: list[Head] = []
    async with loopback(script) as server:
        adapter = Minting(through=lambda: pool)
        events = await collect(adapter, asked(), access(server), heard=heads.append)
    assert fold(events)["stop_reason"] == "end_turn"
    assert [head.status for head in heads] == [401, 200]
    async with loopback(answers(401, {})) as server:
        with pytest.raises(AuthenticationError):
            await collect(adapter, asked(), access(server))
        assert len(server.exchanges) == 2


async def test_what_cannot_be_said_is_refused_before_anything_is_sent(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        for request in (
            asked(extra={"mcp_servers": [{}]}),
            asked(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
            asked(messages=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
        ):
            with pytest.raises(Unsupported) as caught:
                await collect(adapter, request, access(server))
            assert caught.value.sent is False
        with pytest.raises(InvalidRequest):
            await collect(adapter, asked("\ud83d"), access(server))
        assert server.exchanges == []


async def test_a_model_that_reasons_may_be_quiet_at_first(pool: Transport) -> None:
    """Before its first word it may take `quiet` seconds, not `first` ones."""
    adapter = OpenAIAdapter(timeouts=Timeouts(first=0.05, idle=5, total=30), quiet=20, through=lambda: pool)

    async def slow(exchange: Exchange) -> None:
        await exchange.begin_stream()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await exchange.until_left()
        await exchange.send(*data(chunk(content="x"), chunk("stop"), USAGE), DONE)
        await exchange.end_stream()

    spec = spec_of(efforts=("low", "high"))
    async with loopback(slow) as server:
        message = fold(await collect(adapter, asked(), access(server), spec=spec))
    assert message["content"] == [{"type": "text", "text": "x"}]
