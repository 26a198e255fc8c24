"""Keys that people bring themselves: entered like any other, theirs alone, and only where allowed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys import policy as key_policy
from accounts.keys.owners import Owner
from accounts.keys.policy import KeyPolicy
from accounts.models import AuditEvent, Credential, LoginAttempt, Membership, Organisation, Team, User
from providers.access import Secret

from .conftest import BASE_URL, GOOD_KEY, Vendor, signed_in

LIST = "/settings/keys/"
ENTER = f"{LIST}add/anthropic/api_key/"
POLICY = "/manage/keys/policy/"


def own(person: User, **more: Any) -> Credential:
    return stored(Owner(person=person), **more)


def stored(owner: Owner, **more: Any) -> Credential:
    values: dict[str, Any] = {
        "provider": "anthropic",
        "kind": "api_key",
        "base_url": credentials.base_url("anthropic"),
        "secret": Secret("sk-ant-canary-stored-9274"),
        "options": {},
        "vendor_account": "org-mine",
        "label": "mine",
    }
    return key_actions.add_credential(owner=owner, **(values | more))


def of_everyone() -> Owner:
    return Owner(organisation=Organisation.objects.get())


def page(client: Client, path: str = LIST) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return str(response.content.decode())


def served(person: User, team: Team | None = None) -> list[str]:
    return [
        choice.scope for choice in credentials.for_call(person.pk, team.pk if team else None, "anthropic")
    ]


def allow(who: Any = "everybody", *providers: str, order: Any = "person") -> None:
    key_policy.change(policy=KeyPolicy(who, frozenset(providers), order), by=None, via="command")


def test_a_person_enters_a_key_that_serves_them_alone(member: User, stranger: User, vendor: Vendor) -> None:
    client = signed_in(member)
    assert "There is none" in page(client)
    response = client.post(ENTER, {"secret": GOOD_KEY, "label": "my own"})
    assert response.headers["Location"] == LIST
    key = Credential.objects.get()
    assert (key.person, key.scope, key.hint) == (member, "person", "7731")
    assert served(member) == ["person"]
    assert served(stranger) == []
    shown = page(client)
    assert "my own" in shown
    assert "canary" not in shown
    event = AuditEvent.objects.get(verb="credential.added")
    assert (event.actor, event.object) == (member.pk, str(key.pk))
    assert '"owner": "person"' in event.after


def test_it_is_tested_before_it_is_kept(member: User, vendor: Vendor) -> None:
    response = signed_in(member).post(ENTER, {"secret": "sk-ant-canary-wrong-5512"})
    assert response.status_code == 422
    assert "does not accept this key" in response.content.decode()
    assert not Credential.objects.exists()


@pytest.mark.parametrize("place", ["settings/keys", "keys", "manage/keys"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "{id}/replace/"),
        ("post", "{id}/replace/"),
        ("get", "{id}/change/"),
        ("post", "{id}/change/"),
        ("get", "{id}/revoke/"),
        ("post", "{id}/revoke/"),
        ("post", "{id}/check/"),
        ("get", "connect/anthropic/?replaces={id}"),
    ],
)
def test_nobody_else_can_touch_it_not_even_an_owner(
    owner: User, member: User, stranger: User, vendor: Vendor, place: str, method: str, path: str
) -> None:
    key = own(member)
    for person in (owner, stranger):
        answer = getattr(signed_in(person), method)(
            f"/{place}/{path.format(id=key.pk)}", {"secret": GOOD_KEY}
        )
        assert answer.status_code == 404
        nothing = getattr(signed_in(person), method)(f"/{place}/{path.format(id=uuid4())}")
        assert answer.content == nothing.content, "as for an id that never was"
    key.refresh_from_db()
    assert (key.state, key.label, vendor.seen) == ("active", "mine", [])


def test_strangers_are_asked_to_sign_in_and_the_deactivated_have_no_page(member: User) -> None:
    assert Client().get(LIST).headers["Location"].startswith("/login/")
    client = signed_in(member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert client.get(LIST).status_code in (302, 404)


def test_fields_that_are_not_asked_for_make_it_nobody_elses(
    member: User, stranger: User, vendor: Vendor
) -> None:
    extra = {"owner": "organisation", "person": str(stranger.pk), "team": str(uuid4()), "organisation": "1"}
    signed_in(member).post(ENTER, {"secret": GOOD_KEY, **extra})
    assert Credential.objects.get().person == member


def test_replacing_and_revoking_are_the_persons_own(member: User, vendor: Vendor) -> None:
    client, key = signed_in(member), own(member)
    client.post(f"{LIST}{key.pk}/replace/", {"secret": GOOD_KEY, "label": "new"})
    key.refresh_from_db()
    assert (key.state, key.has_secret) == ("revoked", False)
    new = Credential.objects.get(state="active")
    assert new.person == member
    client.post(f"{LIST}{new.pk}/revoke/")
    assert not Credential.objects.filter(state="active").exists()
    verbs = list(AuditEvent.objects.filter(kind="credential").values_list("verb", flat=True))
    assert sorted(verbs) == ["credential.added", "credential.replaced", "credential.revoked"]


def test_a_name_and_a_pause_are_saved(member: User) -> None:
    client, key = signed_in(member), own(member)
    path = f"{LIST}{key.pk}/change/"
    assert "mine" in page(client, path)
    client.post(path, {"label": "travel", "rank": "0", "rotate_by": "", "paused": "on"})
    key.refresh_from_db()
    assert (key.label, key.rank, key.paused, key.state) == ("travel", 0, True, "active")
    assert "Paused" in page(client)
    event = AuditEvent.objects.get(verb="credential.paused")
    assert '"label": "mine"' in event.before
    client.post(path, {"label": "travel", "rank": "0", "rotate_by": ""})
    assert AuditEvent.objects.filter(verb="credential.resumed").exists()


@pytest.mark.parametrize(
    ("rank", "rotate_by"), [("7", ""), ("", ""), ("1", "2020-01-01"), ("1", "tomorrow"), ("1", "01.02.2030")]
)
def test_settings_that_make_no_sense_are_not_saved(member: User, rank: str, rotate_by: str) -> None:
    key = own(member)
    response = signed_in(member).post(
        f"{LIST}{key.pk}/change/", {"label": "x", "rank": rank, "rotate_by": rotate_by}
    )
    assert response.status_code == 422
    key.refresh_from_db()
    assert key.label == "mine"


# Policy


def test_by_default_people_may_bring_keys_and_theirs_come_first(member: User) -> None:
    own(member)
    stored(of_everyone())
    assert KeyPolicy.current() == KeyPolicy()
    assert served(member) == ["person", "organisation"]


@pytest.mark.parametrize(
    ("who", "providers", "expected"),
    [
        ("nobody", (), ["organisation"]),
        ("some", ("openai",), ["organisation"]),
        ("some", ("openai", "anthropic"), ["person", "organisation"]),
        ("everybody", (), ["person", "organisation"]),
    ],
)
def test_what_is_not_allowed_is_passed_over(
    member: User, who: str, providers: tuple[str, ...], expected: list[str]
) -> None:
    own(member)
    stored(of_everyone())
    allow(who, *providers)
    assert served(member) == expected


def test_what_is_not_allowed_cannot_be_entered_and_says_so(member: User, vendor: Vendor) -> None:
    key = own(member)
    allow("nobody")
    client = signed_in(member)
    shown = page(client)
    assert "does not allow keys of people’s own" in shown
    assert "Not used" in shown
    assert f"{LIST}add/" not in shown
    for path in (ENTER, f"{LIST}{key.pk}/replace/"):
        assert client.post(path, {"secret": GOOD_KEY}).status_code == 404
    assert vendor.seen == []
    reason = credentials.blocked_reason(member.pk, None, "anthropic")
    assert "does not allow keys of people's own" in reason
    assert credentials.usable_providers(member.pk, None) == set()
    client.post(f"{LIST}{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.state == "revoked"


def test_the_organisation_may_come_first(member: User, key_in_environment: Secret) -> None:
    own(member, base_url=BASE_URL)
    allow(order="organisation")
    assert served(member) == ["environment", "person"]
    everyones = stored(of_everyone(), base_url=BASE_URL)
    assert served(member) == ["organisation", "environment", "person"]
    credentials.mark_invalid(everyones.pk, "refused")
    assert served(member) == [], "nobody's call moves on to the person's own key"
    assert "The organisation's" in credentials.blocked_reason(member.pk, None, "anthropic")
    assert credentials.usable_providers(member.pk, None) == set()


def test_teams_come_between(member: User) -> None:
    team = Team.objects.create(name="Harbour")
    Membership.objects.create(user=member, team=team)
    own(member)
    stored(Owner(team=team))
    stored(of_everyone())
    assert served(member, team) == ["person", "team", "organisation"]
    allow("nobody")
    assert served(member, team) == ["team", "organisation"]
    allow(order="organisation")
    assert served(member, team) == ["organisation", "person", "team"]


def test_before_a_call_it_stays_one_query(member: User, django_assert_num_queries: Any) -> None:
    own(member)
    allow("some", "anthropic", order="organisation")
    served(member)  # the data key is known to the process from here on
    with django_assert_num_queries(1):
        assert served(member) == ["person"]


def test_an_admin_decides_who_may(owner: User, member: User) -> None:
    client = signed_in(owner)
    assert signed_in(member).post(POLICY, {"who": "nobody", "order": "person"}).status_code == 404
    assert "everybody" in page(client, POLICY)
    response = client.post(POLICY, {"who": "some", "providers": ["anthropic"], "order": "organisation"})
    assert response.headers["Location"] == "/manage/keys/"
    assert KeyPolicy.current() == KeyPolicy("some", frozenset({"anthropic"}), "organisation")
    assert "for some providers" in page(client, "/manage/keys/")
    event = AuditEvent.objects.get(verb="policy.changed")
    assert event.actor == owner.pk
    assert '"anthropic"' in event.after


@pytest.mark.parametrize(
    "typed",
    [
        {"who": "some", "order": "person"},
        {"who": "some", "providers": "nobody-knows", "order": "person"},
        {"who": "strangers", "order": "person"},
        {"who": "nobody"},
    ],
)
def test_a_decision_that_makes_no_sense_is_not_saved(owner: User, typed: dict[str, Any]) -> None:
    assert signed_in(owner).post(POLICY, typed).status_code == 422
    assert KeyPolicy.current() == KeyPolicy()


@pytest.mark.parametrize(
    "held", ["nonsense", {"who": "friends"}, {"who": "some", "providers": "anthropic"}, 7]
)
def test_a_policy_that_is_not_understood_allows_least(held: Any) -> None:
    assert not KeyPolicy.of({"own_keys": held}).allows_own("anthropic")


def test_a_login_begun_as_an_admin_is_not_finished_after_the_role_is_gone(owner: User) -> None:
    attempt = LoginAttempt(person=owner, scope="organisation")
    assert Owner.of_attempt(attempt) == Owner(organisation=Organisation.objects.get())
    owner.role = "member"
    assert Owner.of_attempt(attempt) is None
