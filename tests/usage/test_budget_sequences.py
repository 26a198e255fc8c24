"""Whatever happens in whatever order: the counters are what a query over the ledger and the holds says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.types import Usage
from usage.budgets import budgets
from usage.caller import Caller
from usage.calls import settlement
from usage.calls.attempts import Attempt
from usage.errors import CallRefused
from usage.models import Budget, BudgetPeriod, Hold

from .budgeting import budget, counters_are_true
from .conftest import ledger_is_whole
from .holds import cut, hold, reported

pytestmark = [pytest.mark.django_db, pytest.mark.services]

START = datetime(2026, 10, 24, 20, tzinfo=UTC)  # some hours before clocks in Berlin go back
PEOPLE = [UUID(int=number) for number in (71, 72)]
TEAM = UUID(int=81)
NEEDS = {"money": 5_000_000, "requests": 1, "tokens": 1_500}

steps = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(PEOPLE), st.sampled_from([None, TEAM])),
        st.tuples(st.just("settle"), st.integers(0, 20), st.integers(0, 3)),
        st.tuples(st.just("lose"), st.integers(0, 20), st.integers(0, 500)),
        st.tuples(st.just("sweep"), st.just(0), st.just(0)),
        st.tuples(st.just("pass"), st.integers(1, 30), st.just(0)),
        st.tuples(
            st.just("budget"),
            st.sampled_from(["organisation", "team", "member", "person"]),
            st.sampled_from(["money", "requests", "tokens"]),
        ),
        st.tuples(st.just("switch"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("limit"), st.integers(0, 5), st.integers(0, 12)),
    ),
    max_size=30,
)


class World:
    """Budgets, calls and a clock; after each step the law is checked."""

    def __init__(self) -> None:
        self.now = START
        self.holds: list[Hold] = []
        self.budgets: list[Budget] = [self.budgeted("organisation", "money")]

    def take(self, step: tuple[Any, ...]) -> None:
        kind, one, other = step
        getattr(self, f"do_{kind}")(one, other)
        counters_are_true()
        self.strict_limits_hold()

    def do_open(self, person: UUID, team: UUID | None) -> None:
        caller = Caller(user_id=person, team_id=team)
        try:
            lines = budgets.admit(caller, lambda measure, _admission: NEEDS[measure], self.now)
        except CallRefused as refusal:
            assert refusal.detail is not None
            assert refusal.detail.used + refusal.detail.needed > refusal.detail.limit
            return
        made = hold(user=person, team=team, opened_at=self.now, budget_lines=lines, seen=[cut(outcome=None)])
        self.holds.append(made)

    def do_settle(self, index: int, how: int) -> None:
        """First or again; with numbers of the vendor's or estimated, in one attempt or two."""
        if self.holds:
            attempts: list[Attempt] = [
                [reported()],
                [cut()],
                [cut(text=700)],
                [cut(outcome="interrupted"), reported(number=2, answered=90)],
            ][how]
            settlement.settle(self.holds[index % len(self.holds)], attempts)

    def do_lose(self, index: int, output: int) -> None:
        if self.holds:
            seen = Usage.from_json({"input_tokens": 40, "output_tokens": output})
            settlement.settle_lost(self.holds[index % len(self.holds)].call_id, seen)

    def do_sweep(self, _one: int, _other: int) -> None:
        settlement.sweep_all()
        assert not BudgetPeriod.objects.exclude(held=0).exists()

    def do_pass(self, hours: int, _other: int) -> None:
        self.now += timedelta(hours=hours)

    def do_budget(self, scope: str, measure: str) -> None:
        if len(self.budgets) < 6:
            self.budgets.append(self.budgeted(scope, measure))

    def do_switch(self, index: int, _other: int) -> None:
        one = self.budgets[index % len(self.budgets)]
        one.enabled = not one.enabled
        one.save(update_fields=["enabled"])

    def do_limit(self, index: int, calls: int) -> None:
        one = self.budgets[index % len(self.budgets)]
        one.limit = calls * NEEDS[one.measure]
        one.save(update_fields=["limit"])
        self.lowered = True

    lowered = False

    def budgeted(self, scope: str, measure: str) -> Budget:
        scope_id = {"organisation": None, "person": PEOPLE[0]}.get(scope, TEAM)
        made = budget(
            name=f"{scope} {measure}",
            scope=scope,
            scope_id=scope_id,
            measure=measure,
            limit=6 * NEEDS[measure],
            period=("day", "week", "total")[len(getattr(self, "budgets", [])) % 3],
            timezone="Europe/Berlin",
        )
        Budget.objects.filter(pk=made.pk).update(created_at=START)
        return made

    def strict_limits_hold(self) -> None:
        """Calls here cost less than they hold, so nothing passes a limit that always stood."""
        if not self.lowered and all(one.enabled for one in self.budgets) and len(self.budgets) == 1:
            for row in BudgetPeriod.objects.select_related("budget"):
                assert row.settled + row.held <= row.budget.limit


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_counters_are_always_what_the_ledger_and_the_holds_say(taken: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        world = World()
        for step in taken:
            world.take(step)
        settlement.sweep_all()
        counters_are_true()
        ledger_is_whole()
        assert not Hold.objects.filter(state=Hold.State.OPEN).exists()
        transaction.set_rollback(True)
