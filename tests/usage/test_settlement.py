from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts.ids import uuid7
from providers.types import Usage
from usage.calls.routes import HeldRoute
from usage.calls.settlement import settle
from usage.clock import database_now
from usage.metering import seen_usage, settle_lost, sweep_all, sweep_expired
from usage.models import DailyUsage, Hold, LedgerLine
from usage.prices.pricing import Rates

from .conftest import lines, open_holds, roll_up
from .holds import TARIFF, cut, hold, reported

pytestmark = [pytest.mark.django_db, pytest.mark.services]

REPORTED = 40 * 2_000 + 7 * 10_000
CUT = 40 * 2_000 + 10 * 10_000
BUCKETS = (*LedgerLine.BUCKETS, "cost_nano")


def ledger() -> dict[str, int]:
    """The ledger's sums, for comparison with the roll-up."""
    return {name: sum(getattr(line, name) for line in lines()) for name in BUCKETS}


def test_settling_closes_the_hold_and_writes_one_line() -> None:
    held = hold()
    settlement = settle(held, [reported()])
    (line,) = lines(held.call_id)
    assert (line.cost_nano, line.source, line.outcome, line.attempt, line.line) == (
        REPORTED,
        "reported",
        "completed",
        1,
        0,
    )
    assert (settlement.cost_nano, settlement.usage.output_tokens, settlement.source) == (
        REPORTED,
        7,
        "reported",
    )
    assert (line.user, line.run, line.accounted_at) == (held.user, held.run, held.opened_at)
    assert open_holds() == 0


def test_settling_again_changes_nothing() -> None:
    held = hold()
    first = settle(held, [reported()])
    assert settle(held, [reported()]) == first
    assert len(lines(held.call_id)) == 1
    assert roll_up()["cost_nano"] == REPORTED


def test_the_roll_up_always_equals_the_ledger() -> None:
    for attempts in ([reported()], [cut()], [reported(), reported(number=2)], [cut(), cut(number=2)]):
        settle(hold(), attempts)
    swept = hold(seen=[cut(text=7, outcome=None)], expires=-1)
    sweep_expired()
    settle(swept, [reported()])
    sums = roll_up()
    assert {name: sums[name] for name in BUCKETS} == ledger()
    assert (sums["calls"], sums["estimated"]) == (5, 4)
    assert DailyUsage.objects.count() == 1


def test_who_comes_second_with_the_vendors_count_corrects_an_estimate() -> None:
    held = hold(seen=[cut(text=350, outcome=None)], expires=-1)
    assert sweep_expired() == 1
    settlement = settle(held, [reported()])
    first, correction = lines(held.call_id)
    assert (first.source, first.outcome, first.error) == ("estimated", "interrupted", "process_lost")
    assert (correction.source, correction.line) == ("corrected", 1)
    assert correction.cost_nano == REPORTED - first.cost_nano < 0
    assert correction.output_tokens == 7 - 100
    assert (settlement.cost_nano, settlement.source, settlement.outcome) == (
        REPORTED,
        "reported",
        "completed",
    )
    assert settle(held, [reported()]) == settlement
    assert len(lines(held.call_id)) == 2


def test_who_comes_second_and_saw_more_adds_the_difference() -> None:
    held = hold(seen=[cut(text=7, outcome=None)], expires=-1)
    sweep_expired()
    settlement = settle(held, [cut(text=35)])
    assert [line.source for line in lines(held.call_id)] == ["estimated", "estimated"]
    assert (settlement.cost_nano, settlement.source) == (CUT, "estimated")
    assert settle(held, [cut(text=14)]).cost_nano == CUT  # knew less: nothing


def test_an_estimate_that_is_raised_costs_what_its_tokens_cost() -> None:
    held = hold(seen=[cut(text=7, outcome=None)], expires=-1)
    sweep_expired()
    settle(held, [cut(text=35)])
    first, second = lines(held.call_id)
    tokens = {
        name: getattr(first, name) + getattr(second, name) for name in ("input_tokens", "output_tokens")
    }
    assert (
        first.cost_nano + second.cost_nano
        == tokens["input_tokens"] * 2_000 + tokens["output_tokens"] * 10_000
    )
    assert min(second.input_tokens, second.output_tokens, second.cost_nano) >= 0


