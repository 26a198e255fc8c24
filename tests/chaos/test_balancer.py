"""The balancer serves who is ready, and cuts as it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chaos.balancer import Balancer


class Backend:
    """Says its name on every connection, and answers /readyz."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.ready = True
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readline()
        if b"/readyz" in said:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if self.ready else b"HTTP/1.1 503 No\r\n\r\n")
            writer.close()
            return
        writer.write(self.name + b"\n")
        await reader.read()
        writer.close()


@asynccontextmanager
async def balanced(*names: bytes) -> AsyncIterator[tuple[Balancer, list[Backend]]]:
    backends = [Backend(name) for name in names]
    servers = [await asyncio.start_server(backend.answer, "127.0.0.1", 0) for backend in backends]
    for backend, server in zip(backends, servers, strict=True):
        backend.port = server.sockets[0].getsockname()[1]
    balancer = Balancer([backend.port for backend in backends])
    await balancer.start()
    try:
        async with asyncio.timeout(10):
            await balancer.complete.wait()
            yield balancer, backends
    finally:
        await balancer.stop()
        for server in servers:
            server.close()


async def greeted(balancer: Balancer) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
    writer.write(b"Hello\n")
    return (await reader.readline()).strip(), reader, writer


async def test_connections_go_round() -> None:
    async with balanced(b"one", b"two") as (balancer, _backends):
        said = [await greeted(balancer) for _ in range(4)]
        assert sorted(name for name, _, _ in said) == [b"one", b"one", b"two", b"two"]
        for _, _, writer in said:
            writer.close()


async def test_a_backend_that_is_not_ready_gets_no_connection() -> None:
    async with balanced(b"one", b"two") as (balancer, backends):
        backends[0].ready = False
        while backends[0].port in balancer.ready:  # noqa: ASYNC110 - it looks every 0.2 s
            await asyncio.sleep(0)
        said = [await greeted(balancer) for _ in range(3)]
        assert [name for name, _, _ in said] == [b"two"] * 3
        for _, _, writer in said:
            writer.close()


async def test_a_cut_connection_is_reset() -> None:
    async with balanced(b"one") as (balancer, _backends):
        _, reader, writer = await greeted(balancer)
        assert balancer.cut(random.Random(1), 1.0) == 1
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_half_closed_connection_says_no_more() -> None:
    async with balanced(b"one") as (balancer, _backends):
        _, reader, writer = await greeted(balancer)
        assert balancer.half_close(random.Random(1), 1.0) == 1
        assert await reader.read() == b""
        writer.close()
