"""A TCP balancer on one port: round robin over the processes that say they are ready. It can be cruel.

It knows nothing of HTTP: a page's socket is a connection like any other.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

LOOK_EVERY = 0.2
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 2.0
CHUNK = 64 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset at once


class Link:
    """One connection through the balancer, from a client to a backend."""

    def __init__(self, backend: int, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.backend = backend
        self.delay = 0.0  # seconds before each write, both ways
        self._client, self._server = client, server

    def cut(self) -> None:
        """Resets both ends."""
        for writer in (self._client, self._server):
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def half_close(self) -> None:
        """Ends what the server says; the client may go on speaking until it notices."""
        if not self._client.transport.is_closing() and self._client.can_write_eof():
            self._client.write_eof()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()

    def close(self) -> None:
        for writer in (self._client, self._server):
            writer.transport.abort()


class Balancer:
    """`backends` are ports of 127.0.0.1. Connections to one that stops being ready are left alone."""

    def __init__(self, backends: list[int]) -> None:
        self.links: set[Link] = set()
        self.ready: list[int] = []
        self.complete = asyncio.Event()  # all backends are ready
        self._backends = backends
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        for backend in self._backends:
            self._spawn(self._watch(backend))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for link in list(self.links):
            link.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Cruelty

    def cut(self, choose: random.Random, share: float) -> int:
        """Resets this share of all connections; returns how many that were."""
        cut = self._some(choose, share)
        for link in cut:
            link.cut()
        return len(cut)

    def half_close(self, choose: random.Random, share: float) -> int:
        halved = self._some(choose, share)
        for link in halved:
            link.half_close()
        return len(halved)

    async def delay(self, choose: random.Random, share: float, seconds: float, lasting: float) -> int:
        """Slows some connections down for a while."""
        slowed = self._some(choose, share)
        for link in slowed:
            link.delay = seconds
        await asyncio.sleep(lasting)
        for link in slowed:
            link.delay = 0.0
        return len(slowed)

    def _some(self, choose: random.Random, share: float) -> list[Link]:
        return [link for link in list(self.links) if choose.random() < share]

    # Service

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            return
        backend, upstream, server = found
        link = Link(backend, writer, server)
        self.links.add(link)
        up = asyncio.ensure_future(link.pump(reader, server))
        down = asyncio.ensure_future(link.pump(upstream, writer))
        try:
            # When either end has said its last word the connection is over: neither HTTP nor WebSocket
            # goes on one-sided.
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in (up, down):
                pump.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self.links.discard(link)
            server.transport.abort()

    async def _connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self._backends)):
            ready = list(self.ready)
            if not ready:
                return None
            self._turn += 1
            backend = ready[self._turn % len(ready)]
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection("127.0.0.1", backend)
            except OSError:
                self._set(backend, False)
                continue
            return backend, reader, writer
        return None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, backend: int) -> None:
        while True:
            self._set(backend, await is_ready(backend))
            await asyncio.sleep(LOOK_EVERY)

    def _set(self, backend: int, ready: bool) -> None:
        if ready and backend not in self.ready:
            self.ready.append(backend)
        elif not ready and backend in self.ready:
            self.ready.remove(backend)
        if len(self.ready) == len(self._backends):
            self.complete.set()
        else:
            self.complete.clear()


async def is_ready(port: int) -> bool:
    """Whether /readyz of the process at this port is answered with 200, in time."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
    except OSError:  # TimeoutError is one
        return False
    finally:
        if writer is not None:
            writer.transport.abort()
