"""Which accounts single sign-on makes, and who must come by it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.models import Invitation, Membership, Team, User
from accounts.people import invitations
from accounts.people.rules import NotAllowed
from accounts.single_sign_on import providers, sign_up
from tests.openid import OpenIDProvider

from .conftest import PASSWORD
from .signing_in import by_password, is_signed_in, verbs
from .signing_on import made, open_to, sign_on

pytestmark = [pytest.mark.django_db, pytest.mark.services]


def refused(answer: Any) -> str:
    assert answer.status_code == 403
    assert not is_signed_in(answer.browser)
    return str(answer.content.decode())


def test_without_an_invitation_nobody_is_made_by_the_usual_rule(owner: User, idp: OpenIDProvider) -> None:
    assert "Ask an admin for an invitation" in refused(sign_on(idp, made(idp)))
    assert User.objects.count() == 1


def test_an_open_invitation_is_redeemed(owner: User, idp: OpenIDProvider) -> None:
    team = Team.objects.create(name="Design")
    link = invitations.invite(by=owner, email="ADA@example.org", team=team, team_role="manager").link
    answer = sign_on(idp, made(idp, domains=[]))
    assert is_signed_in(answer.browser)
    person = User.objects.get(email="ada@example.org")
    assert Membership.objects.get(user=person).role == "manager"
    assert Invitation.objects.get().state == "accepted"
    assert Client().get(link).status_code == 404
    assert "invitation.accepted" in verbs()


def test_an_invitation_to_be_an_admin_needs_a_trusted_domain(owner: User, idp: OpenIDProvider) -> None:
    invitations.invite(by=owner, email="ada@example.org", role="admin")
    refused(sign_on(idp, made(idp, domains=[])))
    assert is_signed_in(sign_on(idp, made(idp, name="Trusted")).browser)
    assert User.objects.get(email="ada@example.org").role == "admin"


def test_an_invitation_to_be_an_owner_works_by_its_link_alone(owner: User, idp: OpenIDProvider) -> None:
    link = invitations.invite(by=owner, email="ada@example.org", role="owner").link
    refused(sign_on(idp, made(idp)))
    sign_up.decide(by=owner, mode="sso", domains=[])
    page = Client().get(link).content.decode()
    assert "Harbour ID" not in page
    client = Client()
    client.post(link, {"display_name": "Ada", "password": PASSWORD})
    assert is_signed_in(client)


def test_a_provider_that_makes_no_accounts_makes_none(owner: User, idp: OpenIDProvider) -> None:
    invitations.invite(by=owner, email="ada@example.org")
    refused(sign_on(idp, made(idp, makes_accounts=False)))
    assert not User.objects.filter(email="ada@example.org").exists()


def test_only_addresses_of_the_rules_domains_make_an_account(owner: User, idp: OpenIDProvider) -> None:
    open_to("example.com", by=owner)
    refused(sign_on(idp, made(idp, domains=[])))
    idp.person.update(email="ada@sub.example.com")
    refused(sign_on(idp, made(idp, domains=[])))
    idp.person.update(email="ada@example.com")
    assert is_signed_in(sign_on(idp, made(idp, domains=[])).browser)


def test_what_an_admin_vouches_for_makes_an_account(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    idp.person["email_verified"] = False
    assert is_signed_in(sign_on(idp, made(idp, vouches=True)).browser)


def test_while_it_is_closed_nobody_is_taken(owner: User, idp: OpenIDProvider) -> None:
    link = invitations.invite(by=owner, email="ada@example.org").link
    sign_up.decide(by=owner, mode="closed", domains=[])
    refused(sign_on(idp, made(idp)))
    assert Client().get(link).status_code == 404
    assert Client().post(link, {"display_name": "Ada", "password": PASSWORD}).status_code == 404
    with pytest.raises(NotAllowed):
        invitations.invite(by=owner, email="eve@example.org")
    assert User.objects.count() == 1


# Single sign-on alone


@pytest.fixture
def only_sso(owner: User, idp: OpenIDProvider) -> Any:
    provider = made(idp)
    sign_up.decide(by=owner, mode="sso", domains=[])
    return provider


def test_a_right_password_is_refused_to_all_but_owners(owner: User, member: User, only_sso: Any) -> None:
    client = Client()
    answer = client.post("/login/", {"login": member.email, "password": PASSWORD})
    assert answer.status_code == 403
    assert "Continue with <bdi>Harbour ID</bdi>" in answer.content.decode()
    assert not is_signed_in(client)
    assert is_signed_in(by_password(owner))
    page = Client().get("/login/").content.decode()
    assert "Owners can also use a password" in page


def test_a_code_by_mail_is_refused_to_all_but_owners(
    owner: User, member: User, only_sso: Any, settings: Any
) -> None:
    settings.EMAIL_CONFIGURED = True
    for person, comes_in in ((member, False), (owner, True)):
        client = Client()
        client.post("/login/code/", {"email": person.email})
        found = re.search(r"^[A-Z0-9]{4}-[A-Z0-9]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
        assert found is not None
        client.post("/login/code/enter/", {"code": found[0]})
        assert is_signed_in(client) == comes_in


def test_a_person_of_a_trusted_domain_is_made_without_an_invitation(
    idp: OpenIDProvider, only_sso: Any
) -> None:
    assert is_signed_in(sign_on(idp, only_sso).browser)


def test_an_invitations_link_leads_to_the_provider(owner: User, idp: OpenIDProvider, only_sso: Any) -> None:
    link = invitations.invite(by=owner, email="ada@example.org").link
    page = Client().get(link).content.decode()
    assert "Continue with <bdi>Harbour ID</bdi>" in page
    assert 'name="password"' not in page
    assert Client().post(link, {"display_name": "Ada", "password": PASSWORD}).status_code == 403
    assert not User.objects.filter(email="ada@example.org").exists()


def test_the_last_provider_stays_while_it_is_the_only_way(
    owner: User, idp: OpenIDProvider, only_sso: Any
) -> None:
    for stop in (
        lambda: providers.switch(only_sso, on=False, by=owner),
        lambda: providers.remove(only_sso, by=owner),
    ):
        with pytest.raises(NotAllowed):
            stop()
    other = made(idp, name="Another")
    providers.switch(only_sso, on=False, by=owner)
    with pytest.raises(NotAllowed):
        providers.remove(other, by=owner)


def test_without_a_provider_the_rule_cannot_be_made(owner: User) -> None:
    with pytest.raises(NotAllowed):
        sign_up.decide(by=owner, mode="sso", domains=[])