def test_what_was_seen_after_an_attempt_that_failed_is_charged_to_the_next_one() -> None:
    """The process was lost before its hold had stored the second attempt."""
    refused = cut(text=0, outcome="failed")
    refused.free = True
    settlement = settle_lost(hold(seen=[refused]).call_id, Usage(input_tokens=40, output_tokens=9))
    assert settlement is not None
    assert settlement.cost_nano == 40 * 2_000 + 9 * 10_000
    assert settlement.outcome == "interrupted"


def test_what_was_seen_of_an_attempt_that_failed_late_is_charged_once() -> None:
    held = hold(seen=[cut(text=35, outcome="failed")])
    settlement = settle_lost(held.call_id, Usage(input_tokens=40, output_tokens=9))
    assert settlement is not None
    assert [line.attempt for line in lines(held.call_id)] == [1]


def test_an_estimate_never_replaces_the_vendors_count() -> None:
    held = hold()
    settle(held, [reported()])
    assert settle_lost(held.call_id, Usage(input_tokens=9000, output_tokens=9000)) is not None
    assert len(lines(held.call_id)) == 1


def test_every_attempt_has_a_line_of_its_own() -> None:
    held = hold()
    failed = cut(text=0, outcome="failed")
    settlement = settle(held, [failed, reported(number=2)])
    assert [(line.attempt, line.source, line.outcome) for line in lines(held.call_id)] == [
        (1, "estimated", "failed"),
        (2, "reported", "completed"),
    ]
    assert settlement.cost_nano == 40 * 2_000 + REPORTED
    assert settlement.source == "estimated"


def test_a_lost_call_is_charged_by_the_larger_of_what_was_stored_and_seen() -> None:
    stored_more = hold(seen=[cut(text=70, outcome=None)])
    settlement = settle_lost(stored_more.call_id, Usage(input_tokens=40, output_tokens=3))
    assert settlement is not None
    assert settlement.cost_nano == 40 * 2_000 + 20 * 10_000
    message = {
        "content": [{"type": "text", "text": "x" * 70}, {"type": "tool_use", "input": {"a": "y" * 34}}]
    }
    seen_more = hold(seen=[cut(text=7, outcome=None)])
    settlement = settle_lost(seen_more.call_id, seen_usage(message, Usage(input_tokens=40)))
    assert settlement is not None
    assert (settlement.cost_nano, settlement.source) == (40 * 2_000 + 30 * 10_000, "estimated")
    assert settlement.outcome == "interrupted"
    assert open_holds() == 0


def test_a_lost_call_of_which_nothing_is_known_is_charged_its_prompt() -> None:
    held = hold()
    settlement = settle_lost(held.call_id, None)
    assert settlement is not None
    assert (settlement.cost_nano, settlement.source) == (100 * 2_000, "estimated")
    assert settle_lost(uuid7(), None) is None


def test_the_sweep_settles_what_expired_and_leaves_the_rest() -> None:
    hold(seen=[cut(outcome=None)], expires=-1)
    alive = hold(expires=30)
    assert sweep_expired() == 1
    assert list(Hold.objects.filter(state="open")) == [alive]
    assert sum(line.cost_nano for line in lines()) == CUT
    assert sweep_expired(database_now() + timedelta(seconds=31)) == 1
    assert sweep_expired() == 0


def test_a_server_that_is_alone_sweeps_everything() -> None:
    for _ in range(60):
        hold(expires=30)
    assert sweep_all() == 60
    assert open_holds() == 0


def test_attempts_that_had_ended_keep_how_they_ended_when_the_process_is_lost() -> None:
    held = hold(seen=[cut(text=0, outcome="failed"), cut(number=2, outcome=None)], expires=-1)
    sweep_expired()
    assert [line.outcome for line in lines(held.call_id)] == ["failed", "interrupted"]


def test_the_database_refuses_negative_lines_that_are_no_corrections() -> None:
    settle(hold(), [reported()])
    (line,) = lines()
    line.pk, line.attempt, line.cost_nano = None, 2, -1
    with pytest.raises(IntegrityError), transaction.atomic():
        line.save(force_insert=True)


def test_totals_by_run_count_every_line_once() -> None:
    swept, plain = hold(seen=[cut(outcome=None)], expires=-1), hold()
    sweep_expired()
    before = LedgerLine.objects.totals_by_run([swept.run])[swept.run]
    assert (before.cost_nano, before.estimated) == (CUT, True)
    settle(swept, [reported()])
    settle(plain, [cut()])
    totals = LedgerLine.objects.totals_by_run([swept.run, plain.run, uuid7()])
    assert set(totals) == {swept.run, plain.run}
    corrected = totals[swept.run]
    assert (corrected.cost_nano, corrected.input, corrected.output, corrected.estimated) == (
        REPORTED,
        40,
        7,
        False,
    )
    assert totals[plain.run].estimated


