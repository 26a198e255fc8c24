"""The web server in this process: uvicorn, with an exit that drains before it closes."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from chat import drain

log = logging.getLogger(__name__)

LONGEST_FRAME = 1024 * 1024  # bytes of a socket message
FETCH_SECONDS = 1.0  # for pages to fetch the answers that have just ended
CLOSE_SECONDS = 5  # for open connections, after the drain


class DrainingServer(uvicorn.Server):
    """At the first signal new work is refused, while answers go on and sockets stay open.

    Its own shutdown (sockets closed with 1012) begins when the runs have ended or `grace` seconds are over. A
    second signal begins it at once.
    """

    def __init__(self, config: uvicorn.Config, *, grace: float, ready: Callable[[], None]) -> None:
        """`grace` in seconds; `ready` is called once, when connections are accepted."""
        super().__init__(config)
        self._grace = grace
        self._ready = ready
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if drain.draining():
            self.should_exit = True
            return
        drain.begin()
        self._loop.call_soon_threadsafe(self._drain)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def _drain(self) -> None:
        self._draining = self._loop.create_task(self._until_runs_ended())

    async def _until_runs_ended(self) -> None:
        log.info("Draining: running answers have %d s to end", self._grace)
        answering = drain.answering()
        if not await drain.runs_ended(self._grace):
            log.info("Some answers have not ended; they are kept as far as they came")
        elif answering:
            await asyncio.sleep(FETCH_SECONDS)
        self.should_exit = True


def configuration(host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        "config.asgi:application",
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        lifespan="on",
        ws_max_size=LONGEST_FRAME,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=CLOSE_SECONDS,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
