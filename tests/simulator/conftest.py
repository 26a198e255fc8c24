"""A simulator on a loopback port, and a caller who speaks to it as a vendor's client would."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from providers.simulator import Simulator
from providers.simulator.server import Server
from providers.sse import Decoder

TLS = ssl.create_default_context()
"""Made once: a client of its own takes longer than most tests, and none of them speaks TLS."""
VERSION = {"anthropic-version": "2026-10-21"}
Json = dict[str, Any]


def directive(text: str = "", /, **fields: Any) -> str:
    return f"{text}\n[[simulate {json.dumps(fields)}]]"


def decoded(body: bytes) -> list[Json]:
    """The events of a stream's body."""
    decoder = Decoder()
    found = [*decoder.feed(body), *decoder.close()]
    return [json.loads(event.data) for event in found]


def joined_text(events: list[Json]) -> str:
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")


@dataclass
class Wire:
    """What came over a bare socket: the head, the body's bytes, and whether the body was ended properly."""

    head: str
    body: bytes
    ended: bool
    reset: bool


@dataclass
class Caller:
    server: Server
    http: httpx.AsyncClient
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def body(self, text: str, **fields: Any) -> Json:
        messages = [{"role": "user", "content": text}]
        return {"model": "parley-demo", "max_tokens": 20_000, "messages": messages, "stream": True} | fields

    async def ask(self, text: str, **fields: Any) -> httpx.Response:
        return await self.http.post("/v1/messages", json=self.body(text, **fields))

    async def events(self, text: str, **fields: Any) -> list[Json]:
        answer = await self.ask(text, **fields)
        assert answer.status_code == 200, answer.text
        return decoded(answer.content)

    async def whole(self, text: str, **fields: Any) -> Json:
        answer = await self.ask(text, stream=False, **fields)
        assert answer.status_code == 200, answer.text
        message: Json = answer.json()
        return message

    async def send(self, text: str, **fields: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection with the request sent."""
        host, _, port = self.server.base_url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self.writers.append(writer)
        content = json.dumps(self.body(text, **fields)).encode()
        head = (
            f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nanthropic-version: {VERSION['anthropic-version']}\r\n"
        )
        writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        return reader, writer

    async def connect(
        self, text: str, **fields: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
        """A bare connection with the request sent and the answer's head read."""
        reader, writer = await self.send(text, **fields)
        return reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode()

    async def wire(self, text: str, **fields: Any) -> Wire:
        """The answer as it comes over a bare socket, until it ends in one way or another."""
        reader, _, head = await self.connect(text, **fields)
        body, reset = b"", False
        try:
            while size := int((await reader.readuntil(b"\r\n")) or b"0", 16):
                body += (await reader.readexactly(size + 2))[:-2]
            ended = True
        except (asyncio.IncompleteReadError, ConnectionResetError) as error:
            ended, reset = False, isinstance(error, ConnectionResetError)
        return Wire(head, body, ended, reset)

    async def close(self) -> None:
        """Leave, in the middle of whatever is going on."""
        for writer in self.writers:
            writer.close()
        await self.http.aclose()

    async def stats(self, *wait: str) -> Json:
        """The counters, once they have reached what is waited for (`name:count`)."""
        answer = await self.http.get("/_simulator/stats", params={"wait": list(wait)})
        assert answer.status_code == 200, answer.text
        stats: Json = answer.json()
        return stats


Serve = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Makes simulators with the given options; the demo without pauses unless told otherwise."""
    callers: list[Caller] = []

    async def start(**options: Any) -> Caller:
        server = Server(Simulator(**{"demo_rate": 0, **options}))
        http = httpx.AsyncClient(base_url=await server.start(), headers=VERSION, timeout=10, verify=TLS)
        callers.append(Caller(server, http))
        return callers[-1]

    yield start
    for caller in callers:
        await caller.close()
        await caller.server.stop()


@pytest.fixture
async def caller(serve: Serve) -> Caller:
    """Speaks to a scripted simulator."""
    return await serve(scripted=True)
