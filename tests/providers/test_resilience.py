from __future__ import annotations

import pytest

from providers.errors import (
    AuthenticationError,
    BillingError,
    ConnectionFailed,
    DeadlineExceeded,
    Forbidden,
    InterruptedStream,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
)
from providers.heard import Head, Limits
from providers.resilience import Guard, Guards, Key, in_words, not_now
from providers.resilience_cooling import CoolDown

from .clock import Clock

KEY = Key("anthropic", "https://api.anthropic.com", "one")
MODEL = "claude"


def failing(guard: Guard, error: ProviderError, times: int = 1) -> None:
    for _ in range(times):
        permit = guard.breaker.enter()
        assert permit is not None
        guard.failed(MODEL, permit, error)


def guard(clock: Clock, key: Key = KEY) -> Guard:
    return Guards(clock=clock, sleep=clock.sleep).of(key)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed(sent=False),
        DeadlineExceeded(),
        InterruptedStream(),
        ProtocolError(),
        ServerError(status=500),
        ServerError(),
    ],
    ids=lambda error: error.kind,
)
def test_failures_of_the_provider_break_the_circuit(error: ProviderError) -> None:
    one = guard(Clock())
    failing(one, error, 5)
    assert one.breaker.state == "open"
    assert one.why_not(MODEL) == "circuit_open"


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest(status=400),
        NotFound(status=404),
        AuthenticationError(status=401),
        Forbidden(status=403),
        BillingError(status=429),
        ServerError(status=418),
        RateLimited(status=429, retry_after=0.0),
        Overloaded(status=529, retry_after=0.0),
        not_now("circuit_open", 9, "Anthropic"),
        RateLimited(kind="queue_full", sent=False),
    ],
    ids=lambda error: f"{error.kind}-{error.status}",
)
def test_refusals_and_wrong_requests_do_not(error: ProviderError) -> None:
    one = guard(Clock())
    failing(one, error, 30)
    assert one.breaker.state == "closed"


def test_an_overload_cools_its_model_and_no_other() -> None:
    clock = Clock()
    one = guard(clock)
    failing(one, Overloaded(status=529))
    assert (one.wait(MODEL), one.why_not(MODEL)) == (5.0, "cooling_down")
    assert one.wait("another") == 0.0
    clock.now += 5
    assert one.wait(MODEL) == 0.0


def test_a_wait_that_the_vendor_asks_for_is_kept_whatever_it_costs_up_to_a_day() -> None:
    one = guard(Clock())
    failing(one, RateLimited(status=429, retry_after=90.0))
    assert one.wait(MODEL) == 90.0
    failing(one, RateLimited(status=429, retry_after=1e9))
    assert one.wait(MODEL) == 86_400.0


def test_cool_downs_grow_until_a_call_succeeds() -> None:
    clock = Clock()
    cooling = CoolDown(clock=clock)
    lengths = []
    for _ in range(6):
        for _together in range(10):  # calls that were turned away together are one event
            cooling.cool(None, "overloaded_error")
        lengths.append(cooling.left())
        cooling.succeeded()  # of a call that began before: it says nothing
        clock.now += cooling.left()
    assert lengths == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    cooling.succeeded()
    cooling.cool(None, "overloaded_error")
    assert cooling.left() == 5.0


def test_trying_again_ends_every_wait_and_calls_for_the_probe() -> None:
    one = guard(Clock())
    failing(one, RateLimited(retry_after=90.0))
    failing(one, ServerError(), 5)
    one.try_again()
    assert (one.wait(MODEL), one.breaker.state) == (0.0, "half_open")
    assert one.lane(MODEL).limiter.delay() == 0.0


def test_a_snapshot_tells_how_it_stands() -> None:
    clock = Clock()
    one = guard(clock)
    limits = Limits(requests=50, requests_left=7, requests_reset=3.0)
    one.hear(MODEL, Head(status=200, vendor_account="org-1", limits=limits))
    failing(one, Overloaded("Busy.", status=529, request_id="req_1"))
    clock.now += 2
    now = one.snapshot()
    assert (now.state, now.failures, now.waiting, now.key) == ("closed", 0, 0, KEY)
    assert [(each.model, each.seconds, each.reason) for each in now.cooling] == [
        (MODEL, 3.0, "overloaded_error")
    ]
    assert now.limits == ((MODEL, limits),)
    assert now.last_trouble is not None
    assert (now.last_trouble.message, now.last_trouble.request_id, now.trouble_age) == ("Busy.", "req_1", 2.0)
    assert one.vendor_account == "org-1"


def test_guards_are_one_per_key_and_bounded_and_those_in_trouble_stay_longest() -> None:
    clock = Clock()
    guards = Guards(most=3, clock=clock, sleep=clock.sleep)
    keys = [Key("anthropic", "https://a", str(number)) for number in range(5)]
    failing(guards.of(keys[0]), ServerError(), 5)
    for key in keys[1:]:
        guards.of(key)
    kept = [one.key for one in guards.all()]
    assert len(kept) == 3
    assert keys[0] in kept
    assert guards.of(keys[0]).breaker.state == "open"


def test_an_unpaced_guard_lets_everybody_go() -> None:
    clock = Clock()
    one = Guards(clock=clock, sleep=clock.sleep).of(KEY, paced=False)
    for _ in range(10_000):
        assert one.bucket.delay() == 0.0
        one.bucket.take()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "in 1 second"),
        (40, "in 40 seconds"),
        (61, "in 2 minutes"),
        (299.5, "in 5 minutes"),
        (7300, "in 3 hours"),
    ],
)
def test_waits_are_said_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
    error = not_now("cooling_down", seconds, "Anthropic")
    assert words in error.safe_message
    assert (error.sent, error.retry_after) == (False, seconds)
