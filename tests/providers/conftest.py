"""A transport of the test's own, closed with it; an adapter that uses it; a key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.access import Access, Secret
from providers.anthropic import AnthropicAdapter
from providers.transport import Transport
from providers.types import MessageRequest

KEY = "sk-ant-made-up-0123456789"


@pytest.fixture
async def pool() -> AsyncIterator[Transport]:
    pool = Transport()
    yield pool
    await pool.close()


@pytest.fixture
def adapter(pool: Transport) -> AnthropicAdapter:
    return AnthropicAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(
        model="claude-test", messages=[{"role": "user", "content": "Hello?"}], max_tokens=100
    )


def access(url: str, kind: str = "api_key") -> Access:
    match kind:
        case "api_key":
            return Access(url, Secret(KEY), "api_key")
        case "oauth":
            return Access(url, Secret(KEY), "oauth")
        case _:
            return Access(url, None, "none")
