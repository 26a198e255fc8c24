"""The bare relay: what a delta costs when nothing is kept, checked or shown to a second page.

A Channels consumer, served with the flags of `manage.py serve`. A text frame from the client is a prompt. The
relay reads the answer's stream with the HTTP client that Parley uses, and sends the text of each delta as a
frame of its own, then END.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import Any

import aiohttp
import httpx
import msgspec
import uvicorn
import uvloop
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from httpx_aiohttp import AiohttpTransport

END = "end"
FLAGS: dict[str, Any] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "websockets-sansio",
    "lifespan": "on",
    "ws_max_size": 1024 * 1024,
    "ws_per_message_deflate": False,
    "proxy_headers": False,
    "server_header": False,
    "access_log": False,
    "log_config": None,
}
"""Those of config/server.py, which cannot be imported without all of Parley; `bench.people` compares them."""


class Delta(msgspec.Struct):
    text: str = ""


class Event(msgspec.Struct):
    type: str
    delta: Delta = msgspec.field(default_factory=Delta)


class Upstream:
    """The simulator's address and the one client of this process, made on the loop that serves."""

    base_url: str
    model: str
    client: httpx.AsyncClient | None = None

    def connected(self) -> httpx.AsyncClient:
        if self.client is None:
            connector = aiohttp.TCPConnector(limit=0)
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            self.client = httpx.AsyncClient(
                base_url=self.base_url,
                transport=AiohttpTransport(client=session),
                headers={
                    "x-api-key": "bench",
                    "anthropic-version": "2023-06-01",
                    "accept-encoding": "identity",
                },
                timeout=httpx.Timeout(60, connect=5),
            )
        return self.client


upstream = Upstream()
decode = msgspec.json.Decoder(Event).decode


class Relay(AsyncWebsocketConsumer):
    channel_layer_alias = "none"

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.relaying = asyncio.create_task(self.relay(text_data or ""))

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "relaying"):
            self.relaying.cancel()

    async def relay(self, prompt: str) -> None:
        body = {
            "model": upstream.model,
            "max_tokens": 16_000,
            "stream": True,
            "messages": [{"role": "user", "content": prompt}],
        }
        rest = b""
        async with upstream.connected().stream("POST", "/v1/messages", json=body) as response:
            response.raise_for_status()
            async for chunk in response.aiter_raw():
                *whole, rest = (rest + chunk).split(b"\n\n")
                for one in whole:
                    event = decode(one.partition(b"data: ")[2])
                    if event.type == "content_block_delta":
                        await self.send(text_data=event.delta.text)
        await self.send(text_data=END)


socket_application = Relay.as_asgi()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await socket_application(scope, receive, send)
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.relay", description=__doc__)
    parser.add_argument("--upstream", required=True, help="base URL of the simulator")
    parser.add_argument("--model", required=True, help="the vendor's id of the model to name")
    arguments = parser.parse_args()
    upstream.base_url, upstream.model = arguments.upstream, arguments.model
    settings.configure(CHANNEL_LAYERS={})
    config = uvicorn.Config(application, "127.0.0.1", 0, **FLAGS)
    listening: socket.socket = config.bind_socket()
    print(f"Relay: http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
