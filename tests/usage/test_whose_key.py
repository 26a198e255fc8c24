"""With which of several keys a call is made, and that it is never somebody else's."""

from __future__ import annotations

import pytest

from accounts.models import Organisation, User
from providers import resilience
from providers.errors import AuthenticationError, Overloaded
from providers.heard import Head, Limits
from providers.resilience import Key
from providers.simulator.server import ThreadServer
from usage.errors import CallRefused
from usage.metering import Caller

from .conftest import asking, clock, database, lines, made
from .moving_on import HAIKU, chain, key, once

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


async def test_a_spend_limit_is_never_asked_again_with_the_same_key(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    second = await key(person, "sk-second", vendor)
    first = await key(person, "sk-first", vendor)
    script = once(429, deltas=2) | {"details": {"error_code": "enforced_spend_limit_reached"}}
    done = await made(caller, asking(**script))
    assert done.fold.complete
    assert [line.credential for line in await database(lambda: lines(done.id))] == [first.pk, second.pk]


async def test_a_cooling_credential_is_passed_over_for_another_of_the_same_owner(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    second = await key(person, "sk-second", vendor)
    first = await key(person, "sk-first", vendor)
    done = await made(caller, asking(**once(529)))
    assert [line.credential for line in await database(lambda: lines(done.id))] == [first.pk, second.pk]
    assert done.call.fallbacks == []  # the same model answers
    for _ in range(3):
        next_one = await made(caller, asking(text="Next."))
        assert next_one.call.route.credential_id == second.pk
    clock().now += 6
    done = await made(caller, asking(text="Later."))
    assert [line.credential for line in await database(lambda: lines(done.id))] == [first.pk]


async def test_a_refused_key_is_never_replaced_by_somebody_elses(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    """The person's two keys are refused; the organisation's and the environment's work, and stay unused."""
    await chain(HAIKU)
    organisation = await database(lambda: Organisation.objects.first() or Organisation.objects.create())
    shared = await key(organisation, "sk-shared", vendor)
    own = [await key(person, "sk-sim-401", vendor) for _ in range(2)]
    done = await made(caller, asking(text="Hi"))
    assert isinstance(done.error, AuthenticationError)
    used = {line.credential for line in await database(lambda: lines(done.id))}
    assert used == {one.pk for one in own}
    for one in own:
        await database(one.refresh_from_db)
        assert one.state == "invalid"
    await database(shared.refresh_from_db)
    assert (shared.state, shared.last_used_at) == ("active", None)
    with pytest.raises(CallRefused) as refused:
        await made(caller, asking(text="Hi"))
    assert refused.value.code == "no_credential"


async def test_one_of_two_keys_is_refused_and_marked_and_the_other_serves(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    good = await key(person, "sk-good", vendor)
    bad = await key(person, "sk-sim-401", vendor)
    done = await made(caller, asking(text="Hi"))
    assert done.fold.complete
    assert done.call.route.credential_id == good.pk
    await database(bad.refresh_from_db)
    await database(good.refresh_from_db)
    assert (bad.state, good.state) == ("invalid", "active")
    assert good.last_used_at is not None


async def test_a_persons_call_does_not_fall_back_on_the_organisations_key(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    organisation = await database(lambda: Organisation.objects.first() or Organisation.objects.create())
    await key(organisation, "sk-shared", vendor, provider="openai")
    own = await key(person, "sk-own", vendor)
    await chain("openai/gpt-5.5")
    done = await made(caller, asking(status=529))
    assert isinstance(done.error, Overloaded)
    assert {line.credential for line in await database(lambda: lines(done.id))} == {own.pk}


async def test_thinking_goes_to_its_own_account_alone(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    ours = await key(person, "sk-ours", vendor, account="org-ours")
    await key(person, "sk-other", vendor, account="org-other")
    await chain(HAIKU)
    request = asking(**once(529))
    done = await made(caller, request, only_account="org-ours")
    assert {line.credential for line in await database(lambda: lines(done.id))} == {ours.pk}
    assert {line.model_asked for line in await database(lambda: lines(done.id))} == {"claude-sonnet-5-5"}
    with pytest.raises(CallRefused) as refused:
        await made(caller, asking(text="Hi"), only_account="org-third")
    assert refused.value.code == "no_credential"


async def test_other_accounts_and_models_are_sent_the_request_without_thinking(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    await key(person, "sk-other", vendor, account="org-other")
    ours = await key(person, "sk-ours", vendor, account="org-ours")
    await chain(HAIKU)
    bodies = vendor.app.counters.recent
    stripped = asking(text="Stripped.")
    done = await made(caller, asking(status=529), only_account="org-ours", without_thinking=stripped)
    assert done.fold.complete
    assert done.call.route.model == "claude-sonnet-5-5"
    sent = ["Stripped" in seen["body"] for seen in bodies if seen["path"] == "/v1/messages"]
    assert sent == [False, True]
    first, second = await database(lambda: lines(done.id))
    assert (first.credential, second.credential != ours.pk) == (ours.pk, True)
    done = await made(
        caller, asking(text="Whole."), only_account="org-ours", without_thinking=stripped
    )  # ours still cools
    assert done.call.route.credential_id == second.credential


async def test_a_key_whose_queue_stands_is_passed_over_for_one_that_is_free(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    """The vendor said that nothing is left of the first key's limit for eight seconds."""
    second = await key(person, "sk-second", vendor)
    first = await key(person, "sk-first", vendor)
    clock()
    guard = resilience.guards().of(Key("anthropic", vendor.base_url, str(first.pk)))
    guard.hear("claude-sonnet-5-5", Head(status=200, limits=Limits(requests_left=0, requests_reset=8.0)))
    done = await made(caller, asking(text="Hi"))
    assert done.call.route.credential_id == second.pk
    guard = resilience.guards().of(Key("anthropic", vendor.base_url, str(second.pk)))
    guard.hear("claude-sonnet-5-5", Head(status=200, limits=Limits(requests_left=0, requests_reset=9.0)))
    before = clock().now
    done = await made(caller, asking(text="Hi"))
    assert (done.call.route.credential_id, clock().now - before) == (first.pk, 8.0)
