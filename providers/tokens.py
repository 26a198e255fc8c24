"""Short-lived tokens that adapters make from a longer-lived secret, kept in memory while they are good.

    token = await tokens.get(key, mint)      one mint at a time for each key and event loop
    ...a 401...
    tokens.drop(token.secret)                the next caller mints anew

Times are seconds of a monotonic clock, from the moment the mint began; no clock but our own is believed.
"""

import asyncio
import copy
import hashlib
import hmac
import secrets
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from providers.access import Secret
from providers.errors import ConnectionFailed, ProviderError

SIZE = 1000  # keys
# A token is not used in the last seconds of its life: the call takes a while to arrive.
MARGIN = 30.0
# A new token is asked for so long before the old one ends, or after half its life when that is later.
EARLY = 300.0
# How long a caller whose token is still good waits for the new one.
PATIENCE = 2.0
# After a failure nobody asks again for so long; shorter where the same call may succeed at once.
PAUSE = 5.0
SHORT_PAUSE = 1.0
LONGEST_PAUSE = 60.0

_salt = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it was minted. `facts` is what came with it and is no secret, such as an address.

    `refresh_in` None: EARLY before its end.
    """

    secret: Secret
    expires_in: float
    refresh_in: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


Mint = Callable[[], Awaitable[Token]]
Value = TypeVar("Value")


def key(*parts: str | Secret) -> str:
    """A key for these parts that tells nothing of them, not even in another process."""
    digest = hmac.new(_salt, digestmod=hashlib.sha256)
    for part in parts:
        text = (part.reveal() if isinstance(part, Secret) else part).encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8) + text)
    return digest.hexdigest()


class Tokens:
    """A cache of tokens. Tokens are shared by all event loops of a process, mints are not."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, size: int = SIZE, patience: float = PATIENCE
    ) -> None:
        self._clock = clock
        self._size = size
        self._patience = patience
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._failed: OrderedDict[str, _Failed] = OrderedDict()
        self._flights: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Flight]] = (
            weakref.WeakKeyDictionary()
        )

    async def get(self, key: str, mint: Mint) -> Token:
        """The token of this key, minted when there is none that is good.

        One that nears its end is renewed; when that fails or is slow, the old one is served until it is no
        longer good. Raises what `mint` raised, and for a moment after a failure the same without minting.
        """
        kept, failed = self._look(key)
        now = self._clock()
        if kept is not None and now < kept.refresh_at:
            return kept.token
        good = kept.token if kept is not None and now < kept.ends_at else None
        flight = self._flights_here().get(key)
        if good is not None and (flight is not None or failed is not None):
            return good
        if failed is not None:
            raise copy.copy(failed.error)
        flight = flight or self._begin(key, mint)
        return await self._landed(key, flight, good)

    def drop(self, refused: Secret) -> bool:
        """The vendor refuses this token. Newer ones of the same key stay; True when it was one of ours."""
        with self._lock:
            found = [key for key, kept in self._kept.items() if kept.token.secret == refused]
            for key in found:
                del self._kept[key]
        return bool(found)

    def _look(self, key: str) -> tuple["_Kept | None", "_Failed | None"]:
        with self._lock:
            failed = self._failed.get(key)
            if failed is not None and self._clock() >= failed.until:
                del self._failed[key]
                failed = None
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            return kept, failed

    def _flights_here(self) -> "dict[str, _Flight]":
        with self._lock:
            return self._flights.setdefault(asyncio.get_running_loop(), {})

    def _begin(self, key: str, mint: Mint) -> "_Flight":
        flights = self._flights_here()
        flight = flights[key] = _Flight(asyncio.get_running_loop().create_task(self._mint(key, mint)))

        def over(task: asyncio.Task[Token]) -> None:
            if flights.get(key) is flight:
                del flights[key]
            if not task.cancelled():
                task.exception()  # a failure that nobody waited for is in _failed

        flight.task.add_done_callback(over)
        return flight

    async def _mint(self, key: str, mint: Mint) -> Token:
        began = self._clock()
        try:
            token = await mint()
        except ProviderError as error:
            self._keep(self._failed, key, _Failed(copy.copy(error), self._clock() + _pause(error)))
            raise
        self._keep(self._kept, key, _Kept(token, began))
        self._forget_ended()
        return token

    def _forget_ended(self) -> None:
        """A secret that is good for nothing is not kept in memory either."""
        now = self._clock()
        with self._lock:
            for key in [key for key, kept in self._kept.items() if now >= kept.ends_at]:
                del self._kept[key]

    def _keep(self, where: "OrderedDict[str, Value]", key: str, value: Value) -> None:
        with self._lock:
            where[key] = value
            where.move_to_end(key)
            while len(where) > self._size:
                where.popitem(last=False)

    async def _landed(self, key: str, flight: "_Flight", good: Token | None) -> Token:
        """Waits for the mint, and with a good token only for a moment.

        A mint whose last waiting caller is cancelled is given up.
        """
        task = flight.task
        flight.waiting += 1
        try:
            done, _ = await asyncio.wait({task}, timeout=None if good is None else self._patience)
        except asyncio.CancelledError:
            if flight.waiting == 1 and not task.done():
                flights = self._flights_here()
                if flights.get(key) is flight:
                    del flights[key]  # who comes now begins anew
                task.cancel()
            raise
        finally:
            flight.waiting -= 1
        error = _why(task) if done else None
        if error is None and done:
            return task.result()
        if good is None:
            raise error or ConnectionFailed(sent=False)
        return good


def _why(task: "asyncio.Task[Token]") -> BaseException | None:
    """Why the mint failed, a copy for each caller: raising one object in many tasks mixes their traces."""
    if task.cancelled():
        return ConnectionFailed("The token was not asked for to the end.", sent=False)
    error = task.exception()
    return copy.copy(error) if isinstance(error, ProviderError) else error


class _Kept:
    __slots__ = ("ends_at", "refresh_at", "token")

    def __init__(self, token: Token, began: float) -> None:
        self.token = token
        self.ends_at = began + token.expires_in - MARGIN
        early = max(token.expires_in - EARLY, token.expires_in / 2)
        asked = early if token.refresh_in is None else token.refresh_in
        self.refresh_at = min(began + asked, self.ends_at)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: ProviderError
    until: float


@dataclass(slots=True)
class _Flight:
    """A mint under way, and how many callers wait for it."""

    task: asyncio.Task[Token]
    waiting: int = 0


def _pause(error: ProviderError) -> float:
    if error.retry_after is not None:
        return min(max(error.retry_after, SHORT_PAUSE), LONGEST_PAUSE)
    return SHORT_PAUSE if error.retryable else PAUSE
