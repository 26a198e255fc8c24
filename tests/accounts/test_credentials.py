"""Whose key serves a call: person, team, organisation, environment, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.keys import credentials
from accounts.keys.credentials import blocked_reason, for_call, mark_invalid, mark_used, usable_providers
from accounts.models import Credential, Membership, Organisation, Team, User
from providers.access import Secret

from .conftest import BASE_URL


@pytest.fixture
def team(member: User) -> Team:
    team = Team.objects.create(name="Harbour")
    Membership.objects.create(user=member, team=team)
    return team


def add(secret: str, **more: Any) -> Credential:
    values = {"provider": "anthropic", "base_url": BASE_URL, "secret": Secret(secret)} | more
    return Credential.objects.create(**values)


def serve(person: User, team: Team | None = None) -> list[tuple[str, str]]:
    choices = for_call(person.pk, team.pk if team else None, "anthropic")
    return [
        (choice.scope, choice.access.secret.reveal() if choice.access.secret else "") for choice in choices
    ]


def test_the_order_is_person_team_organisation_environment(
    member: User, team: Team, key_in_environment: Secret
) -> None:
    add("organisation-key", organisation=Organisation.objects.get())
    add("team-key", team=team)
    add("older-key", person=member)
    add("newer-key", person=member)
    assert serve(member, team) == [
        ("person", "newer-key"),
        ("person", "older-key"),
        ("team", "team-key"),
        ("organisation", "organisation-key"),
        ("environment", key_in_environment.reveal()),
    ]


def test_it_takes_one_query(member: User, team: Team, django_assert_num_queries: Any) -> None:
    add("team-key", team=team)
    add("own-key", person=member)
    serve(member, team)  # the data key is known to the process from here on
    with django_assert_num_queries(1):
        assert len(serve(member, team)) == 2


def test_keys_of_other_people_and_teams_serve_nobody_else(member: User, team: Team, stranger: User) -> None:
    add("own-key", person=member)
    add("team-key", team=team)
    assert serve(stranger, team) == []
    assert serve(stranger) == []
    assert [scope for scope, _ in serve(member)] == ["person"]


def test_a_deactivated_person_is_served_by_none(member: User) -> None:
    add("organisation-key", organisation=Organisation.objects.get())
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert serve(member) == []


def test_a_refused_key_is_not_replaced_by_somebody_elses(member: User, key_in_environment: Secret) -> None:
    own = add("own-key", person=member)
    add("organisation-key", organisation=Organisation.objects.get())
    mark_invalid(own.pk, "The provider refused the key.")
    assert serve(member) == []
    assert usable_providers(member.pk, None) == set()
    reason = blocked_reason(member.pk, None, "anthropic")
    assert reason == "Your Anthropic key cannot be used. The provider refused the key. Enter it again."


def test_a_second_key_of_the_same_owner_goes_on_serving(member: User) -> None:
    add("good-key", person=member)
    mark_invalid(add("bad-key", person=member).pk, "refused")
    assert serve(member) == [("person", "good-key")]
    assert usable_providers(member.pk, None) == {"anthropic"}


def test_expired_and_revoked_keys_do_not_serve(member: User) -> None:
    add("expired-key", person=member, expires_at=timezone.now() - timedelta(seconds=1))
    assert serve(member) == []
    assert "expired" in blocked_reason(member.pk, None, "anthropic")
    Credential.objects.update(state="revoked", secret=None)
    assert "There is no key" in blocked_reason(member.pk, None, "anthropic")


def test_a_key_goes_only_to_the_address_it_was_entered_for(member: User, settings: Any) -> None:
    add("own-key", person=member)
    settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": None, "base_url": "https://elsewhere.example"}}
    assert serve(member) == []
    assert "address was changed" in blocked_reason(member.pk, None, "anthropic")


def test_a_key_that_does_not_open_becomes_invalid(member: User) -> None:
    own = add("own-key", person=member)
    Credential.objects.filter(pk=own.pk).update(secret=b"\x01" + bytes(60))
    assert serve(member) == []
    own.refresh_from_db(fields=["state", "last_error"])
    assert (own.state, own.last_error) == ("invalid", "It can no longer be opened.")


def test_the_environment_serves_with_its_own_address(member: User, key_in_environment: Secret) -> None:
    (choice,) = for_call(member.pk, None, "anthropic")
    assert (choice.id, choice.scope, choice.access.base_url) == (None, "environment", BASE_URL)
    assert usable_providers(member.pk, None) == {"anthropic"}
    assert key_in_environment.reveal() not in repr(choice)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", lambda: "http://127.0.0.1:9"])
def test_the_demo_is_there_once_its_server_is(member: User, settings: Any, address: Any) -> None:
    assert for_call(member.pk, None, "demo") == []
    settings.DEMO_BASE_URL = address
    (choice,) = for_call(member.pk, None, "demo")
    assert (choice.scope, choice.access.secret, choice.access.base_url) == (
        "demo",
        None,
        "http://127.0.0.1:9",
    )
    assert usable_providers(member.pk, None) == {"demo"}


def test_an_unknown_provider_has_none(member: User) -> None:
    assert for_call(member.pk, None, "no-such-provider") == []


def test_use_is_noted_once_a_minute(member: User, django_assert_num_queries: Any) -> None:
    own = add("own-key", person=member)
    mark_used(own.pk)
    own.refresh_from_db(fields=["last_used_at"])
    assert own.last_used_at
    with django_assert_num_queries(0):
        mark_used(own.pk)
        mark_used(None)


def test_what_is_already_revoked_does_not_become_invalid(member: User) -> None:
    own = add("own-key", person=member)
    Credential.objects.update(state="revoked", secret=None)
    mark_invalid(own.pk, "late")
    mark_invalid(uuid4(), "unknown")
    mark_invalid(None, "environment")
    own.refresh_from_db()
    assert own.state == "revoked"


def test_a_credential_has_exactly_one_owner(member: User, team: Team) -> None:
    organisation = Organisation.objects.get()
    for owners in ({}, {"person": member, "team": team}, {"team": team, "organisation": organisation}):
        with pytest.raises(IntegrityError), transaction.atomic():
            add("a-key-of-many", **owners)


def test_the_newest_key_of_the_organisation_is_the_one_shown(member: User) -> None:
    organisation = Organisation.objects.get()
    add("first-key", organisation=organisation, hint="1111")
    add("second-key", organisation=organisation, hint="2222")
    shown = credentials.organisation_key("anthropic")
    assert shown
    assert shown.hint == "2222"
