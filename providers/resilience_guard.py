"""One credential as it reaches a provider: how it stands, and what its calls have made of it."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from providers.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    InterruptedStream,
    Overloaded,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
)
from providers.heard import Head, Limits
from providers.resilience_breaker import CircuitBreaker, Permit, State
from providers.resilience_cooling import CoolDown
from providers.resilience_limiter import QUEUE_FULL, Bucket, RateLimiter

CIRCUIT_OPEN = "circuit_open"
COOLING_DOWN = "cooling_down"
OURS = frozenset({QUEUE_FULL, CIRCUIT_OPEN, COOLING_DOWN})
"""Kinds of errors by which Parley itself keeps a call back: no provider has heard of it."""
MOST_LANES = 100
SLOW = 1.0  # seconds

# What speaks against the provider's health. 429 and 529 do not: they cool, and the vendor says for how long.
_FAILURES = (ConnectionFailed, DeadlineExceeded, InterruptedStream, ProtocolError, ServerError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """One credential at one address. `credential` is its id, or where it comes from ("environment")."""

    provider: str
    base_url: str
    credential: str


@dataclass(slots=True)
class Lane:
    """One model as reached with one credential."""

    limiter: RateLimiter
    cooling: CoolDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    model: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error as it was heard; `at` is the guard's clock."""

    kind: str
    message: str
    request_id: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How a guard stands now. Seconds are from now. `limits` are the latest that the vendor told of a model,
    `waiting` how many calls queue.
    """

    key: Key
    state: State
    failures: int
    opens_in: float
    cooling: tuple[Cooling, ...]
    limits: tuple[tuple[str, Limits], ...]
    waiting: int
    last_trouble: Trouble | None
    trouble_age: float


@dataclass(slots=True, eq=False)
class Guard:
    """Of one credential at one address. `vendor_account` is what the provider's answers called it."""

    key: Key
    breaker: CircuitBreaker
    bucket: Bucket
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    vendor_account: str = ""
    last_trouble: Trouble | None = None
    _lanes: OrderedDict[str, Lane] = field(default_factory=OrderedDict)

    @property
    def name(self) -> str:
        """For the log: it holds no secret."""
        return f"{self.key.provider} with credential {self.key.credential}"

    def lane(self, model: str) -> Lane:
        found = self._lanes.get(model)
        if found is None:
            while len(self._lanes) >= MOST_LANES:
                self._lanes.popitem(last=False)
            limiter = RateLimiter(self.bucket, clock=self.clock, sleep=self.sleep)
            found = self._lanes[model] = Lane(limiter, CoolDown(clock=self.clock))
        self._lanes.move_to_end(model)
        return found

    def wait(self, model: str) -> float:
        """Seconds until this model may be asked with this credential, its queue aside; 0.0: now."""
        return max(self.breaker.wait(), self.lane(model).cooling.left())

    def is_slow(self, model: str) -> bool:
        """Whether the queue of this model stands for a while: another credential would serve sooner."""
        return self.lane(model).limiter.delay() > SLOW

    def why_not(self, model: str) -> str:
        """Why `wait` is more than nothing: "circuit_open" or "cooling_down"."""
        return CIRCUIT_OPEN if self.breaker.wait() >= self.lane(model).cooling.left() else COOLING_DOWN

    def hear(self, model: str, head: Head) -> None:
        """Takes in what the head of an answer said."""
        self.vendor_account = head.vendor_account or self.vendor_account
        if head.limits is not None:
            self.lane(model).limiter.learn(head.limits)

    def succeeded(self, model: str, permit: Permit) -> None:
        """Content came."""
        was = self.breaker.state
        permit.succeeded()
        if was != "closed" and self.breaker.state == "closed":
            log.info("%s answers again", self.name)
        self.lane(model).cooling.succeeded()

    def failed(self, model: str, permit: Permit, error: ProviderError) -> None:
        """The call ended with this error; what is not the provider's failure counts for nothing."""
        if error.kind in OURS:
            permit.leave()
            return
        self.last_trouble = Trouble(
            kind=error.kind,
            message=error.safe_message,
            request_id=error.request_id or "",
            at=self.clock(),
        )
        if is_failure(error):
            was = self.breaker.state
            permit.failed()
            if was != "open" and self.breaker.state == "open":
                log.warning("%s rests: it failed several times in a row, last by %s", self.name, error.kind)
            return
        permit.leave()
        if isinstance(error, RateLimited | Overloaded):
            lane = self.lane(model)
            lane.cooling.cool(error.retry_after, error.kind)
            if error.retry_after is not None:
                lane.limiter.hold_off(lane.cooling.left())
            log.info("%s cools for %.0f s: %s by %s", self.name, lane.cooling.left(), model, error.kind)

    def try_again(self) -> None:
        """Forgets cool-downs and waits; a broken circuit lets its probe through."""
        self.breaker.half_open()
        for lane in self._lanes.values():
            lane.cooling.end()
            lane.limiter.go_on()

    def is_quiet(self) -> bool:
        """Whether nothing is lost if this guard is forgotten."""
        return self.breaker.state == "closed" and all(
            lane.cooling.left() <= 0 and not lane.limiter.waiting for lane in self._lanes.values()
        )

    def snapshot(self) -> Snapshot:
        lanes = list(self._lanes.items())
        return Snapshot(
            key=self.key,
            state=self.breaker.state,
            failures=self.breaker.failures,
            opens_in=self.breaker.wait(),
            cooling=tuple(
                Cooling(model=model, seconds=left, reason=lane.cooling.reason)
                for model, lane in lanes
                if (left := lane.cooling.left()) > 0
            ),
            limits=tuple((model, told) for model, lane in lanes if (told := lane.limiter.limits) is not None),
            waiting=sum(lane.limiter.waiting for _, lane in lanes),
            last_trouble=self.last_trouble,
            trouble_age=self.clock() - self.last_trouble.at if self.last_trouble is not None else 0.0,
        )


def is_failure(error: ProviderError) -> bool:
    """Whether this error speaks against the provider's health."""
    answered = error.status is not None and error.status < 500
    return isinstance(error, _FAILURES) and not (isinstance(error, ServerError) and answered)
