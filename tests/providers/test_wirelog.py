"""The wire log shows shapes and never content: canaries in every place of what is sent and answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from providers import wirelog
from providers.access import Access, Secret
from providers.anthropic import AnthropicAdapter
from providers.errors import ProviderError
from providers.sse import ServerSentEvent
from providers.types import MessageRequest
from providers.wire_shapes import body_shape, event_kind, is_name, shape
from tests.corpus import CORPUS, needs_corpus
from tests.providers.loopback import Exchange, block, end, hello, loopback, start, stop, text

CANARY = "Canary-4b1d"
WRITTEN = frozenset(
    "text content thinking description arguments signature delta partial_json name id message url".split()
)
KEY = "sk-ant-api03-Canary4b1dCanary4b1d"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged while the log is on."""
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, handler = logging.getLogger("providers.wirelog"), Kept()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    wirelog.switch_on()
    yield found
    wirelog.switch_off()
    logger.setLevel(before)
    logger.removeHandler(handler)


def request(**fields: Any) -> MessageRequest:
    tool = {
        "name": f"tool_{CANARY}",
        "description": CANARY,
        "input_schema": {"type": "object", "properties": {CANARY: {"type": CANARY, "enum": [CANARY]}}},
    }
    called = {"type": "tool_use", "id": CANARY, "name": CANARY, "input": {CANARY: CANARY, "type": CANARY}}
    result = {"type": "tool_result", "tool_use_id": CANARY, "content": [{"type": "text", "text": CANARY}]}
    return MessageRequest(
        model="claude-sonnet-5-5",
        max_tokens=1234,
        system=[{"type": "text", "text": CANARY, "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": CANARY},
            {"role": "assistant", "content": [called]},
            {"role": "user", "content": [result]},
        ],
        tools=[tool],
        metadata={"user_id": CANARY, CANARY: CANARY},
        **fields,
    )


async def call(url: str, asked: MessageRequest | None = None) -> None:
    access = Access(base_url=url, secret=Secret(KEY), kind="api_key")
    async for _ in AnthropicAdapter().stream(asked or request(), access):
        pass


async def test_a_call_leaves_its_shape_and_nothing_of_its_content(lines: list[str]) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(request_id="req_1", x_account=CANARY, retry_after="3")
        tool = {"type": "tool_use", "id": CANARY, "name": CANARY, "input": {}}
        partial = {"type": "input_json_delta", "partial_json": json.dumps({CANARY: CANARY})}
        await exchange.send(
            start(id=CANARY, model=CANARY),
            block(0),
            text(0, CANARY),
            text(0, CANARY),
            stop(0),
            {"type": "content_block_start", "index": 1, "content_block": tool},
            {"type": "content_block_delta", "index": 1, "delta": partial},
            stop(1),
            end(),
            {"type": "message_stop"},
        )
        await exchange.end_stream()

    async with loopback(script) as server:
        await call(server.url)
    _switched, sent, ended = lines
    everything = "\n".join(lines)
    assert "canary" not in everything.lower()
    assert "Wire: POST 127.0.0.1/v1/messages sent: " in sent
    assert "x-api-key: ***(" in sent
    assert "model: claude-sonnet-5-5" in sent
    assert "max_tokens: 1234" in sent
    assert "cache_control: {type: ephemeral}" in sent
    assert "{type: tool_use, id: text(11), name: text(11), input: object(2)}" in sent
    assert "input_schema: object(2)" in sent
    assert "metadata: object(2)" in sent
    assert "Wire: POST 127.0.0.1/v1/messages 200: head " in ended
    assert "whole" in ended
    assert "content_block_delta/text_delta: 2" in ended
    assert "content_block_delta/input_json_delta: 1" in ended
    assert "request-id: req_1" in ended
    assert "retry-after: 3" in ended
    assert "x-account: ***(11)" in ended


async def test_a_refusal_that_echoes_the_key_shows_its_shape_alone(lines: list[str]) -> None:
    async def script(exchange: Exchange) -> None:
        error = {"type": "authentication_error", "message": f"invalid x-api-key {KEY}", KEY: CANARY}
        body = json.dumps({"type": "error", "error": error}).encode()
        await exchange.answer(401, body, content_type="application/json", request_id=KEY)

    async with loopback(script) as server:
        with pytest.raises(ProviderError):
            await call(server.url)
    everything = "\n".join(lines)
    assert "Canary4b1d" not in everything
    assert (
        "{type: error, error: {type: authentication_error, message: text(51), +1 other keys}}" in everything
    )
    assert "request-id: ***" in everything
    assert " 401: head " in everything


async def test_a_broken_connection_says_how_it_ended(lines: list[str]) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello()[:3])
        exchange.reset()

    async with loopback(script) as server:
        with pytest.raises(ProviderError):
            await call(server.url)
    assert "ended by interrupted_stream" in lines[-1]


