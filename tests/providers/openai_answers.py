"""Answers on OpenAI's wires, for servers that play vendors who speak them; nothing of it is recorded."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from providers.types import Json
from tests.providers.loopback import Exchange

Answers = Callable[[Exchange], Awaitable[None]]


def data(*events: Json) -> list[bytes]:
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


def chunk(finish: str | None = None, /, **delta: Any) -> Json:
    return {
        "id": "chat-1",
        "object": "chat.completion.chunk",
        "model": "gpt-test",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


USAGE: Json = {
    "id": "chat-1",
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
}
DONE = b"data: [DONE]\n\n"


def chat(*events: Json) -> Answers:
    """A stream of Chat Completions; without events it says hello."""
    told = events or (chunk(role="assistant", content="Hel"), chunk(content="lo"), chunk("stop"), USAGE)

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(x_request_id="req-1")
        await exchange.send(*data(*told), DONE)
        await exchange.end_stream()

    return script


def responses(text: str = "Hello") -> Answers:
    """A stream of Responses with one message."""
    item: Json = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": []}
    part = {"type": "output_text", "text": text, "annotations": []}
    usage = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = {"id": "resp_1", "model": "gpt-test", "status": "completed", "usage": usage}
    told: list[Json] = [
        {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-test"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": text},
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "content": [part]}},
        {"type": "response.completed", "response": {**whole, "output": [{**item, "content": [part]}]}},
    ]

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(x_request_id="req-1")
        await exchange.send(*data(*told))
        await exchange.end_stream()

    return script


def answers(status: int, body: Any, /, **headers: str) -> Answers:
    """One answer that is no stream."""

    async def script(exchange: Exchange) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        await exchange.answer(status, content, **({"content_type": "application/json"} | headers))

    return script
