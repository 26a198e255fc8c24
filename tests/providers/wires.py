"""Every adapter on every wire it speaks, and a scripted simulator in the vendor's place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from providers.access import Access, AccessKind, Secret
from providers.anthropic import AnthropicAdapter
from providers.azure import AzureAdapter
from providers.catalogue import Api, Capability, ModelSpec
from providers.copilot import CopilotAdapter
from providers.errors import ProviderError
from providers.fold import Fold
from providers.heard import Head
from providers.openai import OpenAIAdapter
from providers.registry import Adapter
from providers.salesforce import SalesforceAdapter
from providers.simulator import Simulator
from providers.simulator.server import Server
from providers.transport import Timeouts, Transport
from providers.types import MessageRequest

KEY = "sk-made-up-0123456789"
Make = Callable[..., Adapter]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """One way to a model. `path`: what the vendor's address has behind the simulator's own; `here`: options
    that are its address, too.

    `streams`: whether the answer comes in events (a wire without has no row about events). `numbered`:
    whether the vendor numbers its events, so that one that comes twice can be told.
    """

    name: str
    make: Make
    api: Api
    model: str
    provider: str
    path: str = ""
    kind: AccessKind = "api_key"
    secret: str = KEY
    options: dict[str, str] = field(default_factory=dict)
    here: tuple[str, ...] = ()
    streams: bool = True
    numbered: bool = False

    def __str__(self) -> str:
        return self.name

    def access(self, base_url: str) -> Access:
        here = {name: base_url for name in self.here}
        return Access(base_url + self.path, Secret(self.secret), self.kind, options=self.options | here)

    @property
    def spec(self) -> ModelSpec:
        able: frozenset[Capability] = frozenset({"tools"})
        return ModelSpec(
            provider=self.provider,
            id=self.model,
            api=self.api,
            name=self.model,
            display_name=self.model,
            description="Scripted",
            context=200_000,
            max_output=64_000,
            status="active",
            capabilities=able,
        )


_CLIENT = {"tenant": "tenant-1", "client_id": "app-1"}

WIRES = [
    Wire(
        name="anthropic",
        make=AnthropicAdapter,
        api="messages",
        model="claude-sonnet-5-5",
        provider="anthropic",
    ),
    Wire(
        name="openai-chat",
        make=OpenAIAdapter,
        api="chat",
        model="gpt-5.4",
        provider="openai",
        path="/openai/v1",
    ),
    Wire(
        name="openai-responses",
        make=OpenAIAdapter,
        api="responses",
        model="gpt-5.4",
        provider="openai",
        path="/openai/v1",
        numbered=True,
    ),
    Wire(
        name="endpoint-chat",
        make=OpenAIAdapter,
        api="chat",
        model="parley-demo",
        provider="own",
        path="/openai/v1",
    ),
    Wire(name="azure-chat", make=AzureAdapter, api="chat", model="gpt-5.4", provider="azure"),
    Wire(
        name="azure-chat-dated",
        make=AzureAdapter,
        api="chat",
        model="gpt-5.4",
        provider="azure",
        options={"api_version": "2025-04-01-preview"},
    ),
    Wire(
        name="azure-responses-entra",
        make=AzureAdapter,
        api="responses",
        model="gpt-5.4",
        provider="azure",
        kind="client",
        options=_CLIENT,
        here=("authority",),
        numbered=True,
    ),
    Wire(
        name="copilot-chat",
        make=CopilotAdapter,
        api="chat",
        model="gpt-5.4",
        provider="copilot",
        kind="device",
        secret="gho_made_up_0123456789",
    ),
    Wire(
        name="copilot-responses",
        make=CopilotAdapter,
        api="responses",
        model="gpt-5.4",
        provider="copilot",
        kind="device",
        secret="gho_made_up_0123456789",
        numbered=True,
    ),
    Wire(
        name="copilot-messages",
        make=CopilotAdapter,
        api="messages",
        model="claude-sonnet-5-5",
        provider="copilot",
        kind="device",
        secret="gho_made_up_0123456789",
    ),
    Wire(
        name="salesforce",
        make=SalesforceAdapter,
        api="generations",
        model="sfdc_ai__DefaultGPT",
        provider="salesforce",
        kind="client",
        options={"client_id": "app-1"},
        streams=False,
    ),
]
STREAMING = [wire for wire in WIRES if wire.streams]
TOOL = {"name": "lookup", "id": "call_1", "input": {"city": "東京 🙂"}}


@dataclass
class Ended:
    """How one call ended: what was received of it, and the error, if there was one."""

    fold: Fold
    error: ProviderError | None
    heads: list[Head]

    @property
    def text(self) -> str:
        blocks = self.fold.message.get("content", [])
        return "".join(block["text"] for block in blocks if block["type"] == "text")

    @property
    def failure(self) -> ProviderError:
        assert self.error is not None, f"the call ended well, with {self.text!r}"
        return self.error


@dataclass
class Line:
    """One adapter, its pool, and the simulator."""

    wire: Wire
    server: Server
    pool: Transport

    def request(self, *, model: str | None = None, **script: Any) -> MessageRequest:
        text = f"Hello.\n[[simulate {json.dumps(script)}]]"
        messages = [{"role": "user", "content": text}]
        return MessageRequest(model=model or self.wire.model, messages=messages, max_tokens=1000)

    def adapter(self, timeouts: Timeouts | None = None, quiet: float = 30.0) -> Adapter:
        named: dict[str, Any] = {"through": lambda: self.pool}
        if timeouts is not None:
            named["timeouts"] = timeouts
        if self.wire.streams:
            named["quiet"] = quiet
        return self.wire.make(**named)

    async def call(
        self, *, timeouts: Timeouts | None = None, quiet: float = 30.0, base_url: str = "", **script: Any
    ) -> Ended:
        """One call to its end; a ProviderError, the adapter's or the fold's, ends it as well."""
        adapter = self.adapter(timeouts, quiet)
        heads: list[Head] = []
        ended = Ended(Fold(), None, heads)
        access = self.wire.access(base_url or self.server.base_url)
        try:
            async for event in adapter.stream(
                self.request(**script), access, spec=self.wire.spec, heard=heads.append
            ):
                ended.fold.apply(event)
        except ProviderError as error:
            ended.error = error
        return ended


@pytest.fixture
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    wire: Wire = request.param
    server, pool = Server(Simulator(scripted=True)), Transport()
    await server.start()
    yield Line(wire, server, pool)
    await pool.close()
    await server.stop()


every_wire = pytest.mark.parametrize("line", WIRES, ids=str, indirect=True)
streaming = pytest.mark.parametrize("line", STREAMING, ids=str, indirect=True)