async def test_an_address_where_nobody_listens_is_unanswered(lines: list[str]) -> None:
    async with loopback(lambda _exchange: None) as server:  # type: ignore[arg-type, return-value]
        url = server.url
    with pytest.raises(ProviderError):
        await call(f"{url}/{CANARY}")
    assert "unanswered: after " in lines[-1]
    assert "ended by connection_error" in lines[-1]
    assert "127.0.0.1/*/v1/messages" in lines[-1]


async def test_while_it_is_off_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*hello())
        await exchange.end_stream()

    caplog.set_level(logging.DEBUG)
    async with loopback(script) as server:
        await call(server.url)
    assert not [record for record in caplog.records if record.name == "providers.wirelog"]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({"role": "user", "content": "Hello"}, "{role: user, content: text(5)}"),
        ({"type": CANARY, "role": CANARY}, "{type: unknown kind(11), role: unknown kind(11)}"),
        ({"type": f"text_{CANARY.lower()}"}, "{type: unknown kind(16)}"),
        ({"model": CANARY, "max_tokens": 5, "year": 1984}, "{model: text(11), max_tokens: 5, +1 other keys}"),
        (
            {"messages": [{"role": "user"}] * 3 + [{"role": "assistant"}]},
            "{messages: [3 × {role: user}, {role: assistant}]}",
        ),
        ({"temperature": 0.7, "stream": True, "stop": None}, "{temperature: 0.7, stream: true, stop: null}"),
        (
            {"arguments": "{}", "parameters": [1, 2], "metadata": {"a": 1}},
            "{arguments: text(2), parameters: list(2), metadata: object(1)}",
        ),
        ({"type": "web_search_20250305"}, "{type: web_search_20250305}"),
        ({"type": "tool_436641234567"}, "{type: unknown kind(17)}"),
    ],
)
def test_shapes(value: Any, seen: str) -> None:
    assert shape(value) == seen


def test_a_form_shows_its_names_alone() -> None:
    body = f"grant_type=refresh_token&refresh_token={KEY}&client_secret={KEY}&{CANARY}=1".encode()
    found = body_shape(body, "application/x-www-form-urlencoded")
    assert found == "form(grant_type, refresh_token, client_secret, other(11))"


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 100_000, b"{" + b'"a":' * 10_000, b"NaN,", b"9" * 100_000]
)
def test_bodies_that_are_no_json_are_so_many_bytes(body: bytes) -> None:
    assert body_shape(body, "application/json") == f"bytes({len(body)})"


def test_a_giant_body_has_a_short_shape_and_deep_ones_an_end() -> None:
    deep: Any = CANARY
    for _ in range(200):
        deep = {"content": [deep]}
    assert len(shape(deep)) < 200
    wide = {
        "messages": [{"role": role, "content": "x" * n} for n in range(5_000) for role in ("user", "system")]
    }
    assert len(shape(wide)) < 1_000


@needs_corpus
def test_recorded_requests_show_no_text_of_theirs() -> None:
    """Every longer word of a text in a recorded request is looked for in its shape."""
    seen = 0
    for path in sorted(CORPUS.glob("*.request.json")):
        body = json.loads(path.read_bytes())
        found = shape(body)
        for written in _texts(body):
            assert written not in found, path.name
            seen += 1
    assert seen > 100


@needs_corpus
def test_recorded_answers_of_every_vendor_show_no_text_of_theirs(lines: list[str]) -> None:
    seen = 0
    for path in sorted(
        [*CORPUS.glob("*.sse"), *CORPUS.glob("*.response.json"), *CORPUS.glob("*.error.json")]
    ):
        body = path.read_bytes()
        kind = "text/event-stream" if path.suffix == ".sse" else "application/json"
        exchange = wirelog.Exchange("POST", "https://api.example.com/v1/x", {"authorization": KEY}, b"")
        exchange.head(200, {"content-type": kind})
        for start_at in range(0, len(body), 4096):
            exchange.chunk(body[start_at : start_at + 4096])
        exchange.end(None)
        parts = [body] if path.suffix == ".json" else [line[5:] for line in body.split(b"\n")]
        for part in parts:
            for written in _texts(_json(part)):
                assert written not in lines[-1], path.name
                seen += 1
    assert seen > 1000


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _texts(value: Any, key: str = "") -> Iterator[str]:
    """Longer texts that people, models and tools wrote."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)
    elif isinstance(value, str) and key in WRITTEN and len(value) > 12 and not is_name(value):
        yield value  # a name of the vendor's own tools stands in its kinds too


def test_events_of_other_wires_have_kinds_too() -> None:
    def kind(data: Any) -> str:
        return event_kind(ServerSentEvent("message", json.dumps(data).encode()))

    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": CANARY}}]}
    assert kind(chunk) == "chat.completion.chunk/content"
    assert kind({"type": "response.output_text.delta", "delta": CANARY}) == "response.output_text.delta"
    assert kind({"type": CANARY}) == "unknown kind(11)"
    assert kind({CANARY: 1}) == "untyped"
    assert event_kind(ServerSentEvent("message", b"[DONE]")) == "[DONE]"
