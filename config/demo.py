"""The demo provider of a fresh install: the simulator, on a loopback port of its own, in this process."""

from __future__ import annotations

import asyncio

from django.conf import settings

from providers.simulator.server import Server

_server: Server | None = None
_loop: asyncio.AbstractEventLoop | None = None


async def start() -> None:
    """Starts it on the running loop, unless PARLEY_DEMO is off; settings.DEMO_BASE_URL is its address."""
    global _server, _loop
    loop = asyncio.get_running_loop()
    if not settings.DEMO or _loop is loop:
        return
    _loop, _server = loop, Server()
    settings.DEMO_BASE_URL = await _server.start()


async def stop() -> None:
    global _server, _loop
    server, _server, _loop = _server, None, None
    if server is not None:
        settings.DEMO_BASE_URL = ""
        await server.stop()
