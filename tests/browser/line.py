"""The wire between a browser and a server, as something that a test can cut."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Line:
    """A loopback port that passes bytes on to a server's port; `with Line(server.port) as line: line.url`."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self.url = ""
        self._whole = True
        self._ends: set[asyncio.StreamWriter] = set()
        self._sockets: set[asyncio.StreamWriter] = set()
        self._frozen: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Line:
        self._thread.start()
        self._server = self._call(self._open())
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Drops every connection without a word, and lets no new one through."""
        self._call(self._cut())

    def freeze(self) -> None:
        """The sockets that are open now carry nothing any more, and nobody tells their ends."""
        self._call(self._freeze())

    def mend(self, to: int | None = None) -> None:
        """Lets connections through again, perhaps to another port."""
        self.to = to or self.to
        self._whole = True

    def _call(self, work: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(10)

    async def _open(self) -> asyncio.Server:
        return await asyncio.start_server(self._pass, "127.0.0.1", 0)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self) -> None:
        self._whole = False
        for end in list(self._ends):
            end.transport.abort()

    async def _freeze(self) -> None:
        self._frozen |= self._sockets

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there_writer}
        self._ends |= ends
        try:
            begun = await reader.read(65536)
            if b"upgrade: websocket" in begun.lower():
                self._sockets |= ends
            there_writer.write(begun)
            await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))
        finally:
            self._ends -= ends
            self._sockets -= ends
            self._frozen -= ends
            writer.transport.abort()
            there_writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        close: Callable[[], None] = writer.close
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if writer in self._frozen:
                    continue
                writer.write(chunk)
                await writer.drain()
            close()
