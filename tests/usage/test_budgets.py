"""Budgets from the outside: calls through the one door, and what becomes of the counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from accounts import actions
from accounts.ids import uuid7
from accounts.models import Team, User
from providers.simulator.server import ThreadServer
from providers.types import MessageRequest
from usage import metering
from usage.budgets import budgets
from usage.budgets.demands import usual_output
from usage.calls import admission
from usage.calls.admission import Asked
from usage.catalogue.known_models import resolve
from usage.errors import CallRefused, OverBudget
from usage.estimates import measure
from usage.metering import Caller
from usage.models import Budget, Hold

from .budgeting import DOLLAR, budget, counters, counters_are_true
from .conftest import SONNET, asking, database, ledger_is_whole, lines, made, open_holds
from .lines import line
from .moving_on import HAIKU, OPUS
from .test_admission import price

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


@pytest.fixture(autouse=True)
def _nothing_is_usual() -> Iterator[None]:
    usual_output.forget()
    yield
    usual_output.forget()


def quick(model: str = SONNET, **how: Any) -> MessageRequest:
    return asking(model, text="Here I am.", **how)


async def bound(caller: Caller, request: MessageRequest) -> int:
    """What is held for this request, in nano-dollars; counted nowhere."""
    async with metering.call(caller, request, purpose="chat", call_id=(call_id := uuid7())):
        found = await database(lambda: Hold.objects.get(call_id=call_id).amount_nano)
    return found


async def refused(caller: Caller, request: MessageRequest | None = None, **how: Any) -> CallRefused:
    """The call is refused for a budget: nothing is held, nothing asked, nothing written."""
    before = await database(lambda: (open_holds(), len(lines())))
    with pytest.raises(CallRefused) as refusal:
        async with metering.call(caller, request or quick(), purpose="chat", call_id=uuid7(), **how):
            raise AssertionError("it was let through")
    assert refusal.value.code == "over_budget"
    assert await database(lambda: (open_holds(), len(lines()))) == before
    await database(counters_are_true)
    return refusal.value


def detail(refusal: CallRefused) -> OverBudget:
    assert refusal.detail is not None
    return refusal.detail


async def test_what_was_held_becomes_what_it_cost(caller: Caller) -> None:
    mine = await database(budget)
    async with metering.call(caller, quick(), purpose="chat", call_id=(call_id := uuid7())) as call:
        hold = await database(lambda: Hold.objects.get(call_id=call_id))
        assert await database(lambda: counters(mine)) == (0, hold.amount_nano)
        assert hold.budget_lines == [{"period": hold.budget_lines[0]["period"], "amount": hold.amount_nano}]
        async for _event in call:
            pass
    assert call.settlement is not None
    assert 0 < call.settlement.cost_nano < hold.amount_nano
    assert await database(lambda: counters(mine)) == (call.settlement.cost_nano, 0)
    await database(counters_are_true)


async def test_a_full_budget_refuses_and_says_which_how_full_whose_and_until_when(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    team = await database(lambda: Team.objects.create(name="Blue"))
    caller = replace(caller, team_id=team.pk)
    mine = await database(
        lambda: budget(
            name="Blue, monthly",
            scope="member",
            scope_id=team.pk,
            limit=1_000,
            timezone="Europe/Berlin",
        )
    )
    refusal = await refused(caller)
    full = detail(refusal)
    assert (full.budget, full.subject, full.limit, full.used) == (mine.pk, person.pk, 1_000, 0)
    assert full.needed > 1_000
    assert "“Blue, monthly” has no room for this call" in refusal.message
    assert "of $0.000001 per month" in refusal.message
    assert "each member of the team “Blue”" in refusal.message
    assert "It resets on 1 " in refusal.message
    assert "00:00 (Europe/Berlin)" in refusal.message
    assert [seen for seen in vendor.app.counters.recent if seen["method"] == "POST"] == []


async def test_a_new_limit_is_in_force_for_the_next_call(caller: Caller) -> None:
    mine = await database(lambda: budget(limit=0))
    await refused(caller)
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=DOLLAR))
    done = await made(caller, quick())
    assert await database(lambda: counters(mine)) == (done.settlement.cost_nano, 0)
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=done.settlement.cost_nano))
    await refused(caller)


@pytest.mark.parametrize("measure_", ["requests", "tokens"])
async def test_requests_and_tokens_are_limited_as_money_is(caller: Caller, measure_: str) -> None:
    limit = 2 if measure_ == "requests" else 2_000
    mine = await database(lambda: budget(measure=measure_, limit=limit))
    await made(caller, quick())
    assert measure_ == "requests" or await database(lambda: counters(mine)[0]) == await database(
        lambda: sum(found.prompt_tokens + found.output_tokens for found in lines())
    )
    await made(caller, quick())
    await database(counters_are_true)
    asked = quick() if measure_ == "requests" else quick(max_tokens=2_000)
    message = (await refused(caller, asked)).message
    assert f"2,000 {measure_}" in message if measure_ == "tokens" else "2 of 2 requests" in message


async def test_all_budgets_of_a_payer_must_have_room(caller: Caller, person: User) -> None:
    wide = await database(budget)
    tight = await database(lambda: budget(name="Ada", scope="person", scope_id=person.pk, limit=1))
    assert detail(await refused(caller)).budget == tight.pk
    assert await database(lambda: counters(wide)) == (0, 0)
    await made(replace(caller, user_id=(await database(another)).pk), quick())


def another() -> User:
    return actions.create_user(email="bob@example.org", password="correct horse battery", display_name="Bob")


async def test_a_warning_budget_lets_through_and_marks_the_hold(caller: Caller) -> None:
    mine = await database(lambda: budget(mode="warn", limit=1))
    done = await made(caller, quick())
    hold = await database(lambda: Hold.objects.get(call_id=done.id))
    assert hold.budget_lines[0]["over"] is True
    assert await database(lambda: counters(mine)) == (done.settlement.cost_nano, 0)
    await database(counters_are_true)


async def test_a_cheaper_model_answers_when_the_budget_is_full(caller: Caller) -> None:
    mine = await database(lambda: budget(mode="cheaper", cheaper_model=HAIKU, limit=1))
    done = await made(caller, quick())
    assert done.call.route.model == HAIKU.partition("/")[2]
    assert done.call.fell_back_from == SONNET
    [passed] = done.call.fallbacks
    assert passed.reason == "The budget “Everything” is used up."
    hold = await database(lambda: Hold.objects.get(call_id=done.id))
    assert hold.model == HAIKU.partition("/")[2]
    assert hold.budget_lines[0]["over"] is True
    assert await database(lambda: counters(mine)) == (done.settlement.cost_nano, 0)
    await database(counters_are_true)


async def test_with_room_the_model_asked_for_answers(caller: Caller) -> None:
    await database(lambda: budget(mode="cheaper", cheaper_model=HAIKU))
    done = await made(caller, quick())
    assert done.call.route.model == SONNET.partition("/")[2]
    assert done.call.fallbacks == []


async def test_thinking_that_is_bound_is_left_out_for_the_cheaper_model(caller: Caller) -> None:
    await database(lambda: budget(mode="cheaper", cheaper_model=HAIKU, limit=1))
    done = await made(caller, quick(), only_account="acct", without_thinking=quick())
    assert done.call.fell_back_from == SONNET
    assert not done.call.whole
    await refused(caller, only_account="acct")


@pytest.mark.parametrize("ref", [OPUS, SONNET])
async def test_a_model_that_is_no_cheaper_changes_nothing(caller: Caller, ref: str) -> None:
    await database(lambda: budget(mode="cheaper", cheaper_model=ref, limit=1))
    done = await made(caller, quick())
    assert done.call.route.model == SONNET.partition("/")[2]
    assert done.call.fallbacks == []
    hold = await database(lambda: Hold.objects.get(call_id=done.id))
    assert hold.budget_lines[0]["over"] is True


async def test_a_cheaper_model_that_cannot_be_asked_leaves_the_refusal(caller: Caller) -> None:
    await database(lambda: budget(mode="cheaper", cheaper_model="openai/gpt-never", limit=1))
    await refused(caller)


async def test_the_cheaper_model_may_be_what_a_refusing_budget_has_room_for(caller: Caller) -> None:
    dear, cheap = await bound(caller, quick()), await bound(caller, quick(HAIKU))
    assert cheap < dear
    await database(lambda: Hold.objects.count())
    spent = sum(found.cost_nano for found in await database(lines))
    await database(lambda: budget(name="Hard", limit=spent + cheap))
    await refused(caller)
    await database(lambda: budget(name="Soft", mode="cheaper", cheaper_model=HAIKU, limit=spent + 1))
    done = await made(caller, quick())
    assert done.call.route.model == HAIKU.partition("/")[2]


async def test_a_free_model_answers_when_the_money_is_spent(caller: Caller) -> None:
    free = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), 0)
    await database(lambda: price("claude-haiku-5-5", valid_from=timezone.now(), **free))
    mine = await database(budget)
    spent = (await made(caller, quick())).settlement.cost_nano
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=spent // 2))
    await refused(caller)
    await made(caller, quick(HAIKU))
    assert await database(lambda: counters(mine)) == (spent, 0)
    await database(lambda: budget(name="Calls", limit=2, measure="requests"))
    await refused(caller, quick(HAIKU))


async def test_an_estimated_budget_asks_for_what_such_calls_usually_need(caller: Caller) -> None:
    request = quick(max_tokens=50_000)
    strict = await bound(caller, request)
    await database(lambda: [line(output_tokens=number, cost_nano=0) for number in range(1, 101)])
    mine = await database(lambda: budget(limit=strict // 2))
    await refused(caller, request)
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(admission="estimated"))
    async with metering.call(caller, request, purpose="chat", call_id=uuid7()) as call:
        held = (await database(lambda: counters(mine)))[1]
        assert 95 * 10_000 < held < strict // 10
        async for _event in call:
            pass
    await database(counters_are_true)


async def test_without_answers_to_learn_from_the_longest_counts(caller: Caller) -> None:
    await database(lambda: [line(output_tokens=1, cost_nano=0) for _ in range(5)])
    await database(lambda: budget(limit=20_000_000, admission="estimated"))
    await refused(caller, quick(max_tokens=50_000))


async def test_an_answer_may_be_kept_short_enough_to_fit(caller: Caller, vendor: ThreadServer) -> None:
    request = quick(max_tokens=50_000)
    room = await bound(caller, request) // 3
    spent = sum(found.cost_nano for found in await database(lines))
    mine = await database(lambda: budget(limit=spent + room))
    assert detail(await refused(caller, request)).fits is not None
    async with metering.call(
        caller, request, purpose="chat", call_id=(call_id := uuid7()), may_shorten=True
    ) as call:
        hold = await database(lambda: Hold.objects.get(call_id=call_id))
        assert 1_024 <= hold.max_tokens < 50_000
        # not one token could be added
        assert room - 10_000 < (await database(lambda: counters(mine)))[1] <= room
        async for _event in call:
            pass
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(limit=0))
    await refused(caller, request, may_shorten=True)


async def test_a_budget_that_was_off_has_counted_when_it_is_on_again(caller: Caller) -> None:
    mine = await database(budget)
    first = await made(caller, quick())
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(enabled=False, limit=1))
    second = await made(caller, quick())
    both = first.settlement.cost_nano + second.settlement.cost_nano
    assert await database(lambda: counters(mine)) == (both, 0)
    await database(lambda: Budget.objects.filter(pk=mine.pk).update(enabled=True))
    assert detail(await refused(caller)).used == both


async def test_a_call_that_runs_while_a_budget_is_made_counts_in_it(caller: Caller) -> None:
    async with metering.call(caller, quick(), purpose="chat", call_id=uuid7()) as early:
        mine = await database(budget)
        late = await made(caller, quick())
        assert await database(lambda: counters(mine)) == (late.settlement.cost_nano, 0)
        async for _event in early:
            pass
    assert early.settlement is not None
    both = early.settlement.cost_nano + late.settlement.cost_nano
    assert await database(lambda: counters(mine)) == (both, 0)
    await database(counters_are_true)


async def test_an_admission_that_is_run_again_takes_once(caller: Caller) -> None:
    """As when the answer to its commit was lost; also where the first run has filled the budget."""
    request = quick()
    asked = Asked(
        hold_id=uuid7(),
        call_id=uuid7(),
        caller=caller,
        spec=await resolve(caller, SONNET),
        request=request,
        size=measure(request),
        purpose="chat",
    )
    mine = await database(lambda: budget(measure="requests", limit=1))
    first = await database(lambda: admission.admit(asked))
    again = await database(lambda: admission.admit(asked))
    assert again.hold.pk == first.hold.pk
    assert await database(lambda: counters(mine)) == (0, 1)
    await database(metering.sweep_all)
    assert await database(lambda: counters(mine)) == (1, 0)
    await database(ledger_is_whole)


async def test_states_say_how_full_everything_is_for_a_person(caller: Caller, person: User) -> None:
    await database(lambda: [line(cost_nano=10, user=person.pk), line(cost_nano=5)])
    mine = await database(lambda: budget(name="Ada", scope="person", scope_id=person.pk, limit=20))
    every = await database(lambda: budget(limit=20, period="total"))
    await database(lambda: budget(name="Bob", scope="person", scope_id=uuid7()))
    found = await database(lambda: budgets.states(person))
    assert [(state.budget, state.settled, state.left) for state in found] == [(every, 15, 5), (mine, 10, 10)]
    assert found[0].share == 0.75
    assert found[0].resets_at is None
    assert [state.budget.name for state in await database(budgets.every_state)] == [
        "Everything",
        "Ada",
        "Bob",
    ]
