"""`manage.py ledger`: what is counted beside the ledger is proved, and mended where it is wrong."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from accounts.ids import uuid7
from usage.budgets.periods import opened
from usage.calls.settlement import settle, sweep_expired
from usage.ledger import ledger
from usage.models import NOBODY, Budget, BudgetPeriod, DailyUsage, LedgerLine

from .conftest import roll_up
from .holds import PERSON, cut, hold, reported
from .lines import line

pytestmark = [pytest.mark.django_db, pytest.mark.services]

TEAM = UUID(int=3)


def run(*words: str) -> str:
    out = StringIO()
    call_command("ledger", *words, stdout=out, stderr=out)
    return out.getvalue()


def settled(days_ago: int = 0, **fields: Any) -> None:
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    settle(hold(opened_at=moment, **fields), [reported()])


@pytest.fixture
def calls() -> None:
    """Several people, teams, days and kinds of lines."""
    settled()
    settled(team=TEAM)
    settled(3, user=uuid7(), token=uuid7())
    settled(40, team=TEAM, purpose="title")
    settle(hold(), [cut(text=0, outcome="failed"), reported(number=2)])
    swept = hold(seen=[cut(text=7, outcome=None)], expires=-1)
    sweep_expired()
    settle(swept, [reported()])  # corrected
    settle(hold(), [cut()])


def test_an_empty_ledger_is_whole() -> None:
    assert "Everything equals" in run("verify")


@pytest.mark.usefixtures("calls")
def test_what_settlements_write_is_whole() -> None:
    assert "Everything equals" in run("verify")
    assert "Nothing had to be mended." in run("rebuild")


@pytest.mark.usefixtures("calls")
def test_each_wrong_number_is_listed_and_the_command_fails() -> None:
    DailyUsage.objects.filter(team=TEAM, purpose="chat").update(cost_nano=F("cost_nano") + 1, calls=9)
    with pytest.raises(CommandError, match="2 numbers differ") as failed:
        run("verify")
    assert failed.value.returncode == 1
    found = {one.name: (one.stored, one.truth) for one in ledger.verify()}
    assert found == {"cost_nano": (150_001, 150_000), "calls": (9, 1)}
    assert all(str(TEAM) in one.place for one in ledger.verify())


@pytest.mark.usefixtures("calls")
def test_rows_that_are_missing_or_have_no_lines_are_found_and_mended() -> None:
    before = roll_up()
    DailyUsage.objects.filter(purpose="title").delete()
    row = DailyUsage.objects.exclude(team=TEAM).first()
    assert row is not None
    row.pk, row.model = None, "never-asked"
    row.save(force_insert=True)
    with pytest.raises(CommandError):
        run("verify")
    text = run("rebuild")
    assert "Everything equals the ledger's rows." in text
    assert roll_up() == before
    assert "Nothing had to be mended." in run("rebuild")


@pytest.mark.usefixtures("calls")
def test_a_roll_up_that_is_lost_whole_is_made_again() -> None:
    before = sorted(DailyUsage.objects.values_list(*DailyUsage.KEY, *DailyUsage.SUMS), key=str)
    DailyUsage.objects.all().delete()
    assert "Everything equals the ledger's rows." in run("rebuild")
    assert sorted(DailyUsage.objects.values_list(*DailyUsage.KEY, *DailyUsage.SUMS), key=str) == before


@pytest.mark.usefixtures("calls")
def test_a_span_of_days_can_be_chosen() -> None:
    DailyUsage.objects.filter(purpose="title").update(cost_nano=0)
    today = date.today()
    assert "Everything equals" in run("verify", "--from", str(today - timedelta(days=10)))
    with pytest.raises(CommandError):
        run("verify", "--to", str(today - timedelta(days=10)))


def test_a_repair_that_was_stopped_goes_on_where_it_was() -> None:
    people = [uuid7() for _ in range(ledger.AT_ONCE + 3)]
    for person in people:
        settled(user=person)
    DailyUsage.objects.update(cost_nano=1)
    repairs = ledger.rebuild()
    next(repairs)  # the first batch is stored, the second is not begun
    repairs.close()
    assert DailyUsage.objects.filter(cost_nano=1).count() == 3
    assert len(list(ledger.rebuild())) == 3
    assert list(ledger.verify()) == []


def test_a_line_on_a_day_that_its_moment_cannot_have_is_named() -> None:
    odd = line(day=date(2020, 1, 1))
    with pytest.raises(CommandError):
        run("verify")
    (found,) = ledger.verify()
    assert (found.name, found.stored) == ("day", date(2020, 1, 1))
    assert f"line {odd.pk} " in found.place


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata"])
def test_the_organisations_days_may_be_far_from_utc(zone: str, settings: object) -> None:
    settings.TIME_ZONE = zone  # type: ignore[attr-defined]
    for hour in range(24):
        settle(hold(opened_at=datetime(2026, 11, 19, hour, 30, tzinfo=UTC)), [reported()])
    assert list(ledger.verify()) == []
    DailyUsage.objects.update(calls=F("calls") + 1)
    assert len(list(ledger.rebuild())) == DailyUsage.objects.count()
    assert sum(row.calls for row in DailyUsage.objects.all()) == LedgerLine.objects.count() == 24


def budget(**fields: Any) -> Budget:
    values = {"name": "Everybody", "scope": "organisation", "measure": "money", "limit": 10**9}
    return Budget.objects.create(**values | fields)


def period(of: Budget, subject: UUID = NOBODY) -> BudgetPeriod:
    return BudgetPeriod.objects.get(pk=opened(of.pk, subject, datetime.now(UTC)))


@pytest.mark.django_db(transaction=True)
def test_periods_of_budgets_equal_their_lines_and_open_holds() -> None:
    settled(team=TEAM)
    periods = [
        period(budget()),
        period(budget(measure="requests", period="day")),
        period(budget(measure="tokens", scope="team", scope_id=TEAM)),
        period(budget(scope="member", scope_id=TEAM), PERSON),
        period(budget(period="total")),
    ]
    settled(team=TEAM)
    BudgetPeriod.objects.filter(pk=periods[0].pk).update(held=700)
    hold(budget_lines=[{"period": str(periods[0].pk), "amount": 700}])
    assert list(ledger.verify()) == []
    truth = list(BudgetPeriod.objects.order_by("id").values_list("settled", "held"))
    assert truth == [(300_000, 700), (2, 0), (94, 0), (300_000, 0), (300_000, 0)]
    BudgetPeriod.objects.update(settled=F("settled") + 5, held=3)
    with pytest.raises(CommandError, match="10 numbers differ"):
        run("verify")
    text = run("rebuild")
    assert "held was 3, the ledger has 700" in text
    assert "(Everybody)" in text
    assert list(BudgetPeriod.objects.order_by("id").values_list("settled", "held")) == truth


@pytest.mark.django_db(transaction=True)
def test_repairs_while_calls_go_on_lose_none_of_them() -> None:
    """Settlements and repairs of the same row, at once, over and over."""
    settled()
    everything = period(budget(period="total"))
    DailyUsage.objects.update(cost_nano=1)
    start, writers = threading.Barrier(4), 3

    def settling() -> None:
        try:
            start.wait()
            for _ in range(15):
                settled()
        finally:
            connection.close()

    def repairing() -> None:
        try:
            start.wait()
            for _ in range(15):
                DailyUsage.objects.update(cost_nano=F("cost_nano") + 1)
                BudgetPeriod.objects.update(settled=F("settled") + 1)
                list(ledger.rebuild())
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(settling) for _ in range(writers)] + [pool.submit(repairing)]
        for one in done:
            one.result()
    list(ledger.rebuild())
    assert list(ledger.verify()) == []
    assert roll_up()["calls"] == LedgerLine.objects.count() == 46
    everything.refresh_from_db()
    assert everything.settled == 46 * 150_000
