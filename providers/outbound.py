"""The HTTP client for addresses that a person or a model can influence, and the one judge of such addresses.

A connection is made only to a public address, or to one that the operator's list of private hosts names. The
name is looked up here and exactly the addresses that were judged are dialled, so no second answer of a name
server can slip between; a literal address is judged as it is dialled. HTTPS only, except for hosts on the
list. No redirects, no cookies, no proxies: providers.transport has none.

Whatever keeps a connection from being made is told in one sentence, so that nobody learns from the words what
stands inside the network.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from providers.addresses import is_allowed, is_literal, is_public
from providers.errors import ConnectionFailed
from providers.transport import Response, Timeouts, Transport, transport

CONNECTIONS = 200
KEEP_ALIVE = 30.0  # seconds
DNS_CACHE = 60  # seconds
LOOK_UP_SECONDS = 5.0
NOT_REACHED = (
    "The address could not be reached, or it is none that this server may call: it must be public and begin "
    "with https, unless the operator lists its host in PARLEY_PRIVATE_HOSTS."
)


def must_be_callable(url: str) -> None:
    """Raises ConnectionFailed (not sent) for a URL that is not to be called, as far as its text tells."""
    try:
        parts = urlsplit(url)
        # The host as the client will dial it: full-width digits, for one, become plain ones on the way.
        host = httpx.URL(url).host
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except (ValueError, httpx.InvalidURL):
        raise ConnectionFailed(NOT_REACHED, retryable=False, sent=False) from None
    known = is_allowed(host, port)
    fits = parts.scheme == "https" or (parts.scheme == "http" and known)
    literal = is_literal(host)
    if not fits or not host or "@" in parts.netloc or (literal and not known and not is_public(host)):
        raise ConnectionFailed(NOT_REACHED, retryable=False, sent=False)


LookUp = Callable[[str, int, socket.AddressFamily], Awaitable[list[str]]]


async def system_look_up(host: str, port: int, family: socket.AddressFamily) -> list[str]:
    """The addresses of a name, by the system's resolver."""
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in rows]


class GuardedTransport(Transport):
    """A pool of connections to judged addresses. `look_up` finds those of a name, or raises OSError."""

    def __init__(self, look_up: LookUp = system_look_up) -> None:
        judge = _Judge(look_up)
        super().__init__(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS,
                limit_per_host=0,
                keepalive_timeout=KEEP_ALIVE,
                ttl_dns_cache=DNS_CACHE,
                ssl=httpx.create_ssl_context(trust_env=False),
                resolver=judge,
                socket_factory=judge.dial,
            )
        )

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
        """As Transport.stream, but why there was no connection is not told."""
        must_be_callable(url)
        answered = False
        try:
            async with super().stream(
                method, url, headers=headers, content=content, timeouts=timeouts
            ) as answer:
                answered = True
                yield answer
        except ConnectionFailed as failure:
            if answered or failure.sent:
                raise
        else:
            return
        raise ConnectionFailed(NOT_REACHED, sent=False)


class _Judge(AbstractResolver):
    """Gives the connector only addresses that may be dialled, and looks once more when one is dialled."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._permitted: set[tuple[str, int]] = set()  # private addresses of hosts on the operator's list

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """None at all when one of them is not public: a name with such an address is not to be trusted."""
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = list(dict.fromkeys(await self._look_up(host, port, family)))
        if is_allowed(host, port):
            self._permitted.update((address, port) for address in found)
        elif not found or not all(is_public(address) for address in found):
            raise OSError(f"{host} is not to be called")
        return [_row(host, address, port) for address in found]

    def dial(self, row: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for an address that is about to be dialled, whichever way it came here."""
        family, kind, protocol, _, where = row
        address, port = str(where[0]), int(where[1])
        if not (is_public(address) or is_allowed(address, port) or (address, port) in self._permitted):
            raise OSError("this address is not to be called")
        return socket.socket(family=family, type=kind, proto=protocol)

    async def close(self) -> None:
        """Nothing is kept open."""


def outbound() -> Transport:
    """The running event loop's transport for addresses that people or models have a say in."""
    return transport(GuardedTransport)


def _row(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
