from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from providers.resilience_breaker import PROBE_WAIT, CircuitBreaker, Permit

from .clock import Clock


def permit(breaker: CircuitBreaker) -> Permit:
    entered = breaker.enter()
    assert entered is not None
    return entered


def broken(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock=clock)
    for _ in range(5):
        permit(breaker).failed()
    assert breaker.state == "open"
    return breaker


def test_five_failures_in_a_minute_open_it_for_five_minutes() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    for _ in range(4):
        permit(breaker).failed()
        clock.now += 10
    assert breaker.state == "closed"
    permit(breaker).failed()
    assert (breaker.state, breaker.wait(), breaker.enter()) == ("open", 300.0, None)
    clock.now += 299.5
    assert breaker.enter() is None
    clock.now += 0.5
    assert (breaker.state, breaker.wait()) == ("half_open", 0.0)


def test_failures_that_are_a_minute_apart_do_not_open_it() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    for _ in range(20):
        permit(breaker).failed()
        clock.now += 15.01
    assert breaker.state == "closed"


def test_a_busy_key_with_few_failures_stays_in_use() -> None:
    breaker = CircuitBreaker(clock=Clock())
    for number in range(200):
        one = permit(breaker)
        if number % 20 == 0:
            one.failed()
        else:
            one.succeeded()
    assert (breaker.state, breaker.failures) == ("closed", 10)


def test_half_open_lets_one_probe_through_and_its_success_closes() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 300
    probe = permit(breaker)
    assert (breaker.enter(), breaker.wait()) == (None, PROBE_WAIT)
    probe.succeeded()
    assert breaker.state == "closed"
    for _ in range(3):
        permit(breaker)


def test_a_failed_probe_opens_it_again_for_as_long() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 300
    permit(breaker).failed()
    assert breaker.wait() == 300.0


def test_a_cancelled_probe_gives_its_place_to_the_next() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 300
    permit(breaker).leave()
    assert breaker.state == "half_open"
    permit(breaker).succeeded()
    assert breaker.state == "closed"


def test_a_probe_that_never_reports_does_not_block_for_ever() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 300
    permit(breaker)
    clock.now += 299
    assert breaker.enter() is None
    clock.now += 1
    assert breaker.enter() is not None


def test_calls_that_began_before_it_opened_neither_close_nor_prolong_it() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    early, late = permit(breaker), permit(breaker)
    for _ in range(5):
        permit(breaker).failed()
    clock.now += 200
    early.succeeded()
    late.failed()
    assert (breaker.state, breaker.wait()) == ("open", 100.0)


def test_an_answer_that_breaks_off_counts_though_it_had_begun_well() -> None:
    breaker = CircuitBreaker(clock=Clock())
    for _ in range(5):
        one = permit(breaker)
        one.succeeded()
        one.failed()
        one.leave()
    assert breaker.state == "open"


def test_somebody_may_call_for_the_probe_early() -> None:
    clock = Clock()
    breaker = broken(clock)
    breaker.half_open()
    permit(breaker).succeeded()
    assert breaker.state == "closed"


class BreakerMachine(RuleBasedStateMachine):
    """Against a model that keeps every ending, and the one probe, in plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker(clock=self.clock)
        self.endings: list[tuple[float, bool]] = []
        self.opened: float | None = None
        self.out: list[tuple[Permit, bool]] = []
        self.probe_since: float | None = None

    def recent(self) -> list[bool]:
        return [well for at, well in self.endings if at > self.clock.now - 60]

    def may_enter(self) -> bool:
        if self.opened is None:
            return True
        if self.clock.now < self.opened + 300:
            return False
        return self.probe_since is None or self.clock.now >= self.probe_since + 300

    @rule(seconds=st.sampled_from([0.5, 5, 30, 61, 299, 301]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def enter(self) -> None:
        expected = self.may_enter()
        entered = self.breaker.enter()
        assert (entered is not None) == expected
        if entered is not None:
            probe = self.opened is not None
            if probe:
                self.probe_since = self.clock.now
            self.out.append((entered, probe))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), end=st.sampled_from(["succeeded", "failed", "failed", "leave"]))
    def end(self, data: st.DataObject, end: str) -> None:
        entered, probe = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        getattr(entered, end)()
        if end == "leave":
            self.probe_since = None if probe else self.probe_since
        elif probe:
            self.probe_since, self.endings = None, []
            self.opened = self.clock.now if end == "failed" else None
        elif self.opened is None:
            self.endings.append((self.clock.now, end == "succeeded"))
            failures = self.recent().count(False)
            if end == "failed" and failures >= 5 and failures >= self.recent().count(True):
                self.opened, self.probe_since, self.endings = self.clock.now, None, []

    @invariant()
    def agrees(self) -> None:
        assert (self.breaker.wait() == 0) == self.may_enter()
        assert (self.breaker.state == "closed") == (self.opened is None)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
