"""A Salesforce org, played on a loopback port, and calls to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from providers.access import Access, Secret
from providers.errors import ProviderError
from providers.salesforce import SalesforceAdapter
from providers.types import Json, MessageRequest, StreamEvent
from tests.providers.loopback import Exchange, Loopback, loopback

SECRET = "consumer-secret-made-up-0123456789"
ORGANISATION = "00D000000000001AAA"
MODEL = "sfdc_ai__DefaultGPT4Omni"
PATH = f"/einstein/platform/v1/models/{MODEL}/chat-generations"


Answers = Callable[[Exchange], Awaitable[None]]


def jwt(number: int = 1, **claims: object) -> str:
    def part(value: Json) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part({'n': number, **claims})}.made-up-signature-{number}"


def generation(content: str | None = "Hello", **fields: Any) -> Json:
    parameters = fields.pop("parameters", {"finish_reason": "stop"})
    usage = fields.pop("usage", {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15})
    return {
        "id": "chat-1",
        "generationDetails": {
            "generations": [{"role": "assistant", "content": content, "parameters": parameters, **fields}],
            "parameters": {"provider": "OpenAI", "model": "gpt-4o", "usage": usage},
        },
    }


def answers(status: int, body: Any, /, **headers: str) -> Answers:
    async def script(exchange: Exchange) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await exchange.answer(status, data, **({"content_type": "application/json"} | headers))

    return script


class Org:
    """Plays the org: gives tokens, and answers calls by a script for each."""

    def __init__(self, *calls: Answers, token: Callable[[int], Json] | None = None) -> None:
        self.calls = calls or (answers(200, generation()),)
        self.token = token or (lambda number: {"access_token": jwt(number)})
        self.refuse_tokens: Answers | None = None
        self.tokens = self.asked = 0
        self.api = ""

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path == "/services/oauth2/token":
            self.tokens += 1
            if self.refuse_tokens is not None:
                await self.refuse_tokens(exchange)
                return
            host = exchange.header("host")
            base = {
                "api_instance_url": self.api or f"http://{host}",
                "id": f"https://login.salesforce.com/id/{ORGANISATION}/005000000000001AAA",
            }
            await answers(200, base | self.token(self.tokens))(exchange)
            return
        script = self.calls[min(self.asked, len(self.calls) - 1)]
        self.asked += 1
        await script(exchange)


def access(url: str, secret: str = SECRET, **options: str) -> Access:
    return Access(url, Secret(secret), "client", options={"client_id": "3MVG9.key"} | options)


async def collect(adapter: SalesforceAdapter, request: MessageRequest, to: Access) -> list[StreamEvent]:
    return [event async for event in adapter.stream(request, to)]


async def failure(adapter: SalesforceAdapter, request: MessageRequest, org: Org) -> ProviderError:
    async with loopback(org) as server:
        with pytest.raises(ProviderError) as caught:
            await collect(adapter, request, access(server.url))
    error = caught.value
    assert SECRET not in f"{error!r} {error} {error.safe_message} {error.to_json()}"
    assert "made-up-signature" not in f"{error!r} {error.safe_message}"
    return error


def calls(server: Loopback) -> list[Exchange]:
    return [exchange for exchange in server.exchanges if exchange.path != "/services/oauth2/token"]
