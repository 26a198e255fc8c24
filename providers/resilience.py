"""What spares people a network that misbehaves: one guard for each credential as it reaches a provider.

    Guard               resilience_guard: one credential at one address, whose account it turned out to be
    ├── CircuitBreaker  resilience_breaker: rests from a provider that keeps failing
    ├── Bucket          resilience_limiter: requests a second
    └── Lane            one model of it
        ├── RateLimiter resilience_limiter: the queue, and the limits that the vendor told
        └── CoolDown    resilience_cooling: after 429 and 529

    resilience_retries  which attempt is made again, and after which pause

Guards are kept per event loop, like connections: a process that serves has one. They are forgotten with the
process, so a restart asks every provider anew. Nothing in here knows money, people or the database.
"""

import asyncio
import time
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from providers.errors import Overloaded, ProviderError
from providers.resilience_breaker import CircuitBreaker, Permit
from providers.resilience_guard import CIRCUIT_OPEN, OURS, Guard, Key, Snapshot
from providers.resilience_limiter import BURST, RATE, Bucket
from providers.resilience_retries import Retries

__all__ = [
    "OURS",
    "Guard",
    "Guards",
    "Key",
    "Permit",
    "Retries",
    "Snapshot",
    "everywhere",
    "guards",
    "not_now",
    "use",
]

MOST_GUARDS = 1000
UNPACED = 1e6  # requests a second


class Guards:
    """Those of one event loop, at most `most`: quiet ones that were not asked for lately go first."""

    def __init__(
        self,
        *,
        most: int = MOST_GUARDS,
        rate: float = RATE,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._most = most
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._guards: OrderedDict[Key, Guard] = OrderedDict()

    def of(self, key: Key, *, paced: bool = True) -> Guard:
        """The guard of this credential. `paced` False: it is as fast as it likes, until its provider says."""
        found = self._guards.get(key)
        if found is None:
            if len(self._guards) >= self._most:
                self._forget_one()
            rate, burst = (self._rate, self._burst) if paced else (UNPACED, UNPACED)
            found = self._guards[key] = Guard(
                key,
                CircuitBreaker(clock=self._clock),
                Bucket(rate=rate, burst=burst, clock=self._clock),
                self._clock,
                self._sleep,
            )
        self._guards.move_to_end(key)
        return found

    def all(self) -> list[Guard]:
        return list(self._guards.values())

    def _forget_one(self) -> None:
        quiet = next((key for key, guard in self._guards.items() if guard.is_quiet()), None)
        if quiet is not None:
            del self._guards[quiet]
        else:
            self._guards.popitem(last=False)


_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Guards] = weakref.WeakKeyDictionary()


def guards() -> Guards:
    """The guards of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        found = _by_loop[loop] = Guards()
    return found


def use(mine: Guards) -> None:
    """The running event loop has these from now on: with a pace or a clock of the caller's choice."""
    _by_loop[asyncio.get_running_loop()] = mine


def everywhere() -> list[Guard]:
    """The guards of every loop of this process that still runs. From any thread."""
    return [guard for loop, mine in list(_by_loop.items()) if not loop.is_closed() for guard in mine.all()]


def not_now(reason: str, seconds: float, label: str) -> ProviderError:
    """The error of a call that is kept back; `label` is the provider's name."""
    why = (
        f"{label} failed several times in a row."
        if reason == CIRCUIT_OPEN
        else f"{label} has turned calls away for now."
    )
    return Overloaded(
        f"{why} It is asked again {in_words(seconds)}.",
        kind=reason,
        retryable=False,
        retry_after=seconds,
        sent=False,
    )


def in_words(seconds: float) -> str:
    """ "in 1 second", "in 40 seconds", "in 5 minutes", "in 3 hours": rounded up."""
    size, name = (3600, "hour") if seconds > 3600 else (60, "minute") if seconds > 60 else (1, "second")
    count = max(1, -int(-seconds // size))
    return f"in {count} {name}{'s' if count > 1 else ''}"
