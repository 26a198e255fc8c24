"""A scripted HTTP server on a loopback port: what a provider sends, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from providers.sse import encode
from providers.types import Json, StreamEvent


@dataclass
class Exchange:
    """One request as it came, and the connection to answer on."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} was sent {len(found)} times"
        return found[0] if found else None

    async def head(self, status: int = 200, /, **headers: str) -> None:
        lines = [
            f"HTTP/1.1 {status} Status",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def begin_stream(self, **headers: str) -> None:
        await self.head(
            200, content_type="text/event-stream; charset=utf-8", transfer_encoding="chunked", **headers
        )

    async def send(self, *pieces: bytes | StreamEvent) -> None:
        """One HTTP chunk each."""
        for piece in pieces:
            data = piece if isinstance(piece, bytes) else encode(piece)
            await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def answer(self, status: int, body: bytes, /, **headers: str) -> None:
        await self.head(status, content_length=str(len(body)), **headers)
        await self.raw(body)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_left(self) -> None:
        """Returns when the other side has closed the connection."""
        await self.reader.read()

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


@dataclass
class Loopback:
    script: Script
    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0
    closed: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while (exchange := await _read(reader, writer, connection)) is not None:
                self.exchanges.append(exchange)
                await self.script(exchange)
                if writer.is_closing():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed += 1


async def _read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
) -> Exchange | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    body = await reader.readexactly(length)
    method, path, _ = first.split(" ")
    return Exchange(method, path, headers, body, connection, reader, writer)


@asynccontextmanager
async def loopback(script: Script) -> AsyncIterator[Loopback]:
    """The server runs as long as the block; connections that are open at its end are cut."""
    server_side = Loopback(script)
    open_writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server_side.serve(reader, writer))
        tasks.add(task)
        open_writers.add(writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    server_side.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield server_side
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def start(*, usage: Json | None = None, **fields: object) -> StreamEvent:
    message: Json = {
        "id": "msg_made_up",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage if usage is not None else {"input_tokens": 3, "output_tokens": 1},
    }
    return {"type": "message_start", "message": message | fields}


def block(index: int, kind: str = "text", **fields: object) -> StreamEvent:
    content: Json = {"type": kind, **({"text": ""} if kind == "text" else {}), **fields}
    return {"type": "content_block_start", "index": index, "content_block": content}


def text(index: int, part: str) -> StreamEvent:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": part}}


def stop(index: int) -> StreamEvent:
    return {"type": "content_block_stop", "index": index}


def end(reason: str = "end_turn", **usage: object) -> StreamEvent:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": usage or {"output_tokens": 9},
    }


PING: StreamEvent = {"type": "ping"}
STOP: StreamEvent = {"type": "message_stop"}


def hello() -> list[StreamEvent]:
    return [start(), block(0), text(0, "Hello"), text(0, ", you"), stop(0), end(), STOP]
