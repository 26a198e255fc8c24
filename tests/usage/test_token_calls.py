"""Calls that an access token asks for: kept to its models, ended with it, and counted under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from accounts.ids import uuid7
from accounts.models import Membership, Team, User
from accounts.tokens.authentication import authenticate
from providers.simulator.server import ThreadServer
from usage.access_tokens import actions, lines
from usage.caller import Caller
from usage.calls import counts, revoked
from usage.calls.open_calls import open_calls
from usage.errors import CallRefused, TokenEnded
from usage.models import Budget, Hold

from .conftest import SONNET, asking, database, ledger_is_whole, made, open_holds
from .conftest import lines as ledger_lines
from .moving_on import HAIKU, OPUS, chain, once
from .test_revoked import at_the_vendor, hang

pytestmark = pytest.mark.services


@pytest.fixture
def team(person: User) -> Team:
    found = Team.objects.create(name="Design")
    Membership.objects.create(user=person, team=found)
    return found


def given(person: User, **more: Any) -> Caller:
    """What the front door makes of a request with a new token."""
    values: dict[str, Any] = {"name": "laptop", "scopes": ["messages"], "expires_at": None, "by": person}
    found = actions.make(person=person, **(values | more))
    assert found is not None
    bearer = authenticate(found.text.reveal(), scope="messages")
    return Caller(
        user_id=bearer.person.pk, team_id=bearer.team_id, token_id=bearer.token_id, models=bearer.models
    )


async def test_what_a_token_spends_is_counted_under_it(
    person: User, team: Team, vendor: ThreadServer
) -> None:
    caller = await database(lambda: given(person, team=team, monthly_nano=10**12))
    done = await made(caller, asking(text="Hi"))
    (line,) = await database(lambda: ledger_lines(done.id))
    assert (line.token, line.team, line.user) == (caller.token_id, team.pk, person.pk)
    (shown,) = await database(lambda: lines.of_person(person))
    assert shown.spent.cost_nano == line.cost_nano > 0
    assert [one.spent.cost_nano for one in await database(lambda: lines.of_team(team))] == [line.cost_nano]


async def test_a_token_is_kept_to_its_models_whatever_they_are_called(
    person: User, vendor: ThreadServer
) -> None:
    caller = await database(lambda: given(person, models=[HAIKU]))
    for name in (SONNET, OPUS, "anthropic/claude-haiku-4-5-20251001"):
        with pytest.raises(CallRefused) as refused:
            await made(caller, asking(model=name))
        assert (refused.value.code, "not for" in refused.value.message) == ("not_allowed", True)
        with pytest.raises(CallRefused):
            await counts.count(caller, asking(model=name))
    assert await database(lambda: Hold.objects.count()) == 0
    assert (await made(caller, asking(model=HAIKU, text="Hi"))).error is None


async def test_a_fallback_does_not_leave_the_tokens_models(person: User, vendor: ThreadServer) -> None:
    await chain(OPUS, HAIKU)
    caller = await database(lambda: given(person, models=[SONNET, HAIKU]))
    done = await made(caller, asking(**once(529)))
    assert done.call.route.model == "claude-haiku-5-5"


async def test_a_full_budget_of_the_token_refuses_it_alone(person: User, vendor: ThreadServer) -> None:
    caller = await database(lambda: given(person, monthly_nano=1))
    with pytest.raises(CallRefused) as refused:
        await made(caller, asking())
    assert refused.value.code == "over_budget" and "this access token" in refused.value.message
    assert (await made(replace(caller, token_id=None), asking(text="Hi"))).error is None
    assert await database(lambda: Budget.objects.get().scope) == "token"


@pytest.mark.parametrize("how", ["revoked", "out of the team", "deactivated"])
async def test_what_runs_is_closed_upstream_and_settled_when_the_token_ends(
    how: str, person: User, team: Team, vendor: ThreadServer
) -> None:
    caller = await database(lambda: given(person, team=team))
    call_id, begun = uuid7(), asyncio.Event()
    running = asyncio.create_task(hang(caller, call_id, begun, text="Some words.", hang_after=4))
    await begun.wait()
    await revoked.look()
    assert not running.done(), "nothing has ended yet"
    match how:
        case "revoked":
            token = await database(lambda: person.access_tokens.get())
            await database(lambda: actions.revoke(token=token, by=person))
        case "out of the team":
            await database(lambda: Membership.objects.all().delete())
        case _:
            await database(lambda: User.objects.update(is_active=False))
    await revoked.look()
    with pytest.raises(TokenEnded):
        await running
    (line,) = await database(lambda: ledger_lines(call_id))
    assert (line.token, line.outcome, line.error) == (caller.token_id, "stopped", "token_ended")
    assert line.cost_nano > 0
    await at_the_vendor(vendor, "stats?wait=streams_cancelled:1&timeout=5", "GET")
    assert await database(open_holds) == 0
    await database(ledger_is_whole)
    assert len(open_calls()) == 0


async def test_a_call_without_a_token_goes_on_when_one_ends(
    person: User, caller: Caller, vendor: ThreadServer
) -> None:
    await database(lambda: given(person))
    begun = asyncio.Event()
    running = asyncio.create_task(hang(caller, uuid7(), begun, text="Some words.", hang_after=4))
    await begun.wait()
    await database(lambda: actions.revoke(token=person.access_tokens.get(), by=person))
    await revoked.look()
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
