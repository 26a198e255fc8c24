"""Signing in at a SAML provider: who gets in, as whom, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from lxml import etree

from accounts.models import Membership, SignInAttempt, SignInConnection, SignInProvider, Team, User
from tests.saml import NAMES, SamlProvider, pair

from .signing_in import is_signed_in
from .signing_on import begun, open_to, turned_away
from .signing_on_saml import follow, made, post, sign_on, stored

pytestmark = [pytest.mark.django_db, pytest.mark.services]
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


@pytest.fixture
def saml() -> SamlProvider:
    return SamlProvider()


def forged(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    """Changes the tree of a response that is signed already."""

    def forge(data: bytes) -> bytes:
        root = etree.fromstring(data)
        change(root)
        return bytes(etree.tostring(root))

    return forge


def test_a_new_person_comes_in_and_their_group_gives_a_team(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    team = Team.objects.create(name="Design")
    rule = {"group": "staff", "team": str(team.pk), "team_role": "member", "role": ""}
    answer = sign_on(saml, made(groups=[rule]), next="/usage/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/usage/")
    assert is_signed_in(answer.browser)
    person = User.objects.get(email="ada@example.org")
    assert (person.display_name, person.role) == ("Ada Okafor", "member")
    assert SignInConnection.objects.get().subject == "ada-1"
    assert Membership.objects.get(user=person).team == team


def test_who_came_before_is_the_same_person_whatever_their_address_is_now(
    owner: User, saml: SamlProvider
) -> None:
    open_to(by=owner)
    provider = made()
    sign_on(saml, provider)
    saml.attributes["email"] = ["a.okafor@example.org"]
    assert is_signed_in(sign_on(saml, provider).browser)
    assert User.objects.count() == 2


def test_an_address_that_no_admin_vouches_for_makes_no_account(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    assert "does not say that your e-mail" in turned_away(sign_on(saml, made(vouches=False)))


def test_the_request_names_where_the_answer_goes_and_each_has_an_id_of_its_own(
    owner: User, saml: SamlProvider
) -> None:
    provider = made()
    requests = [saml.asked(begun(provider, Client())) for _ in range(2)]
    base = f"http://testserver/login/with/{provider.pk}/"
    assert requests[0].get("AssertionConsumerServiceURL") == f"{base}saml/"
    assert requests[0].findtext("saml:Issuer", namespaces=NAMES) == f"{base}metadata/"
    assert requests[0].get("ID") != requests[1].get("ID")


def test_a_named_attribute_says_who_somebody_is(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    saml.attributes["staff-number"], saml.name_format = ["4711"], EMAIL_FORMAT
    assert is_signed_in(sign_on(saml, made(saml=stored(subject="staff-number"))).browser)
    assert SignInConnection.objects.get().subject == "4711"


def wrapped_outside(root: Any) -> None:
    """The signed assertion in extensions, another one in its place."""
    signed = root.find("saml:Assertion", NAMES)
    evil = copy.deepcopy(signed)
    evil.remove(evil.find("ds:Signature", NAMES))
    evil.set("ID", "_evil")
    evil.find(".//saml:NameID", NAMES).text = "olga-1"
    root.replace(signed, evil)
    extensions = etree.Element(f"{{{NAMES['samlp']}}}Extensions")
    extensions.append(signed)
    root.insert(1, extensions)


def wrapped_inside(root: Any) -> None:
    """The signed assertion inside the signature of the one that is read."""
    signed = root.find("saml:Assertion", NAMES)
    evil = copy.deepcopy(signed)
    signature = evil.find("ds:Signature", NAMES)
    evil.set("ID", "_evil")
    evil.find(".//saml:NameID", NAMES).text = "olga-1"
    root.replace(signed, evil)
    signed.remove(signed.find("ds:Signature", NAMES))
    holder = etree.SubElement(signature, f"{{{NAMES['ds']}}}Object")
    holder.append(signed)


def same_id(root: Any) -> None:
    """Another element with the ID of the signed one, before it."""
    wrapped_outside(root)
    for each in root.iter(f"{{{NAMES['saml']}}}Assertion"):
        each.set("ID", "_a1")


def two(root: Any) -> None:
    second = copy.deepcopy(root.find("saml:Assertion", NAMES))
    second.set("ID", "_a2")
    root.append(second)


def tampered(root: Any) -> None:
    root.find(".//saml:NameID", NAMES).text = "olga-1"


def commented(data: bytes) -> bytes:
    return data.replace(b">ada-1<", b">ada<!-- -->-1<")


def expanding(data: bytes) -> bytes:
    return b'<!DOCTYPE r [<!ENTITY a "ada-1"><!ENTITY b "&a;&a;&a;&a;">]>' + data.replace(
        b">ada-1<", b">&b;<"
    )


def hidden_type(data: bytes) -> bytes:
    """A document type in an encoding in which its letters look otherwise."""
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r [<!ENTITY a "ada-1">]>' + data.decode()
    return text.encode("utf-16")


def padded(data: bytes) -> bytes:
    return data + b" " * 256 * 1024


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "unsigned": ("The assertion is not signed", {"signs": False}),
    "signed by another key": ("not by a certificate that is entered", {"key": "stranger"}),
    "tampered": ("or what it covers was changed", {"forge": forged(tampered)}),
    "of another issuer": ("the issuer differs", {"over": {"issuer": "https://evil.example"}}),
    "for another audience": ("(audience)", {"over": {"audience": "https://other.example"}}),
    "for another recipient": ("(recipient)", {"over": {"recipient": "https://other.example/acs"}}),
    "for another destination": ("(destination)", {"over": {"destination": "https://other.example/acs"}}),
    "expired": ("It has expired", {"age": timedelta(minutes=10)}),
    "not yet valid": ("does not hold yet", {"age": timedelta(minutes=-10)}),
    "unsolicited": ("was not begun", {"over": {"in_response_to": ""}}),
    "of a request that nobody made": ("was not begun", {"over": {"in_response_to": "_made-up"}}),
    "wrapped, the signed one elsewhere": ("one assertion", {"forge": forged(wrapped_outside)}),
    "wrapped, the signed one in the signature": ("one assertion", {"forge": forged(wrapped_inside)}),
    "wrapped, with the same ID": ("one assertion", {"forge": forged(same_id)}),
    "with two assertions": ("one assertion", {"forge": forged(two)}),
    "with a comment in the name": ("comments", {"forge": commented}),
    "with entities": ("document type", {"forge": expanding}),
    "with a hidden document type": ("no well-formed XML", {"forge": hidden_type}),
    "signed with SHA-1": ("algorithm", {"algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}),
    "digested with SHA-1": ("algorithm", {"digest": "http://www.w3.org/2000/09/xmldsig#sha1"}),
    "too large": ("256 KiB", {"forge": padded}),
    "no XML": ("no well-formed XML", {"forge": lambda data: data[:-20]}),
    "with a transient name": ("(transient)", {"name_format": TRANSIENT}),
    "with an address as the name": ("(emailAddress)", {"name_format": EMAIL_FORMAT}),
    "without a name": ("no NameID", {"name_id": ""}),
}


@pytest.mark.parametrize(("why", "change"), REFUSED.values(), ids=REFUSED)
def test_an_answer_that_does_not_hold_is_refused(
    owner: User, caplog: pytest.LogCaptureFixture, why: str, change: dict[str, Any]
) -> None:
    open_to(by=owner)
    turned_away(sign_on(SamlProvider(**change), made()))
    assert not User.objects.filter(email="ada@example.org").exists()
    assert why in caplog.text, "for this reason, and no other one"


def test_an_answer_of_a_minute_ago_counts_and_its_clock_may_differ(owner: User) -> None:
    open_to(by=owner)
    assert is_signed_in(sign_on(SamlProvider(age=timedelta(minutes=5, seconds=30)), made()).browser)


def test_the_new_of_two_certificates_counts(owner: User) -> None:
    open_to(by=owner)
    provider = made(saml=stored(certificates=[pair("older")[1], pair()[1]]))
    assert is_signed_in(sign_on(SamlProvider(), provider).browser)


def test_an_answer_counts_once(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    provider, client = made(), Client()
    address, response = saml.answer(begun(provider, client))
    first = post(address, response)
    assert post(address, response).status_code == 403
    assert follow(client, first).status_code == 302
    client.post("/logout/")
    assert post(address, response).status_code == 403
    assert follow(client, first).status_code == 403
    assert not is_signed_in(client)


def test_an_answer_that_comes_too_late_is_refused(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    page = begun(made(), Client())
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert post(*saml.answer(page)).status_code == 403


def test_an_answer_that_another_browser_brings_signs_in_neither(owner: User, saml: SamlProvider) -> None:
    """Who sends their own request to somebody else, to be signed in as them, learns no way on."""
    open_to(by=owner)
    provider, mine, theirs = made(), Client(), Client()
    page = begun(provider, mine)
    begun(provider, theirs)
    answer = post(*saml.answer(page))
    assert "not begun in this browser" in turned_away(follow(theirs, answer))
    asked = saml.asked(page).get("ID")
    for state in (asked, ""):
        assert mine.get(f"/login/with/{provider.pk}/callback/?state={state}").status_code == 403
    assert not is_signed_in(mine)


def test_before_there_is_an_answer_nobody_comes_in(owner: User, saml: SamlProvider) -> None:
    provider, client = made(), Client()
    asked = saml.asked(begun(provider, client)).get("ID")
    assert client.get(f"/login/with/{provider.pk}/callback/?state={asked}").status_code == 403
    assert not is_signed_in(client)


def test_an_answer_at_another_providers_address_is_refused(owner: User, saml: SamlProvider) -> None:
    provider, other, client = made(), made(name="Another"), Client()
    address, response = saml.answer(begun(provider, client))
    assert post(address.replace(str(provider.pk), str(other.pk)), response).status_code == 403


def test_who_comes_waits_sealed(owner: User, saml: SamlProvider) -> None:
    post(*saml.answer(begun(made(), Client())))
    kept = str(SignInAttempt.objects.values().get())
    assert "ada" not in kept


def test_a_deactivated_person_is_refused(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    provider = made()
    sign_on(saml, provider)
    User.objects.filter(email="ada@example.org").update(is_active=False)
    answer = sign_on(saml, provider)
    assert answer.headers["Location"] == "/login/inactive/"
    assert not is_signed_in(answer.browser)


def test_a_provider_that_is_switched_off_meanwhile_lets_nobody_in(owner: User, saml: SamlProvider) -> None:
    open_to(by=owner)
    provider, client = made(), Client()
    answer = post(*saml.answer(begun(provider, client)))
    SignInProvider.objects.update(is_on=False)
    turned_away(follow(client, answer))
