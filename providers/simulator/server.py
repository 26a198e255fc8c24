"""Serves a simulator on a loopback port: inside a running event loop (`Server`), or in a thread
(`ThreadServer`).

uvicorn's HTTP protocol does the wire; its own `Server` class is not used, because it installs signal
handlers, polls, and changes loggers that another uvicorn of the same process uses.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from types import TracebackType
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from providers.simulator.app import Simulator
from providers.simulator.stream import linger_reset

logger = logging.getLogger("parley.simulator")
KEEP_ALIVE = 75


class SimulatorProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, which also lets the simulator break its connections and counts them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = logger
        self.access_log = False
        self.counters = cast(Simulator, self.config.app).counters

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.counters.add("connections")
        self.counters.add("connections_open")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.counters.add("connections_open", -1)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"simulator.connection": cast(dict[object, object], self)}

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        linger_reset(self.transport)


class Server:
    """Serves one simulator inside the current event loop; no signal handlers, no access log."""

    def __init__(self, app: Simulator | None = None) -> None:
        self.app = app or Simulator()
        self.base_url = ""
        self._state = ServerState()
        self._listener: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; the base URL, such as `http://127.0.0.1:40123`. Port 0 takes a free one.

        Raises OSError when the address cannot be used.
        """
        config = uvicorn.Config(
            cast(Any, self.app),
            interface="asgi3",
            proxy_headers=False,
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        config.load()
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: SimulatorProtocol(config=config, server_state=self._state, app_state={}),
            host,
            port,
            backlog=2048,
        )
        bound: socket.socket = self._listener.sockets[0]
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{shown}:{bound.getsockname()[1]}"
        return self.base_url

    async def stop(self) -> None:
        """Stop listening, end every connection and wait until all answers have returned. Harmless when not
        started.
        """
        if self._listener is None:
            return
        self._listener.close()
        for protocol in list(self._state.connections):
            cast(SimulatorProtocol, protocol).transport.abort()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks)
        with contextlib.suppress(asyncio.CancelledError):
            await self._listener.wait_closed()
        self._listener = None


class ThreadServer:
    """Serves one simulator in a thread with a loop of its own, for code that has no loop.

    A context manager: `with ThreadServer(Simulator(scripted=True)) as server: server.base_url`.
    """

    def __init__(self, app: Simulator | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.app = app or Simulator()
        self.base_url = ""
        self._host, self._port = host, port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._serve, name="simulator", daemon=True)

    def __enter__(self) -> "ThreadServer":
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self.app)
        self.base_url = await server.start(self._host, self._port)
        self._ready.set()
        await self._stop.wait()
        await server.stop()
