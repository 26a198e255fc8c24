"""Many calls at once at one limit: exactly as many are let through as fit, and everything comes back.

threats.md §11.1, 11.4, 11.7, 11.8."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings as live_settings
from django.db import connection

from accounts.ids import uuid7
from accounts.models import User
from providers import catalogue
from providers.simulator.server import ThreadServer
from usage import metering
from usage.budgets.demands import Demand, Option
from usage.clock import database_now
from usage.estimates import measure
from usage.metering import Caller
from usage.models import Budget, BudgetPeriod, Hold
from usage.prices.prices import listed

from .budgeting import budget, counters, counters_are_true, row
from .conftest import SONNET, asking, database, ledger_is_whole, made, open_holds
from .many import Many, request

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]

ROOM = 10
CALLS = 200
ABORTED = 1000
SEED = 20261120
ROOT = Path(__file__).resolve().parents[2]
KEYS = live_settings.DATA_DIR  # where the master key of this run lies; the fixtures change the setting


def room_for(calls: int) -> int:
    """Nano-dollars that hold so many of the calls of `many` and a bit, but not one more."""
    spec = catalogue.spec(SONNET)
    assert spec is not None
    tariff = listed(spec, database_now())
    assert tariff is not None
    one = request()
    size = measure(replace(one, model=spec.id))
    option = Option(spec=spec, tariff=tariff, max_tokens=one.max_tokens)
    nano = Demand(measure(one), (option,)).bound_nano
    assert abs(nano - Demand(size, (option,)).bound_nano) < nano // 100
    return calls * nano + nano // 2


async def test_of_200_calls_exactly_10_find_room(person: User) -> None:
    mine = await database(lambda: budget(limit=room_for(ROOM)))
    many = Many(person.pk, CALLS)
    assert await many.decided() == ROOM
    assert many.refused == CALLS - ROOM
    held = (await database(lambda: counters(mine)))[1]
    assert held <= mine.limit
    assert await database(open_holds) == ROOM
    assert set(await database(lambda: list(Hold.objects.values_list("purpose", flat=True)))) <= {
        "chat",
        "title",
    }
    await database(counters_are_true)
    await many.leave()
    settled, held = await database(lambda: counters(mine))
    assert (held, await database(open_holds)) == (0, 0)
    assert 0 < settled <= mine.limit
    await database(counters_are_true)
    await database(ledger_is_whole)


async def test_of_200_calls_in_three_processes_exactly_10_find_room_and_a_killed_one_is_charged(
    person: User, vendor: ThreadServer
) -> None:
    mine = await database(lambda: budget(limit=room_for(ROOM)))
    with ExitStack() as stack:
        asking = [stack.enter_context(process(vendor, person, share)) for share in (67, 67, 66)]
        assert [await said(one) for one in asking] == ["ready"] * 3
        for one in asking:
            go(one)
        admitted = [int(await said(one)) for one in asking]
        assert sum(admitted) == ROOM
        await database(counters_are_true)
        assert (await database(lambda: counters(mine)))[1] <= mine.limit
        killed = max(range(3), key=lambda index: admitted[index])
        asking[killed].kill()
        asking[killed].wait()
        for index, one in enumerate(asking):
            if index != killed:
                go(one)
                assert await said(one) == "left"
    assert await database(open_holds) == admitted[killed]
    await database(counters_are_true)
    before = (await database(lambda: counters(mine)))[0]
    assert await database(metering.sweep_all) == admitted[killed]
    settled, held = await database(lambda: counters(mine))
    assert settled > before  # the vendor was asked: a lost call is never merely freed
    assert held == 0
    assert settled <= mine.limit
    await database(counters_are_true)
    await database(ledger_is_whole)


@contextmanager
def process(vendor: ThreadServer, person: User, calls: int) -> Iterator[subprocess.Popen[str]]:
    names = {name: os.environ[name] for name in os.environ if not name.startswith(("PARLEY_", "DATABASE_"))}
    environment = {**names, "DJANGO_SETTINGS_MODULE": "tests.process_settings", "PARLEY_DATA_DIR": str(KEYS)}
    if url := os.environ.get("PARLEY_TEST_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    arguments = [str(connection.settings_dict["NAME"]), vendor.base_url, str(person.pk), str(calls)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.usage.admitting", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await asyncio.to_thread(process.stdout.readline)).strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


async def test_a_thousand_aborted_calls_leave_no_hold_and_all_the_room(caller: Caller) -> None:
    mine = await database(lambda: budget(limit=room_for(ABORTED)))
    chance = random.Random(SEED)
    turns = asyncio.Semaphore(50)

    async def abort(number: int) -> None:
        async with turns:
            task = asyncio.create_task(left(caller))
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*[abort(number) for number in range(ABORTED)])
    assert await database(open_holds) == 0
    await database(counters_are_true)
    await database(ledger_is_whole)
    settled, held = await database(lambda: counters(mine)) if await database(Hold.objects.exists) else (0, 0)
    assert held == 0
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=settled + room_for(ROOM)))
    many = Many(caller.user_id, 2 * ROOM)
    assert await many.decided() == ROOM  # none is refused that fits
    await many.leave()


async def left(caller: Caller) -> None:
    async with metering.call(caller, request(), purpose="chat", call_id=uuid7()) as call:
        async for _event in call:
            pass


async def test_calls_in_many_budgets_at_once_never_wait_for_each_other(person: User) -> None:
    """Periods are opened, taken, settled and swept at the same time, on several connections on PostgreSQL."""
    teams = [uuid7() for _ in range(3)]

    def make() -> None:
        for number in range(3):
            budget(name=f"All {number}")
            for team in teams:
                budget(name=f"Each {number}", scope="member", scope_id=team)
                budget(name=f"Pool {number}", scope="team", scope_id=team, measure="requests", period="day")

    await database(make)
    before = await database(deadlocks)

    async def one(number: int) -> None:
        caller = Caller(user_id=person.pk, team_id=teams[number % 3])
        await made_quietly(caller)
        if number % 10 == 0:
            await database(partial(metering.sweep_expired))

    await asyncio.gather(*[one(number) for number in range(90)])
    assert await database(deadlocks) == before
    await database(counters_are_true)
    assert {found.held for found in await database(lambda: list(BudgetPeriod.objects.all()))} == {0}
    pools = await database(lambda: [row(found).settled for found in Budget.objects.filter(name="Pool 0")])
    assert pools == [30, 30, 30]


async def made_quietly(caller: Caller) -> UUID:
    call_id = uuid7()
    async with metering.call(caller, asking(text="Hi."), purpose="chat", call_id=call_id) as call:
        async for _event in call:
            pass
    return call_id


def deadlocks() -> int:
    """How many PostgreSQL has found in this database."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


async def test_an_answer_after_the_sweep_corrects_the_counters(caller: Caller) -> None:
    """The process was slow, not dead: the sweep charged an estimate, the vendor's count comes after it."""
    mine = await database(budget)
    async with metering.call(caller, asking(text="Hi."), purpose="chat", call_id=uuid7()) as call:
        async for _event in call:
            pass
        assert await database(metering.sweep_all) == 1
        guessed = await database(lambda: counters(mine))
        assert guessed[1] == 0
    assert call.settlement is not None
    assert await database(lambda: counters(mine)) == (call.settlement.cost_nano, 0)
    await database(counters_are_true)
    again = await made(caller, asking(text="Hi."))
    assert (await database(lambda: counters(mine)))[
        0
    ] == call.settlement.cost_nano + again.settlement.cost_nano
