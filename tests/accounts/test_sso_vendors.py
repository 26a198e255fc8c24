"""Google, Microsoft and GitHub: what each means by a verified address, and what it names its groups."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Membership, SignInConnection, SignInProvider, Team, User
from accounts.single_sign_on.vendors import issuer_of
from tests.openid import OpenIDProvider

from .signing_in import is_signed_in
from .signing_on import NO_RULES, PAGE, confirmed, drafted, made, open_to, saved, sign_on, typed, went_through

pytestmark = [pytest.mark.django_db, pytest.mark.services]
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@pytest.fixture
def vendors(owner: User, idp: OpenIDProvider, settings: Any) -> OpenIDProvider:
    """The vendors' addresses, on this machine."""
    settings.SIGN_IN_ADDRESSES = {"google": idp.url, "microsoft": idp.url, "github": idp.url}
    open_to("example.org", "gmail.com", by=owner)
    return idp


def of(vendor: str, idp: OpenIDProvider, **more: Any) -> SignInProvider:
    idp.path = f"/{TENANT}/v2.0" if vendor == "microsoft" else ""
    issuer = issuer_of(vendor, TENANT if vendor == "microsoft" else "")
    return made(idp, vendor=vendor, name=vendor.title(), issuer=issuer, domains=[], **more)


# Google


@pytest.mark.parametrize(
    ("told", "comes_in"),
    [
        ({"hd": "example.org"}, True),
        ({"email": "ada@gmail.com"}, True),
        ({}, False),  # an account with an address of elsewhere
        ({"hd": "example.com"}, False),
        ({"hd": "example.org", "email_verified": False}, False),
    ],
)
def test_google_is_believed_where_it_is_authoritative(
    vendors: OpenIDProvider, told: dict[str, Any], comes_in: bool
) -> None:
    vendors.person.update(told)
    assert is_signed_in(sign_on(vendors, of("google", vendors)).browser) == comes_in


# Microsoft


@pytest.mark.parametrize(
    ("told", "comes_in"),
    [
        ({"xms_edov": True}, True),
        ({"xms_edov": "1"}, True),
        ({"email_verified": True}, False),  # Entra says no such thing; an app's owner could write it
        ({"xms_edov": False}, False),
        ({"email": None, "preferred_username": "ada@example.org", "xms_edov": True}, False),
    ],
)
def test_microsoft_is_believed_where_the_domains_owner_was_verified(
    vendors: OpenIDProvider, told: dict[str, Any], comes_in: bool
) -> None:
    vendors.person.update(told)
    assert is_signed_in(sign_on(vendors, of("microsoft", vendors)).browser) == comes_in


def test_microsofts_groups_are_object_ids_in_the_claim_groups(vendors: OpenIDProvider) -> None:
    team = Team.objects.create(name="Design")
    group = "0f6e3c2a-1111-4222-8333-944455556666"
    rules = [{"group": group, "team": str(team.pk), "team_role": "member", "role": ""}]
    vendors.person.update(xms_edov=True, groups=[group])
    sign_on(vendors, of("microsoft", vendors, groups=rules))
    assert Membership.objects.get().user.email == "ada@example.org"


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "example.org", "", "../x"])
def test_a_tenant_that_is_every_organisation_is_refused(vendors: OpenIDProvider, tenant: str) -> None:
    client = confirmed(User.objects.get(role="owner"))
    draft = drafted(client, "microsoft")
    answer = client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(vendors, issuer=tenant)})
    assert answer.status_code == 422


def test_microsoft_is_typed_by_its_tenant(vendors: OpenIDProvider) -> None:
    vendors.path = f"/{TENANT}/v2.0"
    client = confirmed(User.objects.get(role="owner"))
    provider = saved(vendors, client, typed(vendors, issuer=TENANT.upper()), "microsoft")
    assert provider.issuer == f"{vendors.url}/{TENANT}/v2.0"
    edited = client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"]
    assert TENANT in client.get(edited).content.decode()


# GitHub


@pytest.fixture
def github(vendors: OpenIDProvider) -> OpenIDProvider:
    vendors.person = {"sub": "4711", "id": 4711, "login": "ada", "name": "Ada Okafor"}
    vendors.emails = [
        {"email": "other@example.org", "primary": False, "verified": True},
        {"email": "Ada@example.org", "primary": True, "verified": True},
    ]
    return vendors


def test_who_comes_from_github_is_known_by_their_number(github: OpenIDProvider) -> None:
    provider = of("github", github)
    assert is_signed_in(sign_on(github, provider).browser)
    assert SignInConnection.objects.get().subject == "4711"
    assert User.objects.get(email="ada@example.org").display_name == "Ada Okafor"
    github.person.update(id=666)  # somebody else, who took the name
    assert not is_signed_in(sign_on(github, provider).browser)
    assert all(headers["user-agent"] for path, _, headers in github.asked if path.startswith("/api"))


@pytest.mark.parametrize(
    "emails",
    [
        [],
        [{"email": "ada@example.org", "primary": True, "verified": False}],
        [{"email": "ada@example.org", "primary": False, "verified": True}],
        {"message": "no"},
    ],
)
def test_github_without_a_verified_first_address_makes_no_account(
    github: OpenIDProvider, emails: Any
) -> None:
    github.emails = emails
    if isinstance(emails, dict):
        github.answers["/api/v3/user/emails"] = lambda: (403, {}, b"{}")
    assert not is_signed_in(sign_on(github, of("github", github)).browser)


def test_githubs_organisations_and_teams_are_groups(github: OpenIDProvider) -> None:
    team = Team.objects.create(name="Design")
    rules = [{"group": "lighthouse/design", "team": str(team.pk), "team_role": "manager", "role": ""}]
    github.orgs = [{"login": "lighthouse"}]
    # On the second page.
    github.teams = [{"slug": f"t{n}", "organization": {"login": "lighthouse"}} for n in range(100)]
    github.teams.append({"slug": "design", "organization": {"login": "lighthouse"}})
    provider = of("github", github, groups=rules)
    sign_on(github, provider)
    assert Membership.objects.get().role == "manager"
    # Teams that cannot be read are not none: the rights stay, and nobody gets in meanwhile.
    github.answers["/api/v3/user/teams"] = lambda: (403, {}, b"{}")
    assert not is_signed_in(sign_on(github, provider).browser)
    assert Membership.objects.exists()


def test_github_is_asked_for_organisations_only_where_they_count(github: OpenIDProvider) -> None:
    sign_on(github, of("github", github))
    assert not [path for path, _, _ in github.asked if path.endswith(("/orgs", "/teams"))]


def test_githubs_errors_that_come_with_200_are_errors(github: OpenIDProvider) -> None:
    github.answers["/login/oauth/access_token"] = lambda: (200, {}, b'{"error": "bad_verification_code"}')
    assert not is_signed_in(sign_on(github, of("github", github)).browser)


def test_github_is_tested_and_saved_by_the_pages(github: OpenIDProvider) -> None:
    client = confirmed(User.objects.get(role="owner"))
    draft = drafted(client, "github")
    fields = {"client_id": "parley-sso", "client_secret": "cs-canary-4c1f9b7e", "name": "GitHub", **NO_RULES}
    answer = went_through(github, client, draft, fields)
    page = client.get(answer.headers["Location"]).content.decode()
    assert "4711" in page
    assert "ada@example.org" in page
    assert client.post(answer.headers["Location"]).headers["Location"] == PAGE
    assert "Continue with <bdi>GitHub</bdi>" in Client().get("/login/").content.decode()
