"""The HTTP client for model providers, and the one module that knows which library does it.

httpx's types over aiohttp (httpx-aiohttp), used below httpx's own client: that one keeps cookies, and costs
time for each chunk. No cookies, no redirects, no proxies or credentials from the environment, no
decompression; one pool per event loop. A connection whose answer was read to its end goes back to the pool;
any other is closed, at once.
"""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from providers.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    InterruptedStream,
    ProtocolError,
    ProviderError,
)
from providers.patience import Patience
from providers.timeouts import Timeouts as Timeouts

CONNECTIONS = 2000
KEEP_ALIVE = 30.0  # seconds
DNS_CACHE = 60  # seconds
# The tail of an answer that its reader has left: waited for in the background, so that the connection can be
# kept.
TAIL_SECONDS = 1.0
TAIL_BYTES = 64 * 1024
PIECE_BYTES = 256 * 1024  # of a request's body, written at once

_FAILURES = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError)
# Raised before a byte of the request was written: no connection, no free place in the pool, no address.
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    httpx.InvalidURL,
)


class Watched(Protocol):
    """Somebody who looks at one exchange (providers.wirelog). No method raises."""

    def head(self, status: int, headers: Mapping[str, str]) -> None: ...

    def chunk(self, data: bytes) -> None: ...

    def end(self, error: BaseException | None) -> None: ...


Watch = Callable[[str, str, Mapping[str, str], bytes], Watched]
_watch: Watch | None = None


def watch_with(watch: Watch | None) -> None:
    """From now on every exchange of this process is shown to it, as method, URL, headers and body; None: to
    nobody.
    """
    global _watch
    _watch = watch


class Response:
    """An answer whose head has come. Its body is read once, by `chunks` or by `read`."""

    def __init__(
        self, answer: httpx.Response, patience: Patience, timeouts: Timeouts, watched: "Watched | None" = None
    ) -> None:
        self.status: int = answer.status_code
        self.headers: Mapping[str, str] = answer.headers
        self.left = False
        self._stream = _body(answer)
        self._patience = patience
        self._idle = timeouts.idle
        self._watched = watched

    async def chunks(self, *, every_chunk_counts: bool = True) -> AsyncGenerator[bytes, None]:
        """The body's bytes as they come.

        Without `every_chunk_counts` the reader says by `renew` what it takes for a sign of life. Raises
        InterruptedStream when the connection breaks, DeadlineExceeded, ProtocolError for an encoded body.
        """
        self._must_be_plain()
        patience = self._patience
        body = cast(AsyncGenerator[bytes, None], aiter(self._stream))
        try:
            while True:
                with patience:
                    chunk = await anext(body)
                if every_chunk_counts:
                    patience.renew(self._idle)
                if self._watched is not None:
                    self._watched.chunk(chunk)
                yield chunk
        except StopAsyncIteration:
            return
        except _FAILURES:
            raise InterruptedStream from None
        finally:
            await body.aclose()

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises ProtocolError when it is larger than `limit` bytes, else as `chunks`."""
        parts: list[bytes] = []
        size = 0
        async with contextlib.aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise ProtocolError("The provider's answer is larger than expected.", status=self.status)
                parts.append(chunk)
        return b"".join(parts)

    def renew(self, seconds: float | None = None) -> None:
        """A sign of life came; the next one may take so many seconds of waiting, or as many as this one."""
        self._patience.renew(seconds)

    def leave(self) -> None:
        """The reader has what it came for; what is left is the mark of the body's end."""
        self.left = True

    def _must_be_plain(self) -> None:
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise ProtocolError(
                "The provider's answer is compressed, which was not asked for.", status=self.status
            )


