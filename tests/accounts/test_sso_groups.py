"""What groups at the provider give: teams, their management, the role of admin; and what they take back."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AuditEvent, Membership, SignInConnection, SignInProvider, Team, User
from accounts.people import people
from accounts.single_sign_on import providers
from tests.openid import OpenIDProvider

from .signing_in import is_signed_in, verbs
from .signing_on import confirmed, made, open_to, sign_on

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def design(owner: User) -> Team:
    return Team.objects.create(name="Design")


@pytest.fixture
def provider(owner: User, design: Team, idp: OpenIDProvider) -> SignInProvider:
    open_to(by=owner)
    rules = [
        {"group": "designers", "team": str(design.pk), "team_role": "member", "role": ""},
        {"group": "leads", "team": str(design.pk), "team_role": "manager", "role": ""},
        {"group": "admins", "team": None, "team_role": "member", "role": "admin"},
    ]
    return made(idp, groups_claim="groups", groups=rules)


def come(idp: OpenIDProvider, provider: SignInProvider, *groups: str, **more: Any) -> User:
    idp.person["groups"] = list(groups)
    answer = sign_on(idp, provider)
    assert is_signed_in(answer.browser)
    return User.objects.get(email="ada@example.org")


def role_in(team: Team, person: User) -> str | None:
    return Membership.objects.filter(team=team, user=person).values_list("role", flat=True).first()


def test_a_group_gives_a_team_and_its_end_takes_it_back(
    idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    person = come(idp, provider, "designers", "others")
    assert role_in(design, person) == "member"
    come(idp, provider, "designers", "leads")
    assert role_in(design, person) == "manager"
    come(idp, provider, "designers")
    assert role_in(design, person) == "member"
    come(idp, provider)
    assert role_in(design, person) is None
    assert [verb for verb in verbs(person) if verb.startswith("membership")] == [
        "membership.changed",
        "membership.changed",
        "membership.changed",
        "membership.ended",
    ]
    assert set(AuditEvent.objects.filter(verb__startswith="membership").values_list("via", flat=True)) == {
        "single sign-on"
    }


def test_what_was_given_by_hand_stays_as_it_is(
    owner: User, idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    person = come(idp, provider)
    people.put_in_team(by=owner, person=person, team=design, role="member")
    come(idp, provider, "leads")
    assert role_in(design, person) == "member"
    come(idp, provider)
    assert role_in(design, person) == "member"


def test_a_group_makes_an_admin_and_its_end_a_member_again(
    idp: OpenIDProvider, provider: SignInProvider
) -> None:
    person = come(idp, provider, "admins")
    assert person.role == "admin"
    assert come(idp, provider).role == "member"
    assert verbs(person).count("person.role_changed") == 2


def test_an_admin_by_hand_stays_one(owner: User, idp: OpenIDProvider, provider: SignInProvider) -> None:
    person = come(idp, provider)
    people.change_role(by=owner, person=person, role="admin")
    come(idp, provider, "admins")
    assert come(idp, provider).role == "admin"


def test_nobody_becomes_an_owner_and_an_owner_stays_one(
    owner: User, idp: OpenIDProvider, provider: SignInProvider
) -> None:
    person = come(idp, provider)
    people.change_role(by=owner, person=person, role="owner")
    assert come(idp, provider, "admins").role == "owner"
    assert come(idp, provider).role == "owner"
    provider.groups = [{"group": "kings", "team": None, "team_role": "member", "role": "owner"}]
    provider.save()
    User.objects.filter(pk=person.pk).update(role="member")
    assert come(idp, provider, "kings").role == "member", "also by a rule that stands there wrongly"


def test_groups_that_the_provider_does_not_tell_in_full_change_nothing(
    idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    person = come(idp, provider, "designers", "admins")
    del idp.person["groups"]
    idp.person["_claim_names"] = {"groups": "src1"}
    sign_on(idp, provider)
    person.refresh_from_db()
    assert (role_in(design, person), person.role) == ("member", "admin")


def test_a_claim_that_is_missing_means_no_group(
    idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    person = come(idp, provider, "designers")
    del idp.person["groups"]
    sign_on(idp, provider)
    assert role_in(design, person) is None


@pytest.mark.parametrize("value", [7, {"a": 1}, [[], None, 3], "x" * 10_000, [{"name": "designers"}]])
def test_nonsense_in_the_claim_gives_nothing(
    idp: OpenIDProvider, provider: SignInProvider, design: Team, value: Any
) -> None:
    idp.person["groups"] = value
    answer = sign_on(idp, provider)
    assert is_signed_in(answer.browser)
    assert not Membership.objects.exists()


def test_groups_lie_deeper_where_the_claims_name_says_so(
    idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    provider.groups_claim = "realm_access.roles"
    provider.save()
    idp.person["realm_access"] = {"roles": ["designers"]}
    sign_on(idp, provider)
    assert role_in(design, User.objects.get(email="ada@example.org")) == "member"


def test_a_team_that_is_gone_is_passed_over(
    idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    design.delete()
    come(idp, provider, "designers")
    assert not Membership.objects.exists()


def test_disconnecting_and_removing_take_back_what_groups_gave(
    owner: User, idp: OpenIDProvider, provider: SignInProvider, design: Team
) -> None:
    person = come(idp, provider, "designers", "admins")
    person.set_password("a lamp, two rivers")
    person.save()
    client = confirmed(person)
    client.post(f"/settings/security/disconnect/{SignInConnection.objects.get().pk}/")
    person.refresh_from_db()
    assert (role_in(design, person), person.role) == (None, "member")
    idp.person["sub"] = "ada-3"
    come(idp, provider, "designers", "admins")
    providers.remove(provider, by=owner)
    person.refresh_from_db()
    assert (role_in(design, person), person.role) == (None, "member")
