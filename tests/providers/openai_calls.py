"""Calls through OpenAI's adapter to a scripted server, and readers fed with made-up events."""

from __future__ import annotations

from typing import Any

import pytest

from providers.access import Access, Secret
from providers.errors import ProviderError
from providers.fold import Fold
from providers.openai import OpenAIAdapter
from providers.openai_stream import WireReader
from providers.types import Json, Message, MessageRequest, StreamEvent
from tests.providers.loopback import Loopback, Script, loopback
from tests.providers.openai_answers import data

KEY = "sk-made-up-0123456789abcdef"


def access(server: Loopback, **changes: Any) -> Access:
    facts: Json = {"base_url": f"{server.url}/v1", "secret": Secret(KEY), "kind": "api_key", **changes}
    return Access(**facts)


def asked(text: str = "Hello?", /, **fields: Any) -> MessageRequest:
    facts: Json = {"model": "gpt-test", "messages": [{"role": "user", "content": text}], "max_tokens": 100}
    return MessageRequest(**facts | fields)


async def collect(
    adapter: OpenAIAdapter, request: MessageRequest, to: Access, **rest: Any
) -> list[StreamEvent]:
    return [event async for event in adapter.stream(request, to, **rest)]


async def failure(adapter: OpenAIAdapter, script: Script, **rest: Any) -> ProviderError:
    """The error in which a call to a server with this script ends."""
    async with loopback(script) as server:
        with pytest.raises(ProviderError) as caught:
            await collect(adapter, asked(), access(server), **rest)
    return caught.value


def folded(events: list[StreamEvent]) -> Message:
    folding = Fold()
    for event in events:
        folding.apply(event)
    return folding.message


def read(reader: WireReader, *events: Json | bytes) -> Message:
    """The message, whole or not, of these events."""
    found: list[StreamEvent] = []
    for event in events:
        for piece in [event] if isinstance(event, bytes) else data(event):
            found += reader.feed(piece)
    return folded(found + reader.close())
