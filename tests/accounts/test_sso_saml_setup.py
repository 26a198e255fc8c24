"""Manage, Sign-in: a SAML provider is typed or read from its metadata, tested and saved."""

from __future__ import annotations

import base64
import sys

import pytest
from django.test import Client
from lxml import etree

from accounts import actions
from accounts.models import AuditEvent, SignInConnection, SignInDraft, SignInProvider, User
from tests.saml import ENTITY, SSO, SamlProvider, metadata, pair

from .conftest import PASSWORD, signed_in
from .signing_in import is_signed_in
from .signing_on import PAGE, confirmed, drafted, open_to
from .signing_on_saml import made, post, sign_on, stored, typed, went_through

pytestmark = [pytest.mark.django_db, pytest.mark.services]
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


def test_a_provider_is_typed_by_its_metadata_tested_saved_and_used(owner: User) -> None:
    open_to(by=owner)
    client = confirmed(owner)
    draft = drafted(client, "saml")
    answer = went_through(SamlProvider(), client, draft)
    assert answer.headers["Location"] == f"{PAGE}drafts/{draft.pk}/review/"
    page = client.get(answer.headers["Location"]).content.decode()
    for words in ("ada@example.org", "ada-1", "staff", "Counts as verified, by you", "displayName"):
        assert words in page
    assert not SignInConnection.objects.exists()
    assert client.post(f"{PAGE}drafts/{draft.pk}/review/").headers["Location"] == PAGE
    provider = SignInProvider.objects.get()
    assert (provider.issuer, provider.saml) == (ENTITY, stored())
    assert is_signed_in(sign_on(SamlProvider(), provider).browser)
    event = AuditEvent.objects.get(verb="sso.provider_saved")
    assert SSO in event.after and "BEGIN" not in event.after


def test_a_test_that_fails_says_why_to_the_admin(owner: User) -> None:
    client = confirmed(owner)
    answer = went_through(SamlProvider(name_format=TRANSIENT), client, drafted(client, "saml"))
    assert "persistent NameID" in client.get(answer.headers["Location"]).content.decode()


def test_the_page_shows_the_addresses_and_how_long_a_certificate_holds(owner: User) -> None:
    client = signed_in(owner)
    draft = drafted(client, "saml")
    client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed()})
    page = client.get(f"{PAGE}drafts/{draft.pk}/").content.decode()
    for words in (
        f"/login/with/{draft.pk}/saml/",
        f"/login/with/{draft.pk}/metadata/",
        "to 2036-01-01",
        "Valid",
    ):
        assert words in page
    told = Client().get(f"/login/with/{draft.pk}/metadata/")
    root = etree.fromstring(told.content)
    assert root.get("entityID") == f"http://testserver/login/with/{draft.pk}/metadata/"
    assert "attachment" in told.headers["Content-Disposition"]


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": metadata(before="<!DOCTYPE x [<!ENTITY a 'b'>]>")},
        {"metadata": "<x/>"},
        {"metadata": "", "issuer": ENTITY, "sso": "http://id.example/", "certificates": pair()[1]},
        {"metadata": "", "issuer": ENTITY, "sso": "javascript:alert(1)", "certificates": pair()[1]},
        {"metadata": "", "issuer": ENTITY, "sso": SSO, "certificates": "nonsense"},
        {"metadata": "", "issuer": ENTITY, "sso": SSO, "certificates": pair()[0]},
        {"metadata": "", "issuer": "", "sso": SSO, "certificates": pair()[1]},
    ],
)
def test_what_cannot_be_right_is_not_taken(owner: User, more: dict[str, str]) -> None:
    client = signed_in(owner)
    draft = drafted(client, "saml")
    answer = client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(**more)})
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()


def test_an_admin_puts_no_certificate_of_their_own_under_an_owner(owner: User) -> None:
    admin = actions.create_user(email="admin@example.org", password=PASSWORD, role="admin")
    provider, other = made(), SamlProvider(key="stranger")
    by_hand = {"metadata": "", "sso": SSO, "certificates": pair("stranger")[1]}
    for person, saved in ((admin, False), (owner, True)):
        client = confirmed(person)
        location = client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"]
        draft = SignInDraft.objects.get(pk=location.rstrip("/").rpartition("/")[2])
        went_through(other, client, draft, **by_hand)
        client.post(f"{PAGE}drafts/{draft.pk}/review/")
        provider.refresh_from_db()
        assert (provider.saml["certificates"] == [pair("stranger")[1]]) is saved


def test_where_the_packages_are_absent_the_page_says_what_to_install(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, client = made(), signed_in(owner)
    assert "Add SAML" in client.get(PAGE).content.decode()
    monkeypatch.setitem(sys.modules, "onelogin", None)
    page = client.get(PAGE).content.decode()
    assert "Add SAML" not in page and "requirements-saml.txt" in page
    assert client.post(f"{PAGE}add/saml/").status_code == 404
    response = base64.b64encode(b"<x/>").decode()
    assert post(f"http://testserver/login/with/{provider.pk}/saml/", response).status_code == 403
