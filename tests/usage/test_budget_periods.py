from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.ids import uuid7
from usage.budgets import budgets
from usage.budgets import periods as budget_periods
from usage.caller import Caller
from usage.calls import settlement
from usage.models import NOBODY, Budget, BudgetPeriod

from .budgeting import budget, counters, counters_are_true, span
from .holds import hold, reported
from .lines import PERSON, line

MARCH = datetime(2026, 3, 29, 12, tzinfo=UTC)  # clocks in Berlin go forward in the night before
OCTOBER = datetime(2026, 10, 25, 12, tzinfo=UTC)  # and back in the night before


def of(period: str, timezone: str = "Europe/Berlin", **fields: Any) -> Budget:
    return Budget(name="x", period=period, timezone=timezone, created_at=MARCH, **fields)


@pytest.mark.parametrize(
    ("period", "moment", "begins", "ends"),
    [
        ("day", MARCH, "2026-03-28 23:00", "2026-03-29 22:00"),
        ("day", OCTOBER, "2026-10-24 22:00", "2026-10-25 23:00"),
        ("week", MARCH, "2026-03-22 23:00", "2026-03-29 22:00"),
        ("week", OCTOBER, "2026-10-18 22:00", "2026-10-25 23:00"),
        ("month", MARCH, "2026-02-28 23:00", "2026-03-31 22:00"),
        ("month", OCTOBER, "2026-09-30 22:00", "2026-10-31 23:00"),
        ("month", datetime(2026, 12, 31, 22, 59, tzinfo=UTC), "2026-11-30 23:00", "2026-12-31 23:00"),
        ("month", datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "2026-12-31 23:00", "2027-01-31 23:00"),
        ("total", OCTOBER, "2026-03-28 23:00", None),
    ],
)
def test_periods_begin_at_midnight_where_the_budget_is(
    period: str, moment: datetime, begins: str, ends: str | None
) -> None:
    assert span(of(period), moment) == (begins, ends)


def test_the_days_on_which_clocks_change_have_23_and_25_hours() -> None:
    lengths = []
    for moment in (MARCH, OCTOBER):
        begins_at, ends_at = budget_periods.window(of("day"), moment)
        assert ends_at is not None
        lengths.append((ends_at - begins_at) / timedelta(hours=1))
    assert lengths == [23, 25]


ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "Africa/Cairo"]


@given(
    period=st.sampled_from(["day", "week", "month"]),
    zone=st.sampled_from(ZONES),
    moment=st.datetimes(
        datetime(2008, 1, 1),
        datetime(2030, 1, 1),
        timezones=st.just(UTC),
    ),
)
def test_periods_lie_side_by_side_and_hold_their_moments(period: str, zone: str, moment: datetime) -> None:
    one = of(period, zone)
    begins_at, ends_at = budget_periods.window(one, moment)
    assert ends_at is not None
    assert begins_at <= moment < ends_at
    assert budget_periods.window(one, begins_at) == (begins_at, ends_at)
    assert budget_periods.window(one, ends_at).begins_at == ends_at
    before = budget_periods.window(one, begins_at - timedelta(microseconds=1))
    assert before.ends_at == begins_at
    assert begins_at.astimezone(ZoneInfo(zone)).date() <= moment.astimezone(ZoneInfo(zone)).date()


@pytest.mark.django_db
@pytest.mark.services
class TestRows:
    def taken(self, moment: datetime, amount: int = 5, **caller: Any) -> list[UUID]:
        who = Caller(user_id=caller.pop("user", PERSON), **caller)
        lines = budgets.admit(who, lambda _measure, _admission: amount, moment)
        return [UUID(taken["period"]) for taken in lines]

    def test_a_new_period_is_a_new_row_and_the_old_one_stays(self) -> None:
        mine = budget(period="day", timezone="Europe/Berlin", limit=5)
        midnight = datetime(2026, 10, 25, 23, 0, tzinfo=UTC)
        [before] = self.taken(midnight - timedelta(microseconds=1))
        [after] = self.taken(midnight)
        assert before != after
        assert [row.held for row in BudgetPeriod.objects.filter(budget=mine)] == [5, 5]

    def test_a_call_counts_in_the_period_in_which_it_began(self) -> None:
        mine = budget(period="day", timezone="Europe/Berlin", limit=5)
        midnight = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
        moments = (midnight - timedelta(microseconds=1), midnight)
        for moment in moments:
            lines = budgets.admit(Caller(user_id=PERSON), lambda *_: 5, moment)
            settlement.settle(hold(opened_at=moment, budget_lines=lines), [reported()])
        rows = BudgetPeriod.objects.filter(budget=mine).order_by("begins_at")
        assert [(row.settled, row.held) for row in rows] == [(150_000, 0), (150_000, 0)]
        assert rows[0].ends_at == rows[1].begins_at == midnight
        counters_are_true()

    def test_a_budget_that_is_made_late_knows_what_was_spent_before(self) -> None:
        now = datetime(2026, 11, 20, 12, tzinfo=UTC)
        team = uuid7()
        for moment in (now - timedelta(days=30), now - timedelta(days=1), now):
            line(accounted_at=moment, cost_nano=7, input_tokens=3, output_tokens=2, team=team)
        line(accounted_at=now, cost_nano=100, input_tokens=50, output_tokens=50)
        for measure, settled in (("money", 14), ("requests", 2), ("tokens", 10)):
            late = budget(name=measure, scope="team", scope_id=team, measure=measure)
            self.taken(now, team_id=team)
            assert counters(late) == (settled, 5), measure
            late.enabled = False
            late.save()

    def test_each_scope_counts_its_own(self) -> None:
        now = datetime(2026, 11, 20, 12, tzinfo=UTC)
        ids = {name: uuid7() for name in ("team", "member", "project", "token", "other")}
        scoped = {
            "organisation": budget(),
            "team": budget(scope="team", scope_id=ids["team"]),
            "member": budget(scope="member", scope_id=ids["team"]),
            "person": budget(scope="person", scope_id=PERSON),
            "project": budget(scope="project", scope_id=ids["project"]),
            "token": budget(scope="token", scope_id=ids["token"]),
            "elsewhere": budget(scope="team", scope_id=ids["other"]),
        }
        colleague = uuid7()
        self.taken(now, team_id=ids["team"], project_id=ids["project"], token_id=ids["token"])
        self.taken(now, team_id=ids["team"], user=colleague)
        self.taken(now, user=colleague)
        held = {
            name: {row.subject: row.held for row in BudgetPeriod.objects.filter(budget=one)}
            for name, one in scoped.items()
        }
        assert held == {
            "organisation": {NOBODY: 15},
            "team": {NOBODY: 10},
            "member": {PERSON: 5, colleague: 5},
            "person": {NOBODY: 5},
            "project": {NOBODY: 5},
            "token": {NOBODY: 5},
            "elsewhere": {},
        }

    def test_rows_are_taken_in_the_order_of_their_ids(self) -> None:
        for number in range(5):
            budget(name=str(number), scope="person", scope_id=PERSON)
        now = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.taken(now)
        taken = self.taken(now)
        assert taken == sorted(taken)
        assert len(taken) == 5
