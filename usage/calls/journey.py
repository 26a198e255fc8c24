"""Decides on which way a call goes, and where it goes on after an attempt that failed before any content.

- A way whose circuit is broken or whose credential cools is passed over while another is ready. If none is,
  a short wait is waited for; else the call ends with an error that says when the provider is asked again.
- An overload, a rate limit, a deadline, a refused key or an empty account send the call on to the next way at
  once. After a failure that may pass in a moment (5xx, a lost connection) the same model is asked again
  before another model is.
- A request that the vendor calls wrong is wrong everywhere: it ends the call.
- All attempts count together, on whatever way: a fallback begins no new round of retries. Of those that may
  have been billed there are two at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers import registry
from providers.errors import (
    AuthenticationError,
    BillingError,
    ConnectionFailed,
    Forbidden,
    InterruptedStream,
    InvalidRequest,
    NotFound,
    ProviderError,
    Refused,
    ServerError,
)
from providers.resilience import OURS, Guard, Retries, guards, not_now
from usage.calls.routes import Fallback, Way

PATIENCE = 10.0  # seconds for which a call waits until the soonest of its ways is ready
MOST_ATTEMPTS = 6

# What speaks against this credential or this model, not against asking.
_CLOSED = (AuthenticationError, BillingError, Forbidden, NotFound)
_PASSING = (ServerError, ConnectionFailed, InterruptedStream)


@dataclass(frozen=True, slots=True)
class Step:
    """The next attempt: on this way, after so many seconds."""

    way: Way
    pause: float


class Journey:
    """That of one call. `ways` are those it was admitted for."""

    def __init__(self, ways: Sequence[Way], retries: Retries) -> None:
        self._ways = list(ways)
        self._retries = retries
        self._tried: dict[int, int] = {}
        self._closed: set[int] = set()
        self._reasons: dict[str, str] = {}
        self._guards = [guards().of(way.key, paced=way.paced) for way in ways]

    def guard(self, way: Way) -> Guard:
        return self._guards[way.index]

    def begin(self) -> Step:
        """The first way that is ready, or that will be soon. Raises ProviderError when there is none."""
        if (ready := self._first_ready(self._ways)) is not None:
            return Step(ready, 0.0)
        soonest, index = min((self._wait(way), way.index) for way in self._ways)
        if soonest > PATIENCE:
            raise self.not_now(self._ways[index])
        return Step(self._ways[index], soonest)

    def tried(self, way: Way) -> None:
        """An attempt on this way begins."""
        self._tried[way.index] = self._tried.get(way.index, 0) + 1

    def replace(self, way: Way) -> None:
        """The way is this from now on: with another token, or another form of the request."""
        self._ways[way.index] = way

    def after(self, way: Way, failure: ProviderError, *, billed: int) -> Step | None:
        """Where to go on after this failure; None: nowhere. `billed` attempts may have been billed."""
        self._reasons[way.spec.ref] = failure.safe_message
        if isinstance(failure, Refused | InvalidRequest) and not isinstance(failure, NotFound):
            return None
        if isinstance(failure, _CLOSED):
            self._closed.add(way.index)
        attempts = sum(self._tried.values())
        most = min(max(self._retries.most + 1, len(self._ways)), MOST_ATTEMPTS)
        if attempts >= most or billed > self._retries.most_billed:
            return None
        other = self._other()
        again = self._again(way, failure, attempts=attempts, billed=billed)
        if other is None or (again is not None and self._may_pass(way, other, failure)):
            return again
        return Step(other, 0.0)

    def passed_over(self, way: Way) -> list[Fallback]:
        """The models that were to be asked before the one of this way, and why they did not answer."""
        before: dict[str, Fallback] = {}
        for earlier in self._ways[: way.index]:
            ref = earlier.spec.ref
            if ref != way.spec.ref and ref not in before:
                reason = self._reasons.get(ref) or self.not_now(earlier).safe_message
                before[ref] = Fallback(ref, earlier.spec.name, reason)
        return list(before.values())

    def not_now(self, way: Way) -> ProviderError:
        """The error of a call that cannot go on this way now."""
        known = registry.provider(way.spec.provider)
        label = known.label if known is not None else way.spec.provider
        guard = self.guard(way)
        return not_now(guard.why_not(way.spec.id), self._wait(way), label)

    def _other(self) -> Way | None:
        """The way to go on, of those that were not tried yet."""
        return self._first_ready([way for way in self._ways if way.index not in self._tried])

    def _first_ready(self, ways: Sequence[Way]) -> Way | None:
        """The first that may be asked now; one whose queue stands comes after those that move."""
        ready = [way for way in ways if self._wait(way) <= 0]
        moving = (way for way in ready if not self.guard(way).is_slow(way.spec.id))
        return next(moving, ready[0] if ready else None)

    def _again(self, way: Way, failure: ProviderError, *, attempts: int, billed: int) -> Step | None:
        if way.index in self._closed or failure.kind in OURS:
            return None
        pause = self._retries.pause(failure, attempts=attempts, billed=billed)
        return Step(way, pause) if pause is not None else None

    def _may_pass(self, way: Way, other: Way, failure: ProviderError) -> bool:
        return (
            isinstance(failure, _PASSING) and other.spec.ref != way.spec.ref and self._tried[way.index] == 1
        )

    def _wait(self, way: Way) -> float:
        return self.guard(way).wait(way.spec.id)
