"""GitHub and Copilot, played on a loopback port, and calls to them."""

from __future__ import annotations

from typing import Any

import pytest

from providers.access import Access, AccessKind, Secret
from providers.catalogue import Api, ModelSpec
from providers.copilot import CopilotAdapter
from providers.errors import ProviderError
from providers.types import MessageRequest, StreamEvent
from tests.providers.loopback import Exchange, Loopback, hello, loopback
from tests.providers.openai_answers import Answers, answers, chat
from tests.providers.openai_specs import spec_of

GITHUB = "gho_madeUp0123456789madeUp"
EXCHANGE = "/copilot_internal/v2/token"


def spec(api: Api) -> ModelSpec:
    return spec_of(provider="copilot", api=api)


class GitHub:
    """Plays GitHub's API, which gives tokens, and Copilot's, which answers calls by a script for each."""

    def __init__(self, *calls: Answers, **token: Any) -> None:
        self.calls = calls or (chat(),)
        self.token = {"refresh_in": 1500, "expires_at": 0} | token
        self.refusal: Answers | None = None
        self.tokens = self.asked = 0

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path == EXCHANGE:
            self.tokens += 1
            if self.refusal is not None:
                await self.refusal(exchange)
                return
            here = {"endpoints": {"api": f"http://{exchange.header('host')}"}}
            told = {"token": f"tid=made-up-{self.tokens};exp=1:sig"} | here | self.token
            await answers(200, told)(exchange)
        elif exchange.path == "/user":
            await answers(200, {"login": "octocat", "id": 583231})(exchange)
        else:
            script = self.calls[min(self.asked, len(self.calls) - 1)]
            self.asked += 1
            await script(exchange)


def messages(*events: StreamEvent) -> Answers:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*(events or hello()))
        await exchange.end_stream()

    return script


def access(url: str, kind: AccessKind = "device", github: str = GITHUB, **options: str) -> Access:
    return Access(url, Secret(github), kind, options=options)


async def collect(
    adapter: CopilotAdapter, request: MessageRequest, to: Access, **more: Any
) -> list[StreamEvent]:
    return [event async for event in adapter.stream(request, to, **more)]


async def failure(
    adapter: CopilotAdapter, request: MessageRequest, github: GitHub, api: Api = "chat"
) -> ProviderError:
    async with loopback(github) as server:
        with pytest.raises(ProviderError) as caught:
            await collect(adapter, request, access(server.url), spec=spec(api))
    error = caught.value
    shown = f"{error!r} {error} {error.safe_message} {error.to_json()}"
    assert GITHUB not in shown
    assert "tid=" not in shown
    return error


def calls(server: Loopback) -> list[Exchange]:
    return [exchange for exchange in server.exchanges if exchange.path not in (EXCHANGE, "/user")]
