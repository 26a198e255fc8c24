"""The ASGI application: HTTP to Django, `/ws/` to the page's socket, lifespan to the host of live runs."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import asyncio
from typing import Any

import django

django.setup(set_prefix=False)  # first: the imports below need the apps

from chat import lifecycle  # noqa: E402
from chat.consumers import Page  # noqa: E402

from . import demo, duties  # noqa: E402
from .lanes import LaneHandler  # noqa: E402
from .origin import SameOriginOnly  # noqa: E402
from .traffic import Traffic  # noqa: E402

SOCKET = "/ws/"

http = LaneHandler()
page_socket = SameOriginOnly(Page.as_asgi())


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    """Starts the host on the loop that serves: at lifespan, else with the first request."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    await _start()
    if scope["type"] == "http":
        await http(scope, receive, send)
    elif scope["path"] == SOCKET:
        await page_socket(scope, receive, send)
    else:
        await send({"type": "websocket.close"})  # before accept: the server answers 403


async def _start() -> None:
    await demo.start()
    await lifecycle.start()
    duties.start()


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await _start()
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
                raise
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(duties.stop)
            await lifecycle.stop()
            await demo.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


application = Traffic(_serve)
