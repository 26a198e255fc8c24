"""A transport that carries every call to a server of the test's, and tells where it was meant to go."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from providers.transport import Response, Timeouts, Transport


class Elsewhere(Transport):
    """To be made on the running loop, and closed."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.asked: list[str] = []

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeouts: Timeouts | None = None,
    ) -> AsyncGenerator[Response, None]:
        self.asked.append(url)
        path = urlsplit(url)._replace(scheme="", netloc="").geturl()
        async with super().stream(
            method, self._url + path, headers=headers, content=content, timeouts=timeouts
        ) as answer:
            yield answer
