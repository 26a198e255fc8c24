"""A socket is opened only by a page of this installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host


class SameOriginOnly:
    """Answers 403 before the handshake unless Origin is exactly our own: scheme, host and port.

    With PARLEY_PUBLIC_URL set, that is the only origin; otherwise it is http:// and the request's own Host,
    which must be one of ALLOWED_HOSTS. A missing Origin and `null` are refused: browsers always send one.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self._is_ours(scope):
            await send({"type": "websocket.close", "code": 4403})  # before accept: the server answers 403
            return
        await self.application(scope, receive, send)

    @staticmethod
    def _is_ours(scope: Any) -> bool:
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        origins = [value for name, value in headers if name == b"origin"]
        hosts = [value.lower() for name, value in headers if name == b"host"]
        if len(origins) != 1 or len(hosts) != 1:
            return False
        if settings.PUBLIC_URL:
            return bool(origins[0] == settings.PUBLIC_URL)
        domain, _port = split_domain_port(hosts[0])
        ours = validate_host(domain, settings.ALLOWED_HOSTS) and origins[0] == f"http://{hosts[0]}"
        return bool(ours)
