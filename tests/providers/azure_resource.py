"""A resource of Azure OpenAI and Entra, played on a loopback port, and calls to them."""

from __future__ import annotations

from typing import Any

import pytest

from providers.access import Access, AccessKind, Secret
from providers.azure import AzureAdapter
from providers.errors import ProviderError
from providers.types import MessageRequest, StreamEvent
from tests.providers.loopback import Exchange, Loopback, loopback
from tests.providers.openai_answers import Answers, answers, chat

SECRET = "azure-secret-made-up-0123456789"
DATED = {"api_version": "2025-04-01-preview"}
ENTRA = {"tenant": "contoso", "client_id": "app-1"}
TOKEN_PATH = "/contoso/oauth2/v2.0/token"


class Azure:
    """Plays Entra, which gives tokens, and the resource, which answers calls by a script for each."""

    def __init__(self, *calls: Answers) -> None:
        self.calls = calls or (chat(),)
        self.tokens = self.asked = 0
        self.entra: Answers | None = None

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path == TOKEN_PATH:
            self.tokens += 1
            told = {
                "access_token": f"entra-made-up-{self.tokens}",
                "expires_in": 3600,
                "token_type": "Bearer",
            }
            await (self.entra or answers(200, told))(exchange)
            return
        script = self.calls[min(self.asked, len(self.calls) - 1)]
        self.asked += 1
        await script(exchange)


def access(url: str, kind: AccessKind = "api_key", **options: str) -> Access:
    return Access(url, Secret(SECRET), kind, options=options)


def client(url: str, **options: str) -> Access:
    return access(url, "client", authority=url, **ENTRA, **options)


async def collect(
    adapter: AzureAdapter, request: MessageRequest, to: Access, **more: Any
) -> list[StreamEvent]:
    return [event async for event in adapter.stream(request, to, **more)]


async def failure(
    adapter: AzureAdapter, request: MessageRequest, azure: Azure, kind: AccessKind = "api_key"
) -> ProviderError:
    async with loopback(azure) as server:
        to = client(server.url) if kind == "client" else access(server.url, kind)
        with pytest.raises(ProviderError) as caught:
            await collect(adapter, request, to)
    error = caught.value
    shown = f"{error!r} {error} {error.safe_message} {error.to_json()}"
    assert SECRET not in shown
    assert "entra-made-up" not in shown
    return error


def calls(server: Loopback) -> list[Exchange]:
    return [exchange for exchange in server.exchanges if exchange.path != TOKEN_PATH]
