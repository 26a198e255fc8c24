"""Manage, Health: for whom it is, that its numbers open the rows that they count, and its one action."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.models import Credential, Organisation, User
from providers import resilience
from providers.access import Secret
from providers.errors import Overloaded, ServerError
from providers.resilience import Guards, Key
from providers.simulator.server import ThreadServer
from usage.models import Hold

from .holds import hold
from .lines import failed, line

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/manage/health/"


@pytest.fixture
def owner(transactional_db: None) -> User:
    person = actions.create_user(email="o@example.org", password="correct horse battery", display_name="Olu")
    User.objects.filter(pk=person.pk).update(role="owner")
    Organisation.objects.get_or_create(defaults={"name": "House"})
    person.refresh_from_db()
    return person


@pytest.fixture
def manager(owner: User, client: Client) -> Client:
    client.force_login(owner)
    return client


def shown(manager: Client, **query: str) -> str:
    answer = manager.get(PAGE, query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def key(owner: User | Organisation, vendor: ThreadServer, secret: str = "sk-good") -> Credential:
    whose = "person" if isinstance(owner, User) else "organisation"
    return Credential.objects.create(
        **{whose: owner},
        provider="anthropic",
        base_url=vendor.base_url,
        secret=Secret(secret),
        hint=secret[-4:],
        label="" if isinstance(owner, User) else "Main key",
    )


def test_it_is_for_admins_alone(client: Client, owner: User, person: User) -> None:
    assert client.get(PAGE).status_code == 302
    assert client.post(reverse("usage:try_now")).status_code == 302
    client.force_login(person)
    assert client.get(PAGE).status_code == 404
    assert client.post(reverse("usage:try_now"), {"provider": "anthropic"}).status_code == 404
    client.force_login(owner)
    assert client.get(PAGE).status_code == 200


def test_an_empty_page_says_what_belongs_there(manager: Client) -> None:
    assert "No calls in this time" in shown(manager)


@pytest.mark.parametrize(("period", "calls"), [("hour", 3), ("day", 5), ("week", 6), ("century", 5)])
def test_the_period_is_in_the_address(manager: Client, period: str, calls: int) -> None:
    for ago in (60, 600, 3000, 4000, 80_000, 500_000, 900_000):
        line(ago=ago)
    assert f'#calls">{calls}</a>' in shown(manager, period=period)


def test_every_number_opens_the_rows_that_it_counts(manager: Client) -> None:
    good = [line(ago=number * 100, vendor_request_id=f"msg_good_{number}") for number in range(1, 8)]
    bad = [failed(ago=number * 90, vendor_request_id=f"req_bad_{number}") for number in range(1, 4)]
    failed("invalid_request_error", vendor_request_id="req_wrong")
    failed("circuit_open", vendor_request_id="req_none")
    line(provider="openai", vendor_request_id="msg_other")
    overview = shown(manager, period="hour")
    assert ">11</a>" in overview
    assert ">3 failed</a>" in overview
    assert "70.0 %" in overview
    everything = shown(manager, period="hour", provider="anthropic", key="environment")
    listed = set(re.findall(r'class="code">([^<]+)<', everything))
    assert listed == {one.vendor_request_id for one in [*good, *bad]} | {"req_wrong"}
    only = shown(manager, period="hour", provider="anthropic", key="environment", only="failed")
    assert set(re.findall(r'class="code">([^<]+)<', only)) == {one.vendor_request_id for one in bad}


def test_the_newest_fifty_are_listed(manager: Client) -> None:
    for number in range(60):
        line(ago=number + 1, vendor_request_id=f"msg_{number:02d}")
    listed = re.findall(r'class="code">([^<]+)<', shown(manager, provider="anthropic", key="environment"))
    assert listed == [f"msg_{number:02d}" for number in range(50)]


def test_the_last_error_and_what_is_open_are_shown(manager: Client) -> None:
    failed("overloaded_error", ago=500)
    failed("timeout_error", ago=50, model_asked="claude-opus-5-5")
    line(ago=5)
    hold(), hold(), hold(state=Hold.State.CLOSED)
    text = shown(manager)
    assert "Too slow" in text
    assert "Overloaded" not in text
    assert 'data-label="Open" data-figure>2<' in text


def test_a_degradation_is_said_at_the_top(manager: Client) -> None:
    for _ in range(60):
        line(ago=5000)
    for _ in range(12):
        failed(ago=60)
    text = shown(manager)
    assert "became worse in the last 15 minutes:</b> 12 of the last 12 calls failed." in text


def test_somebody_elses_own_key_is_counted_and_not_named(
    manager: Client, person: User, vendor: ThreadServer
) -> None:
    own, shared = key(person, vendor, "sk-secret-of-ada-9876"), key(Organisation.objects.get(), vendor)
    line(credential=own.pk, credential_scope="person")
    line(credential=shared.pk, credential_scope="organisation")
    text = shown(manager)
    assert "A key of somebody&#x27;s own" in text
    assert "9876" not in text
    assert "Main key" in text
    assert text.count("Try now") == 1


def test_the_page_asks_the_database_as_often_for_many_rows_as_for_few(
    manager: Client, vendor: ThreadServer, django_assert_num_queries: Any
) -> None:
    organisation = Organisation.objects.get()
    for _ in range(12):
        one = key(organisation, vendor)
        for _ in range(3):
            line(credential=one.pk, credential_scope="organisation")
            failed(credential=one.pk, credential_scope="organisation")
    # session, person, organisation, waiting requests; figures, faults, holds, keys; calls
    with django_assert_num_queries(9):
        shown(manager, provider="anthropic", key=str(one.pk))


def in_trouble(address: str, credential: str) -> asyncio.AbstractEventLoop:
    """A loop of this process that serves, with a broken circuit and a cooling model."""

    async def fail() -> None:
        guard = resilience.guards().of(Key("anthropic", address, credential))
        permit = guard.breaker.enter()
        assert permit is not None
        guard.failed("claude-opus-5-5", permit, Overloaded("Too busy today.", retry_after=170.0))
        for _ in range(5):
            permit = guard.breaker.enter()
            assert permit is not None
            guard.failed("claude-opus-5-5", permit, ServerError())

    loop = asyncio.new_event_loop()
    loop.run_until_complete(fail())
    return loop


def test_the_state_of_this_process_is_shown_and_a_try_ends_it(manager: Client, vendor: ThreadServer) -> None:
    loop = in_trouble(vendor.base_url, "environment")
    try:
        line()
        text = shown(manager)
        assert "Resting" in text
        assert "asked again in 5 minutes" in text
        assert "claude-opus-5-5</bdi>: asked again in 3 minutes" in text
        answer = manager.post(
            reverse("usage:try_now"),
            {"provider": "anthropic", "key": "environment", "period": "week"},
            follow=True,
        )
        assert answer.redirect_chain == [(f"{PAGE}?period=week", 302)]
        text = answer.content.decode()
        assert "answers and takes the key" in text
        assert "Ready" in text
        assert "Resting" not in text
    finally:
        loop.close()


def test_a_try_that_fails_leaves_the_circuit_on_trial(
    manager: Client, vendor: ThreadServer, settings: Any
) -> None:
    loop = in_trouble(vendor.base_url, "environment")
    settings.PROVIDER_ENVIRONMENT["anthropic"]["api_key"] = Secret("sk-sim-503")
    try:
        answer = manager.post(
            reverse("usage:try_now"), {"provider": "anthropic", "key": "environment"}, follow=True
        )
        assert "does not answer well now" in answer.content.decode()
        assert "On trial" in answer.content.decode()
    finally:
        loop.close()


def test_a_stored_key_that_is_refused_when_tried_is_marked(manager: Client, vendor: ThreadServer) -> None:
    one = key(Organisation.objects.get(), vendor, "sk-sim-401")
    manager.post(reverse("usage:try_now"), {"provider": "anthropic", "key": str(one.pk)})
    one.refresh_from_db()
    assert one.state == "invalid"


@pytest.mark.parametrize(
    ("provider", "place"),
    [
        ("anthropic", "nonsense"),
        ("nobody", "environment"),
        ("anthropic", "11111111-1111-7111-8111-111111111111"),
        ("", ""),
    ],
)
def test_nothing_else_can_be_tried(manager: Client, vendor: ThreadServer, provider: str, place: str) -> None:
    answer = manager.post(reverse("usage:try_now"), {"provider": provider, "key": place})
    assert answer.status_code == 404


def test_somebody_elses_own_key_cannot_be_tried(manager: Client, person: User, vendor: ThreadServer) -> None:
    own = key(person, vendor)
    answer = manager.post(reverse("usage:try_now"), {"provider": "anthropic", "key": str(own.pk)})
    assert answer.status_code == 404
    assert vendor.app.counters.counts["requests"] == 0


def test_a_loop_of_its_own_keeps_its_own_guards() -> None:
    async def put() -> Guards:
        mine = Guards()
        resilience.use(mine)
        return resilience.guards()

    assert asyncio.run(put()) is not asyncio.run(put())
