"""Calls through the adapter to a scripted server, in a line or two."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.access import Access
from providers.anthropic import AnthropicAdapter
from providers.errors import ProviderError
from providers.types import MessageRequest, StreamEvent
from tests.providers.conftest import access
from tests.providers.loopback import Exchange, Script, loopback


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