@pytest.mark.django_db(transaction=True)
def test_a_settlement_that_is_cut_anywhere_leaves_all_or_nothing() -> None:
    """The process dies, or the database refuses, at each statement in turn."""

    class Cut(DatabaseError):
        pass

    def dying_at(last: int) -> Callable[..., Any]:
        count = 0

        def wrapper(execute: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count == last:
                raise Cut
            return execute(*arguments)

        return wrapper

    held, statement = hold(), 0
    while True:
        statement += 1
        try:
            with connection.execute_wrapper(dying_at(statement)):
                settle(held, [cut(), reported(number=2)])
            break
        except Cut:
            assert open_holds() == 1
            assert (lines(), DailyUsage.objects.count()) == ([], 0)
    assert statement > 2
    assert open_holds() == 0
    assert roll_up()["cost_nano"] == CUT + REPORTED == ledger()["cost_nano"]


@pytest.mark.django_db(transaction=True)
def test_two_settlers_at_once_write_one_settlement() -> None:
    held = [hold(seen=[cut(outcome=None)], expires=-1) for _ in range(12)]
    start = threading.Barrier(3)

    def run(settler: Callable[[Hold], Any]) -> None:
        try:
            start.wait()
            for one in held:
                settler(one)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        for done in [
            threads.submit(run, lambda one: settle(one, [reported()])),
            threads.submit(run, lambda one: settle(one, [reported()])),
            threads.submit(run, lambda one: sweep_expired()),
        ]:
            done.result()
    assert open_holds() == 0
    for one in held:
        mine = lines(one.call_id)
        assert sum(line.cost_nano for line in mine) == REPORTED
        assert [line.source for line in mine] in (["reported"], ["estimated", "corrected"])
    assert roll_up()["cost_nano"] == 12 * REPORTED
    assert roll_up()["calls"] == 12


def test_a_lost_call_is_charged_on_the_route_of_each_of_its_attempts() -> None:
    """Killed between two attempts: the first on its own route, the second on another model's."""
    dearer = HeldRoute(
        provider="openai",
        model="gpt-dear",
        credential=uuid7(),
        credential_scope="organisation",
        tariff=replace(TARIFF, rates=Rates(20_000_000, 100_000_000, 1, 1, 1), source="dear"),
        prompt_tokens=50,
        max_tokens=500,
    )
    first, second = cut(outcome="interrupted"), cut(number=2, outcome=None)
    second.route = 1
    one = hold(seen=[first, second], expires=-1, routes=[dearer.to_json()])
    assert sweep_expired() == 1
    assert sweep_expired() == 0
    written = lines(one.call_id)
    assert [(line.provider, line.model_asked, line.credential, line.price_source) for line in written] == [
        ("anthropic", "claude-sonnet-5-5", None, "test"),
        ("openai", "gpt-dear", dearer.credential, "dear"),
    ]
    assert [line.cost_nano for line in written] == [
        written[0].input_tokens * 2_000 + written[0].output_tokens * 10_000,
        written[1].input_tokens * 20_000 + written[1].output_tokens * 100_000,
    ]
    # The process lived after all and knows the vendor's numbers: corrected at that route's price.
    known = reported(asked=90, answered=30, number=2)
    known.route = 1
    settlement = settle(Hold.objects.get(pk=one.pk), [first, known])
    assert settlement.cost_nano == written[0].cost_nano + 90 * 20_000 + 30 * 100_000
    assert LedgerLine.objects.filter(call_id=one.call_id, source="corrected").count() == 1


def test_a_hold_of_an_earlier_version_is_settled_as_before() -> None:
    """Its attempts were stored without a route."""
    stored = cut().to_json()
    del stored["route"]
    one = hold(expires=-1)
    Hold.objects.filter(pk=one.pk).update(attempts=[stored])
    assert sweep_expired() == 1
    line = LedgerLine.objects.get(call_id=one.call_id)
    assert (line.provider, line.model_asked, line.output_tokens) == ("anthropic", "claude-sonnet-5-5", 10)
