"""GitHub Copilot: three wires behind one address, and what is told of each call."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from providers import errors
from providers.access import AccessKind
from providers.catalogue import Api
from providers.copilot import CopilotAdapter
from providers.fold import fold
from providers.heard import Head
from providers.transport import Transport
from providers.types import Json, MessageRequest
from tests.corpus import Recording, recordings
from tests.providers.github import EXCHANGE, GITHUB, GitHub, access, calls, collect, messages, spec
from tests.providers.loopback import Exchange, hello, loopback
from tests.providers.openai_answers import USAGE, Answers, chat, chunk, responses
from tests.providers.openai_oracle import of_message, of_recorded


@pytest.fixture
def adapter(pool: Transport) -> CopilotAdapter:
    return CopilotAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model="gpt-x", messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


@pytest.mark.parametrize(
    ("api", "path", "script"),
    [
        ("chat", "/chat/completions", chat()),
        ("responses", "/responses", responses()),
        ("messages", "/v1/messages", messages()),
    ],
)
@pytest.mark.parametrize("kind", ["device", "oauth"])
async def test_each_model_is_called_by_its_wire(
    api: Api,
    path: str,
    script: Answers,
    kind: AccessKind,
    adapter: CopilotAdapter,
    question: MessageRequest,
):
    heads: list[Head] = []
    async with loopback(GitHub(script)) as server:
        to = access(server.url, kind)
        events = await collect(adapter, question, to, spec=spec(api), heard=heads.append)
    message = fold(events)
    assert message["content"][0]["text"].startswith("Hello")
    assert message["stop_reason"] == "end_turn"
    token, asked = server.exchanges
    assert (token.method, token.path) == ("GET", EXCHANGE)
    assert token.header("authorization") == f"token {GITHUB}"
    assert token.header("x-github-api-version") == "2025-04-01"
    assert (asked.method, asked.path) == ("POST", path)
    assert asked.header("authorization") == "Bearer tid=made-up-1;exp=1:sig"
    assert asked.header("x-github-api-version") == "2025-05-01"
    assert asked.header("x-initiator") == "user"
    assert asked.header("openai-intent") == asked.header("x-interaction-type") == "conversation-panel"
    assert asked.header("copilot-vision-request") is None
    assert asked.header("x-api-key") is asked.header("anthropic-beta") is None
    assert json.loads(asked.body)["model"] == "gpt-x"
    assert [head.status for head in heads] == [200]
    own = asked.header("x-request-id")
    assert heads[0].request_id == (own if api == "messages" else "req-1")


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_who_this_program_is_the_operator_says(
    api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    identity = {"integration_id": "acme", "editor_version": "Parley/1", "plugin_version": "parley/2"}
    script = chat() if api == "chat" else messages()
    async with loopback(GitHub(script)) as server:
        await collect(adapter, question, access(server.url), spec=spec(api))
        await collect(adapter, question, access(server.url, **identity), spec=spec(api))
    without, with_identity = calls(server)
    names = ("copilot-integration-id", "editor-version", "editor-plugin-version")
    assert [without.header(name) for name in names] == [None, None, None]
    assert [with_identity.header(name) for name in names] == ["acme", "Parley/1", "parley/2"]


async def test_an_option_that_is_no_header_is_refused(adapter: CopilotAdapter, question: MessageRequest):
    async with loopback(GitHub()) as server:
        with pytest.raises(errors.InvalidRequest):
            await collect(adapter, question, access(server.url, editor_version="a\r\nx-evil: 1"))
        assert server.exchanges == []


CALL = {"type": "tool_use", "id": "call_1", "name": "find", "input": {}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "call_1", "content": "found"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize(
    ("last", "initiator", "vision"),
    [
        ([RESULT], "agent", None),
        ([RESULT, {"type": "text", "text": "and now?"}], "user", None),
        ([{**RESULT, "content": [IMAGE]}], "agent", "true"),
    ],
)
async def test_a_tools_result_is_no_persons_request(
    api: Api,
    last: list[Json],
    initiator: str,
    vision: str | None,
    adapter: CopilotAdapter,
    question: MessageRequest,
):
    request = replace(
        question,
        messages=[
            *question.messages,
            {"role": "assistant", "content": [CALL]},
            {"role": "user", "content": last},
        ],
        tools=[{"name": "find", "description": "", "input_schema": {"type": "object"}}],
    )
    script = chat() if api == "chat" else messages()
    async with loopback(GitHub(script)) as server:
        await collect(adapter, request, access(server.url), spec=spec(api))
    (asked,) = calls(server)
    assert asked.header("x-initiator") == initiator
    assert asked.header("openai-intent") == "conversation-agent"
    assert asked.header("copilot-vision-request") == vision


async def test_an_image_is_announced(adapter: CopilotAdapter, question: MessageRequest):
    request = replace(
        question, messages=[{"role": "user", "content": [IMAGE, {"type": "text", "text": "What?"}]}]
    )
    async with loopback(GitHub()) as server:
        await collect(adapter, request, access(server.url))
    assert calls(server)[0].header("copilot-vision-request") == "true"


async def test_reasoning_goes_back_to_where_it_came_from(adapter: CopilotAdapter, question: MessageRequest):
    script = chat(
        chunk(role="assistant", content=None, reasoning_text="Let me see"),
        chunk(reasoning_opaque="SEALED=="),
        chunk(content="Four"),
        chunk("stop"),
        USAGE,
    )
    async with loopback(GitHub(script)) as server:
        message = fold(await collect(adapter, question, access(server.url)))
        turn = {"role": "assistant", "content": message["content"]}
        again = replace(
            question, messages=[*question.messages, turn, {"role": "user", "content": "And then?"}]
        )
        await collect(adapter, again, access(server.url))
        await collect(adapter, again, access(server.url, github="gho_anotherPersonsLogin00000"))
    kinds = [block["type"] for block in message["content"]]
    assert kinds == ["thinking", "text"]
    assert message["content"][0]["thinking"] == "Let me see"
    assert message["content"][0]["signature"].startswith("parley1.")
    _, mine, anothers = calls(server)
    sent = json.loads(mine.body)["messages"][1]
    assert (sent["content"], sent["reasoning_opaque"]) == ("Four", "SEALED==")
    assert b"SEALED" not in anothers.body


async def test_choices_that_come_apart_are_one_answer(adapter: CopilotAdapter, question: MessageRequest):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    told: Json = {
        "id": "chat-1",
        "model": "claude",
        "choices": [
            {"index": 0, "delta": {"content": "Looking", "role": "assistant"}, "finish_reason": None},
            {"index": 1, "delta": {"tool_calls": [call]}, "finish_reason": None},
        ],
    }
    nothing: Json = {"id": "chat-1", "choices": None, "copilot_references": []}
    end: Json = {"id": "chat-1", "choices": [{"index": 1, "delta": {}, "finish_reason": "tool_calls"}]}
    async with loopback(GitHub(chat(nothing, told, end, USAGE))) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][1]["name"] == "find"
    assert message["stop_reason"] == "tool_use"


async def test_tokens_are_not_counted(adapter: CopilotAdapter, question: MessageRequest):
    assert (
        await adapter.count_tokens(question, access("https://api.github.com"), spec=spec("messages")) is None
    )


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_a_cancelled_call_closes_its_connection(
    api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    left = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.begin_stream()
        if api == "chat":
            await exchange.send(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
        else:
            await exchange.send(*hello()[:3])
        await exchange.until_left()
        left.set()

    async with loopback(GitHub(endless)) as server:
        stream = adapter.stream(question, access(server.url), spec=spec(api))
        async for event in stream:
            if event["type"] == "content_block_delta":
                break
        await stream.aclose()
        await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize("recording", recordings("copilot"), ids=str)
async def test_recorded_answers_come_through(
    recording: Recording, adapter: CopilotAdapter, question: MessageRequest
):
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(recording.bytes())
        await exchange.end_stream()

    async with loopback(GitHub(script)) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    ours, theirs = of_message(message), of_recorded(recording.api, recording.expected())
    assert (ours.text, ours.calls, ours.stop_reason) == (theirs.text, theirs.calls, theirs.stop_reason)
