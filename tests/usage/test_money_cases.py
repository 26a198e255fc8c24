"""Failures seen elsewhere in this field, each shown not to happen here. docs/money.md lists all of them.

Those of prices and counts are in test_money_cases_of_prices.py; the others in the files that the list names.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.ids import uuid7
from accounts.models import User
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from providers.types import MessageRequest
from usage import metering
from usage.budgets import periods as budget_periods
from usage.budgets.demands import usual_output
from usage.calls import admission
from usage.calls.admission import Asked
from usage.calls.settlement import settle, sweep_expired
from usage.catalogue.known_models import resolve
from usage.errors import CallRefused
from usage.estimates import measure
from usage.ledger import ledger
from usage.ledger.rollup import add
from usage.metering import Caller, Purpose
from usage.models import NOBODY, Budget, BudgetPeriod, DailyUsage, Hold, LedgerLine, Price

from .budgeting import DOLLAR, budget, counters, counters_are_true
from .conftest import DEMO, SONNET, asking, database, lines, made, open_holds
from .holds import PERSON, cut, hold, reported

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]

PURPOSES: tuple[Purpose, ...] = ("chat", "title", "benchmark")
REPORTED = 150_000  # nano-dollars, of holds.reported()


@pytest.fixture(autouse=True)
def _nothing_is_usual() -> Iterator[None]:
    usual_output.forget()
    yield
    usual_output.forget()


async def admitted(caller: Caller, request: MessageRequest | None = None, purpose: Purpose = "chat") -> bool:
    """Makes a call to its end, if it is let through."""
    try:
        await metering.complete(caller, request or asking(text="Hi"), purpose=purpose, call_id=uuid7())
    except CallRefused as refused:
        assert refused.code == "over_budget"
        return False
    return True


def asked_of(vendor: ThreadServer) -> int:
    return sum(seen["method"] == "POST" for seen in vendor.app.counters.recent)


def at_once(*work: Callable[[], Any]) -> None:
    """Runs each in a thread of its own, all from the same moment."""
    start = threading.Barrier(len(work))

    def run(one: Callable[[], Any]) -> None:
        try:
            start.wait()
            one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(run, one) for one in work]:
            done.result()


# Admission


async def test_t02_no_increment_is_lost_among_many_writers(person: User) -> None:
    everything = await database(lambda: budget(period="total"))
    period = await database(lambda: budget_periods.opened(everything.pk, NOBODY, datetime.now(UTC)))

    def settling() -> None:
        for _ in range(20):
            settle(hold(), [reported()])

    await asyncio.to_thread(at_once, settling, settling, settling)
    assert await database(lambda: counters(everything)) == (60 * REPORTED, 0)
    assert await database(lambda: BudgetPeriod.objects.get().pk) == period
    assert await database(lambda: list(ledger.verify())) == []


async def test_t03_the_first_calls_of_somebody_new_are_counted_too(
    caller: Caller, vendor: ThreadServer
) -> None:
    """Eight at once, of a person for whom no row is there yet."""
    team = uuid7()
    mine = await database(lambda: budget(scope="member", scope_id=team, measure="requests", limit=3))
    caller = replace(caller, team_id=team)
    let_through = await asyncio.gather(*(admitted(caller) for _ in range(8)))
    assert sum(let_through) == 3 == asked_of(vendor)
    assert await database(lambda: counters(mine, caller.user_id)) == (3, 0)


async def test_t04_t05_a_budget_needs_no_restart_and_a_full_one_refuses_at_once(
    caller: Caller, vendor: ThreadServer
) -> None:
    assert await admitted(caller)
    spent = await database(lambda: sum(line.cost_nano for line in lines()))
    await database(lambda: budget(limit=spent, scope="person", scope_id=caller.user_id))
    assert not await admitted(caller)
    assert asked_of(vendor) == 1


@pytest.mark.parametrize("belongs", ["team_id", "project_id", "conversation_id", "run_id", "token_id"])
async def test_t06_t07_t08_there_is_no_way_around_a_full_budget(
    person: User, belongs: str, vendor: ThreadServer
) -> None:
    await database(lambda: budget(limit=0))
    caller = Caller(user_id=person.pk, **{belongs: uuid7()})
    assert not any([await admitted(caller, purpose=purpose) for purpose in PURPOSES])
    assert asked_of(vendor) == 0


async def test_t07_t08_every_kind_of_call_is_counted(caller: Caller) -> None:
    mine = await database(lambda: budget(measure="requests"))
    for purpose in PURPOSES:
        assert await admitted(caller, purpose=purpose)
    assert await database(lambda: counters(mine)) == (len(PURPOSES), 0)


async def test_t09_a_wrong_price_refuses_nobody_who_has_no_budget(caller: Caller) -> None:
    absurd = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), 10**12)
    await database(
        lambda: Price.objects.create(
            provider="anthropic",
            model="claude-sonnet-5-5",
            valid_from=datetime(2026, 1, 1, tzinfo=UTC),
            source="a slip of the hand",
            **absurd,
        )
    )
    assert await admitted(caller)
    await database(lambda: budget(scope="person", scope_id=uuid7(), limit=0))
    assert await admitted(caller)


async def test_t10_what_costs_nothing_is_let_through_when_the_money_is_spent(
    caller: Caller, settings: Any
) -> None:
    assert await admitted(caller)
    await database(lambda: budget(limit=1))
    assert not await admitted(caller)
    with ThreadServer(Simulator(demo_rate=0)) as demo:
        settings.DEMO_BASE_URL = demo.base_url
        assert await admitted(caller, asking(DEMO))


async def test_t12_t24_refusals_of_ours_trip_no_breaker_and_end_with_their_reason(
    caller: Caller, vendor: ThreadServer
) -> None:
    mine = await database(lambda: budget(limit=0))
    assert not any([await admitted(caller) for _ in range(8)])
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=DOLLAR))
    assert await admitted(caller)
    assert asked_of(vendor) == 1


# Counters


def expired_hold(of: Budget, amount: int) -> Hold:
    """A hold of a lost process, that had taken this amount out of the budget."""
    period = budget_periods.opened(of.pk, NOBODY, datetime.now(UTC))
    held = hold(
        seen=[cut(outcome=None)], expires=-1, budget_lines=[{"period": str(period), "amount": amount}]
    )
    BudgetPeriod.objects.filter(pk=period).update(held=amount)
    return held


async def test_t13_a_lost_process_leaks_no_reservation(person: User) -> None:
    mine = await database(budget)
    await database(lambda: expired_hold(mine, 10_000_000))
    assert await database(sweep_expired) == 1
    settled, held = await database(lambda: counters(mine))
    assert (settled, held) == (await database(lambda: lines()[0].cost_nano), 0)


async def test_t14_t15_what_is_enforced_is_what_is_recorded(caller: Caller) -> None:
    mine = await database(budget)
    for text in ("Hi", "Long. " * 50):
        await made(caller, asking(text=text))
    await made(caller, asking(text="Cut off. " * 9, cut_after=5))
    await made(caller, asking(text="Left. " * 50), leave_after=6)
    recorded = await database(lambda: sum(line.cost_nano for line in lines()))
    assert await database(lambda: counters(mine)) == (recorded, 0)
    assert await database(lambda: sum(row.cost_nano for row in DailyUsage.objects.all())) == recorded


async def test_t16_t20_a_counter_that_is_missing_is_read_from_the_ledger_once(person: User) -> None:
    await database(lambda: [settle(hold(), [reported()]) for _ in range(3)])
    mine = await database(budget)
    now = datetime.now(UTC)
    await asyncio.to_thread(at_once, *[lambda: budget_periods.opened(mine.pk, NOBODY, now)] * 6)
    assert await database(lambda: counters(mine)) == (3 * REPORTED, 0)
    await database(BudgetPeriod.objects.all().delete)
    await database(lambda: budget_periods.opened(mine.pk, NOBODY, now))
    assert await database(lambda: counters(mine)) == (3 * REPORTED, 0)


async def test_t22_a_call_under_way_does_not_bring_an_old_limit_back(caller: Caller) -> None:
    mine = await database(budget)
    async with metering.call(caller, asking(text="Hi"), purpose="chat", call_id=uuid7()) as call:
        await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=1))
        async for _event in call:
            pass
    assert await database(lambda: Budget.objects.get().limit) == 1
    assert not await admitted(caller)


# Periods


async def test_t23_t25_t26_a_new_period_begins_by_the_clock_alone(person: User) -> None:
    """No job has to run: a call of the new period opens its row, the old one stays as it was."""
    mine = await database(lambda: budget(period="day"))
    now = datetime.now(UTC)
    for days in (2, 1, 0):
        moment = now - timedelta(days=days)

        def work(moment: datetime = moment) -> None:
            budget_periods.opened(mine.pk, NOBODY, moment)
            settle(hold(opened_at=moment), [reported()])

        await database(work)
    periods = await database(lambda: list(BudgetPeriod.objects.order_by("begins_at")))
    assert [period.settled for period in periods] == [REPORTED] * 3
    assert periods[0].ends_at == periods[1].begins_at


async def test_t27_a_total_never_begins_anew(person: User) -> None:
    mine = await database(lambda: budget(period="total"))

    def work() -> None:
        for days in (0, 400):
            moment = datetime.now(UTC) + timedelta(days=days)
            budget_periods.opened(mine.pk, NOBODY, moment)
            settle(hold(opened_at=moment), [reported()])

    await database(work)
    assert await database(lambda: counters(mine)) == (2 * REPORTED, 0)
    assert await database(BudgetPeriod.objects.count) == 1


async def test_t28_a_new_budget_counts_its_own_period_and_not_a_lifetime(person: User) -> None:
    def work() -> list[tuple[int, int]]:
        settle(hold(opened_at=datetime.now(UTC) - timedelta(days=60)), [reported()])
        budgets = [budget(period=period) for period in ("day", "month", "total")]
        for one in budgets:
            budget_periods.opened(one.pk, NOBODY, datetime.now(UTC))
        return [counters(one) for one in budgets]

    assert await database(work) == [(0, 0)] * 3


# Limits of requests and tokens


async def test_t40_t41_t42_abandoned_calls_give_their_place_back(caller: Caller) -> None:
    mine = await database(lambda: budget(measure="requests", limit=5))
    for _ in range(2):
        await made(caller, asking(text="Left. " * 50), leave_after=4)
    begun = asyncio.Event()

    async def waiting() -> None:
        request = asking(text="Left. " * 50, hang_after=4)
        async with metering.call(caller, request, purpose="chat", call_id=uuid7()) as call:
            async for _event in call:
                begun.set()

    one = asyncio.create_task(waiting())
    await begun.wait()
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert await database(open_holds) == 0
    assert await database(lambda: counters(mine)) == (3, 0)
    await database(counters_are_true)


async def test_t44_a_call_that_one_limit_refuses_takes_nothing_of_the_others(caller: Caller) -> None:
    requests = await database(lambda: budget(measure="requests", limit=5))
    await database(lambda: budget(limit=0))
    assert not await admitted(caller)
    assert await database(lambda: BudgetPeriod.objects.filter(budget=requests, held__gt=0).exists()) is False
    assert await database(lambda: budget_periods.spent(requests, PERSON, _always())) == 0


def _always() -> budget_periods.Window:
    return budget_periods.Window(datetime(2000, 1, 1, tzinfo=UTC), None)


async def test_t45_parallel_calls_cannot_use_more_tokens_than_there_are(caller: Caller) -> None:
    mine = await database(lambda: budget(measure="tokens", limit=2_500))
    request = asking(max_tokens=1_000, text="Hi")
    let_through = await asyncio.gather(*(admitted(caller, request) for _ in range(5)))
    assert 0 < sum(let_through) < 5
    assert (await database(lambda: counters(mine)))[0] <= 2_500


# The ledger


async def test_t54_a_roll_up_of_any_size_is_stored_whole(person: User) -> None:
    def work() -> None:
        written = []
        for number in range(250):
            settle(hold(user=uuid7(), purpose=f"p{number % 7}"), [reported()])
            written.append(number)

    await database(work)
    assert await database(DailyUsage.objects.count) == 250
    assert await database(lambda: list(ledger.verify())) == []


async def test_t55_writers_of_the_same_rows_in_opposite_order_do_not_lock_each_other_out(
    person: User,
) -> None:
    def mine(count: int) -> list[LedgerLine]:
        moment = datetime.now(UTC)
        return [
            LedgerLine(
                call_id=uuid7(),
                attempt=1,
                user=PERSON,
                purpose=f"p{number}",
                provider="anthropic",
                model_asked="m",
                credential_scope="environment",
                accounted_at=moment,
                written_at=moment,
                day=moment.date(),
                cost_nano=1,
                source="reported",
                outcome="completed",
            )
            for number in range(count)
        ]

    def forwards() -> None:
        for _ in range(20):
            add(mine(6))

    def backwards() -> None:
        for _ in range(20):
            add(reversed(mine(6)))

    await asyncio.to_thread(at_once, forwards, backwards)
    assert await database(lambda: {row.cost_nano for row in DailyUsage.objects.all()}) == {40}


async def test_t56_to_admit_a_call_no_line_of_the_ledger_is_read(caller: Caller) -> None:
    """Once a period is open; and however many lines there are, the questions are the same."""
    await database(budget)
    await database(lambda: budget(scope="person", scope_id=caller.user_id))
    assert await admitted(caller)
    request = asking(text="Hi")
    asked = Asked(
        hold_id=uuid7(),
        call_id=uuid7(),
        caller=caller,
        spec=await resolve(caller, SONNET),
        request=request,
        size=measure(request),
        purpose="chat",
    )

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            admission.admit(asked)
        return [query["sql"] for query in seen.captured_queries]

    asked_for = await database(statements)
    assert any("usage_budgetperiod" in statement for statement in asked_for)
    assert not any("usage_ledgerline" in statement for statement in asked_for)
    assert len(asked_for) < 20
    await database(metering.sweep_all)
