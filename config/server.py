"""The web server in this process: uvicorn, with an exit that drains before it closes.

first signal    /readyz 503, nothing new begins, running answers may end
grace over      what still runs is kept, shown as interrupted, and offers Continue
then            uvicorn's own shutdown: sockets closed with 1012, the host stopped, exit code 0
second signal   that shutdown at once
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
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
    """See above. A second signal before the start has finished ends the process there and then."""

    def __init__(self, config: uvicorn.Config, *, grace: float, ready: Callable[[], None]) -> None:
        """`grace` in seconds; `ready` is called once, when connections are accepted."""
        super().__init__(config)
        self._grace = grace
        self._ready = ready
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not drain.draining():
            drain.begin()
            # In a context of its own: the signal comes in the middle of somebody's request.
            self._loop.call_soon_threadsafe(self._drain, context=contextvars.Context())
        elif self.started:
            self.should_exit = True
        else:  # whatever the start waits for, such as a database that is locked, is not waited for twice
            signal.signal(sig, signal.SIG_DFL)
            os.kill(os.getpid(), sig)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not drain.draining():
            self._ready()

    def _drain(self) -> None:
        self._draining = self._loop.create_task(self._until_work_ended())

    async def _until_work_ended(self) -> None:
        try:
            log.info("Draining: running answers have %d s to end", self._grace)
            worked = drain.working()
            if not await drain.work_ended(self._grace):
                log.info("The time is over: what still runs is interrupted, and kept as far as it came")
                if not await drain.interrupt():
                    log.warning("The database does not take what was interrupted")
            if worked:
                await asyncio.sleep(FETCH_SECONDS)
        finally:
            log.info("Closing the sockets")
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
