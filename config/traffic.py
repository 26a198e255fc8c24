"""Every request and socket: its id, and its line in the log.

The id is the caller's X-Request-Id, where that is one, else made here; the answer carries it. A line names
the route, never the address: queries hold text, and links in mails hold keys.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from django.conf import settings

from chat import drain

from . import health, metrics
from .context import Seen, current
from .faults import database_is_away, first_line

ID = re.compile(r"[A-Za-z0-9-]{1,64}")
COME_BACK = 1012  # the close code after which a page comes back by itself (docs/protocol.md)

# What is answered before everything else, without a session and whatever the Host header says.
PROBES = {**health.PROBES, "/metrics": metrics.exposed}

log = logging.getLogger(__name__)


class Traffic:
    """Stands in front of the application; lifespan passes."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        seen = Seen(given) if (given := _given_id(scope)) else Seen()
        current.set(seen)  # for this task to its end: what the server logs about it comes after us
        if scope["type"] == "http":
            await self._answer(seen, scope, receive, send)
        else:
            await self._hold(seen, scope, receive, send)

    async def _answer(self, seen: Seen, scope: Any, receive: Any, send: Any) -> None:
        started, status, size = time.monotonic(), 0, 0

        async def sending(message: Any) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_headers(seen)]}
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        probe = PROBES.get(scope["path"])
        try:
            if probe is not None:
                await probe(scope, sending)
            else:
                await self.application(scope, receive, sending)
        except Exception:
            status = status or 500  # which the server answers now
            raise
        finally:
            route = scope["path"].strip("/") if probe is not None else _route(seen, scope)
            fields = {
                "method": scope["method"],
                "route": route,
                "status": status or None,  # none: the caller left before there was an answer
                "ms": round((time.monotonic() - started) * 1000, 1),
                "bytes": size,
            }
            level = logging.INFO if probe is None else logging.DEBUG
            log.log(level, "%(method)s %(route)s: %(status)s in %(ms)s ms", fields, extra={"fields": fields})

    async def _hold(self, seen: Seen, scope: Any, receive: Any, send: Any) -> None:
        started, open_since, code = time.monotonic(), None, None

        async def receiving() -> Any:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect" and code is None:
                code = message.get("code")
            return message

        async def sending(message: Any) -> None:
            nonlocal open_since, code
            if message["type"] == "websocket.accept":
                headers = [*message.get("headers", []), (b"x-request-id", seen.id.encode())]
                message = {**message, "headers": headers}
                open_since = time.monotonic()
                log.info("Socket opened")
            elif message["type"] == "websocket.close" and code is None:
                code = message.get("code", 1000)
            await send(message)

        try:
            await self.application(scope, receiving, sending)
        except Exception as error:
            if not database_is_away(error):
                code = code or 1011  # with which the server closes now
                raise
            log.warning("A socket cannot be served, the database does not answer: %s", first_line(error))
            if code is None:
                await sending({"type": "websocket.close", "code": COME_BACK})
        finally:
            seconds = round(time.monotonic() - (open_since or started), 1)
            fields = {"code": code, "seconds": seconds}
            if open_since is None:
                log.info("Socket refused", extra={"fields": fields})
            else:
                log.info("Socket closed with %(code)s after %(seconds)s s", fields, extra={"fields": fields})


def _headers(seen: Seen) -> list[tuple[bytes, bytes]]:
    """While draining, who keeps a connection open is sent back to the balancer, to another process."""
    headers = [(b"x-request-id", seen.id.encode())]
    return [*headers, (b"connection", b"close")] if drain.draining() else headers


def _given_id(scope: Any) -> str:
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"]
    return given[0] if len(given) == 1 and ID.fullmatch(given[0]) else ""


def _route(seen: Seen, scope: Any) -> str:
    if seen.route:
        return seen.route
    return "static" if scope["path"].startswith(settings.STATIC_URL) else "none"
