"""The load client's connections: WebSocket (RFC 6455) and HTTP/1.1, with little work per frame.

The client shares its processors with what it measures, so there is no library between the socket and the
list of frames. Both know only what the servers of this bench send; anything else raises Broken.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import httptools

P = TypeVar("P", bound=asyncio.Protocol)

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Broken(Exception):
    """A connection ended, or a server said something that this bench does not expect."""


class Socket(asyncio.Protocol):
    """One WebSocket. `on_text(now, payload)` gets every text frame; now: monotonic nanoseconds."""

    def __init__(self, on_text: Callable[[int, bytes], None]) -> None:
        self._on_text = on_text
        self._rest = b""
        self._take = self._handshake
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: str | None = None

    @classmethod
    async def open(
        cls, host: str, port: int, headers: dict[str, str], on_text: Callable[[int, bytes], None]
    ) -> Socket:
        """A socket at `/ws/`. Raises Broken when the server refuses it."""
        self = await _connected(lambda: cls(on_text), host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /ws/ HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        await self._opened
        return self

    def send(self, text: bytes) -> None:
        self._send(TEXT, text)

    def close(self) -> None:
        """Says good-bye as a closing page does."""
        if self.closed is None:
            self._send(CLOSE, (1001).to_bytes(2, "big"))
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.closed or f"connection lost: {exc}"
        if not self._opened.done():
            self._opened.set_exception(Broken(self.closed))

    def _handshake(self, data: bytes) -> None:
        self._rest += data
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if not end:
            return
        status = head.partition(b"\r\n")[0].decode("latin-1")
        if " 101 " not in f"{status} ":
            self.closed = f"handshake refused: {status}"
            self._transport.close()
            return
        self._rest = b""
        self._take = self._frames
        if not self._opened.done():
            self._opened.set_result(None)
        if rest:
            self._frames(rest)

    def _frames(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                start += 2
                length = int.from_bytes(data[at + 2 : start], "big")
            elif length == 127:
                start += 8
                length = int.from_bytes(data[at + 2 : start], "big")
            if start + length > size:
                break
            payload = data[start : start + length]
            if data[at] == 0x80 | TEXT:
                self._on_text(now, payload)
            else:
                self._control(data[at], payload)
            at = start + length
        self._rest = data[at:]

    def _control(self, first: int, payload: bytes) -> None:
        match first & 0x0F:
            case 0x9:
                self._send(PONG, payload)
            case 0xA:
                pass
            case 0x8:
                self.closed = f"closed by the server with {int.from_bytes(payload[:2], 'big')}"
                self._transport.close()
            case kind:
                self.closed = f"unexpected frame of kind {kind}"
                self._transport.close()

    def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            head = bytes((0x80 | kind, 0x80 | size))
        else:
            head = bytes((0x80 | kind, 0x80 | 126)) + size.to_bytes(2, "big")
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        masked = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
        self._transport.write(head + mask + masked)


@dataclass(slots=True)
class Answer:
    """An HTTP answer; `at` is when its last byte had come, in nanoseconds of the monotonic clock."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    at: int = 0


class Http(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    @classmethod
    async def open(cls, host: str, port: int) -> Http:
        """Raises Broken when nobody listens there."""
        return await _connected(cls, host, port)

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Writes a whole request; the answer to come. It fails with Broken when the connection ends."""
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._waiting: asyncio.Future[Answer] | None = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._waiting = None

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(f"connection lost before the answer: {exc}"))

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key == "set-cookie":
            cookie, _, content = text.partition(";")[0].partition("=")
            self._answer.cookies[cookie] = content
        else:
            self._answer.headers[key] = text

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._answer.at = time.monotonic_ns()
        self._answer.status = self._parser.get_status_code()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)


async def _connected(protocol: Callable[[], P], host: str, port: int) -> P:
    try:
        _transport, self = await asyncio.get_running_loop().create_connection(protocol, host, port)
    except OSError as error:
        raise Broken(f"No connection to port {port}: {error}") from None
    return self


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