class Transport:
    """A pool of connections. To be made and used on one running event loop.

    `connector` makes the connections instead of the usual one, which dials whatever it is told.
    """

    def __init__(
        self, *, connections: int = CONNECTIONS, connector: aiohttp.TCPConnector | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tails: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession(
            connector=connector
            or aiohttp.TCPConnector(
                limit=connections,
                limit_per_host=0,
                keepalive_timeout=KEEP_ALIVE,
                ttl_dns_cache=DNS_CACHE,
                ssl=_tls(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
        )
        self._http = AiohttpTransport(client=self._session, verify=_tls(), trust_env=False)

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
        """One exchange. Leaving it gives the connection back or closes it, whatever happened.

        Raises ConnectionFailed or DeadlineExceeded before the head of the answer has come; with `sent` False
        only when no byte of the request can have left.
        """
        times = timeouts or Timeouts()
        ends_at = self._loop.time() + times.total
        patience = Patience(self._loop, seconds=times.first, ends_at=ends_at)
        watched = _watch(method, url, headers, content) if _watch is not None else None
        try:
            with patience:
                answer = await self._send(method, url, headers, content, times)
            if watched is not None:
                watched.head(answer.status_code, answer.headers)
            response = Response(answer, patience, times, watched)
            try:
                yield response
            finally:
                await self._end(answer, response)
        except BaseException as error:
            if watched is not None:
                watched.end(error)
            raise
        else:
            if watched is not None:
                watched.end(None)
        finally:
            patience.stop()

    async def settled(self) -> None:
        """Waits until the tails of left answers are read, so that their connections are free again."""
        while self._tails:
            await asyncio.wait(self._tails)

    async def close(self) -> None:
        """Closes every connection. Exchanges under way break."""
        for tail in list(self._tails):
            tail.cancel()
        await asyncio.gather(*self._tails, return_exceptions=True)
        await self._session.close()

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, times: Timeouts
    ) -> httpx.Response:
        waits = {"connect": times.connect, "pool": times.connect}
        length = {"content-length": str(len(content))} if content else {}
        failure: ProviderError
        try:
            request = httpx.Request(
                method,
                url,
                headers={"accept-encoding": "identity", "user-agent": "Parley", **headers, **length},
                content=_pieces(content) if len(content) > PIECE_BYTES else content,
                extensions={"timeout": waits},
            )
            return await self._http.handle_async_request(request)
        except _FAILURES as error:
            failure = _translated(error)
        # Outside the handler: the library's errors hold the request's headers, and with them the key.
        raise failure

    async def _end(self, answer: httpx.Response, response: Response) -> None:
        if response.left:
            tail = self._loop.create_task(_read_tail(_body(answer)))
            self._tails.add(tail)
            tail.add_done_callback(self._tails.discard)
        else:
            await _close(_body(answer))


_Kept = tuple[asyncio.AbstractEventLoop, Callable[[], Transport]]
_transports: dict[_Kept, Transport] = {}
_keepers: dict[_Kept, AsyncGenerator[None, None]] = {}


def transport(make: Callable[[], Transport] = Transport) -> Transport:
    """The running event loop's transport of this make, begun on first use and closed when the loop is shut
    down.
    """
    loop = asyncio.get_running_loop()
    found = _transports.get((loop, make))
    if found is None:
        found = _transports[loop, make] = make()
        # A loop closes the asynchronous generators that were begun on it when it is shut down (asyncio.run
        # does, and so do servers and test runners). Begin one; it never waits, so one step by hand is enough.
        keeper = _keepers[loop, make] = _closed_with((loop, make), found)
        with contextlib.suppress(StopIteration):
            anext(keeper).send(None)
    return found


async def _closed_with(key: _Kept, kept: Transport) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        del _transports[key], _keepers[key]
        await kept.close()


async def _pieces(content: bytes) -> AsyncGenerator[bytes, None]:
    """A large body bit by bit: in one piece it would keep the event loop from everything else."""
    for begin in range(0, len(content), PIECE_BYTES):
        yield content[begin : begin + PIECE_BYTES]


def _translated(failure: Exception) -> ProviderError:
    cause = failure.__cause__ if isinstance(failure, httpx.HTTPError) else failure
    if isinstance(cause, _NOT_SENT):
        return ConnectionFailed(_why_unreachable(cause), sent=False)
    if isinstance(cause, aiohttp.ClientResponseError):
        return ProtocolError("The provider's answer is not HTTP.")
    if isinstance(cause, TimeoutError):
        return DeadlineExceeded()
    return ConnectionFailed("The connection to the provider broke before an answer came.")


def _why_unreachable(cause: BaseException) -> str:
    match cause:
        case aiohttp.ConnectionTimeoutError():
            return "The provider could not be reached in time."
        case aiohttp.ClientConnectorDNSError():
            return "The provider's host name was not found."
        case aiohttp.ClientSSLError():
            return "The secure connection to the provider failed."
        case aiohttp.ClientConnectorError():
            return "The provider could not be reached."
        case _:
            return "The provider's address is not valid."


def _body(answer: httpx.Response) -> httpx.AsyncByteStream:
    return cast(httpx.AsyncByteStream, answer.stream)


async def _read_tail(stream: httpx.AsyncByteStream) -> None:
    """Reads on until the body ends, for a moment and some bytes; then closes either way."""
    size = 0
    try:
        async with asyncio.timeout(TAIL_SECONDS):
            async for chunk in stream:
                size += len(chunk)
                if size > TAIL_BYTES:
                    break
    except (TimeoutError, *_FAILURES):
        pass
    finally:
        await _close(stream)


async def _close(stream: httpx.AsyncByteStream) -> None:
    # Closing a broken connection may say that it is broken.
    with contextlib.suppress(*_FAILURES):
        await stream.aclose()


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
