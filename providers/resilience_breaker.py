"""Spares a provider that keeps failing, and everybody who would wait for it in vain.

    closed ── 5 failures in 60 s ──> open ── 300 s ──> half open ── the probe succeeds ──> closed
                                      ^                    │
                                      └── the probe fails ─┘

Failures count only while they are at least half of what ended in that time: a busy key on which one call in
two hundred fails is not broken. What says nothing of the provider's health counts neither way: our own
refusals, a request that was wrong, a person who left.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]

REMEMBERED = 1000  # endings
PROBE_WAIT = 1.0  # seconds after which to look again while somebody else's probe is out


class Permit:
    """The place of one call that was let through. Whoever holds it says once how it went, or leaves."""

    __slots__ = ("_breaker", "_done", "_probe")

    def __init__(self, breaker: "CircuitBreaker", *, probe: bool) -> None:
        self._breaker = breaker
        self._probe = probe
        self._done = False

    def succeeded(self) -> None:
        """The provider answers: to be said at the first content, for an answer may last minutes."""
        if not self._done:
            self._done = True
            self._breaker._succeeded(probe=self._probe)

    def failed(self) -> None:
        """The provider failed. It may also be said after `succeeded`, of an answer that broke off later."""
        probe = self._probe and not self._done
        self._done = True
        self._breaker._failed(probe=probe)

    def leave(self) -> None:
        """It ended in a way that says nothing of the provider; nothing happens if it was judged before."""
        if not self._done:
            self._done = True
            self._breaker._left(probe=self._probe)


class CircuitBreaker:
    """One provider as reached with one credential. Times are seconds of `clock`, which never goes back."""

    def __init__(
        self,
        *,
        failures: int = 5,
        window: float = 60.0,
        rest: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._window = window
        self._rest = rest
        self._clock = clock
        self._endings: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)
        self._opened_at: float | None = None
        self._probing_since: float | None = None

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock() < self._opened_at + self._rest else "half_open"

    @property
    def failures(self) -> int:
        """How many failures count now."""
        self._forget_old()
        return sum(not well for _, well in self._endings)

    def wait(self) -> float:
        """Seconds until a call may go; 0.0: now."""
        if self._opened_at is None:
            return 0.0
        now = self._clock()
        left = self._opened_at + self._rest - now
        if left > 0:
            return left
        return PROBE_WAIT if self._probe_is_out(now) else 0.0

    def enter(self) -> Permit | None:
        """A permit for one call; None while there is none. The only one of a half-open breaker is the
        probe's.
        """
        if self.wait() > 0:
            return None
        probe = self._opened_at is not None
        if probe:
            self._probing_since = self._clock()
        return Permit(self, probe=probe)

    def half_open(self) -> None:
        """From now on the next call is the probe: somebody thinks that the provider is well again."""
        if self._opened_at is not None:
            self._opened_at = self._clock() - self._rest
            self._probing_since = None

    def close(self) -> None:
        """The provider is known to be well."""
        self._opened_at = self._probing_since = None
        self._endings.clear()

    def _succeeded(self, *, probe: bool) -> None:
        if probe:
            self.close()
        elif self._opened_at is None:
            self._endings.append((self._clock(), True))

    def _failed(self, *, probe: bool) -> None:
        now = self._clock()
        if probe:
            self._open(now)
        elif self._opened_at is None:
            self._endings.append((now, False))
            failures = self.failures
            if failures >= self._most and 2 * failures >= len(self._endings):
                self._open(now)

    def _left(self, *, probe: bool) -> None:
        if probe:
            self._probing_since = None

    def _open(self, now: float) -> None:
        self._opened_at, self._probing_since = now, None
        self._endings.clear()

    def _probe_is_out(self, now: float) -> bool:
        """A probe that never reports, for whatever reason, is given up after as long as the rest."""
        return self._probing_since is not None and now < self._probing_since + self._rest

    def _forget_old(self) -> None:
        since = self._clock() - self._window
        while self._endings and self._endings[0][0] <= since:
            self._endings.popleft()
