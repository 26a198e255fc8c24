"""Lets calls go no faster than the vendor takes them: callers wait in a short queue rather than get an error.

A token bucket paces one credential: 10 requests a second until the vendor says how many it takes. For each
model the vendor's own limits are followed as the heads of its answers tell them (Anthropic: "Rate limits",
"Response headers"; OpenAI: "Rate limits in headers"): both name what is left and the time until the limit is
whole again, and both refill continuously.

One limiter belongs to one event loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from providers.errors import RateLimited
from providers.heard import Limits

RATE = 10.0  # requests per second of a credential of which the vendor has said nothing
BURST = 20.0  # requests that may go at once after a quiet time
MOST_WAITING = 1000
LONGEST_WAIT = 10.0  # seconds
LONGEST_LEARNED = 600.0  # seconds; a vendor's window that ends later is not believed: it would be asked again
NEEDED_SHARE = 0.05  # of a limit on tokens: how much must have come back before the next call goes
NO_TIME = 1e-6  # seconds; sums of fractions miss by less
QUEUE_FULL = "queue_full"  # the kind of the error

Clock = Callable[[], float]


class Bucket:
    """Requests of one credential: `rate` a second, and at most `burst` at once."""

    def __init__(self, *, rate: float = RATE, burst: float = BURST, clock: Clock = time.monotonic) -> None:
        self.rate = rate
        self._burst = burst
        self._clock = clock
        self._level = burst
        self._at = clock()

    def delay(self) -> float:
        """Seconds until one may go."""
        missing = 1.0 - self._filled()
        return max(0.0, missing / self.rate)

    def take(self) -> None:
        self._level = self._filled() - 1.0

    def raise_to(self, per_minute: int) -> None:
        """The vendor takes so many requests a minute: go up to that pace. It never makes it slower: a limit
        is one model's, and is kept by that model's window.
        """
        rate = per_minute / 60.0
        if rate > self.rate:
            burst = max(self._burst, per_minute / 6.0)
            self._level, self._at = self._filled() + burst - self._burst, self._clock()
            self.rate, self._burst = rate, burst

    def _filled(self) -> float:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self.rate)
        self._at = now
        return self._level


@dataclass(slots=True)
class Window:
    """What the vendor said is left of one of its limits, and how it comes back."""

    left: float
    refill: float  # a second; 0.0: all at once at `whole_at`
    whole_at: float
    at: float

    def delay(self, now: float, needed: float) -> float:
        if now >= self.whole_at or self.left >= needed:
            return 0.0
        if self.refill <= 0:
            return self.whole_at - now
        missing = needed - self.left - (now - self.at) * self.refill
        return min(max(0.0, missing / self.refill), self.whole_at - now)


class RateLimiter:
    """The queue before one model as reached with one credential, whose models share a `bucket`."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        most_waiting: int = MOST_WAITING,
        longest_wait: float = LONGEST_WAIT,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bucket = bucket
        self._most_waiting = most_waiting
        self._longest_wait = longest_wait
        self._clock = clock
        self._sleep = sleep
        self._queue: deque[asyncio.Future[None]] = deque()
        self._held_until = float("-inf")
        self._requests: Window | None = None
        self._tokens: Window | None = None
        self.limits: Limits | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def turn(self) -> None:
        """Returns when a call may go, first come, first served.

        Raises RateLimited (kind "queue_full", not sent) when too many wait already or the wait gets too long.
        A cancelled caller's place goes to the next.
        """
        if not self._queue and self.delay() <= 0:
            self._take()
            return
        if len(self._queue) >= self._most_waiting:
            raise self._full(self.delay())
        until = self._clock() + self._longest_wait
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            if self._queue[0] is not place:
                await place
            while (delay := self.delay()) > 0:
                if delay > until - self._clock():
                    raise self._full(delay)
                await self._sleep(delay)
            self._take()
        finally:
            self._queue.remove(place)
            self._wake_first()

    def learn(self, limits: Limits) -> None:
        """Follows what the head of an answer said."""
        now = self._clock()
        self.limits = limits
        if limits.requests:
            self._bucket.raise_to(limits.requests)
        self._requests = _window(limits.requests, limits.requests_left, limits.requests_reset, now)
        self._tokens = _window(limits.tokens, limits.tokens_left, limits.tokens_reset, now)

    def hold_off(self, seconds: float) -> None:
        """The vendor asked for this pause."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def go_on(self) -> None:
        """What the vendor asked for does not count any more."""
        self._held_until = float("-inf")
        self._requests = self._tokens = None

    def delay(self) -> float:
        """Seconds until the next call may go, if nobody waits before it."""
        now = self._clock()
        waits = [self._bucket.delay(), self._held()]
        if self._requests is not None:
            waits.append(self._requests.delay(now, 1.0))
        if self._tokens is not None:
            limit = (self.limits.tokens if self.limits else None) or 0
            waits.append(self._tokens.delay(now, max(1.0, limit * NEEDED_SHARE)))
        longest = max(waits)
        return longest if longest > NO_TIME else 0.0

    def _held(self) -> float:
        return max(0.0, self._held_until - self._clock())

    def _take(self) -> None:
        self._bucket.take()
        if self._requests is not None:
            self._requests.left -= 1

    def _wake_first(self) -> None:
        if self._queue and not self._queue[0].done():
            self._queue[0].set_result(None)

    def _full(self, seconds: float) -> RateLimited:
        return RateLimited(
            "Too many calls wait for this key at the moment. Try again soon.",
            kind=QUEUE_FULL,
            retryable=False,
            retry_after=max(1.0, seconds),
            sent=False,
        )


def _window(limit: int | None, left: int | None, reset: float | None, now: float) -> Window | None:
    if left is None or reset is None or not 0 < reset <= LONGEST_LEARNED:
        return None
    refill = (limit - left) / reset if limit is not None and limit > left else 0.0
    return Window(float(left), refill, now + reset, now)
