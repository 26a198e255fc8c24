"""Passkeys in Chromium, with its virtual authenticator: made, used alone and as a second step, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import CDPSession, Page, expect

from accounts.models import AuditEvent, User
from tests.live import PASSWORD, LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def authenticator(page: Page, **options: Any) -> Iterator[tuple[CDPSession, str]]:
    """A passkey store that answers by itself for this page."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    kind = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **options,
    }
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": kind})
    yield tools, made["authenticatorId"]
    tools.send("WebAuthn.disable")


def add_passkey(page: Page, name: str) -> None:
    """From the Security page on; says the password where it was not asked of late."""
    page.get_by_role("link", name="Add a passkey").click()
    confirming = page.get_by_role("heading", name="Confirm that it is you")
    expect(confirming.or_(page.get_by_role("heading", name="Add a passkey"))).to_be_visible()
    if confirming.is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Add a passkey")).to_be_visible()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the passkey").click()


def sign_out(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/logout/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Parley")).to_be_visible()


def test_a_passkey_is_made_and_signs_in_alone(
    visit: Callable[..., Page], server: LiveServer, owner: User
) -> None:
    page = visit("/settings/security/")
    with authenticator(page) as (tools, store):
        add_passkey(page, "Olga’s laptop")
        expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download them").click()
        code = page.locator(".door-codes li").first.inner_text()
        assert code in download.value.path().read_text()
        page.get_by_role("link", name="I have kept them").click()
        expect(page.get_by_text("Olga’s laptop")).to_be_visible()
        expect(page.get_by_text("Passkey, also instead of the password")).to_be_visible()

        sign_out(page, server)
        page.goto(f"{server.url}/usage/")
        page.get_by_role("button", name="Continue with a passkey").click()
        page.wait_for_url(f"{server.url}/usage/")
        assert AuditEvent.objects.filter(verb="signin.succeeded").latest("number").via == "passkey"

        page.goto(f"{server.url}/settings/security/passkeys/add/")
        page.get_by_role("button", name="Make the passkey").click()
        expect(page.get_by_text("is among your passkeys already")).to_be_visible()

        page.goto(f"{server.url}/settings/security/")
        page.get_by_role("link", name="Rename Olga’s laptop").click()
        page.get_by_label("Name").fill("Work laptop")
        page.get_by_role("button", name="Rename").click()
        page.get_by_role("link", name="Remove Work laptop").click()
        page.get_by_role("button", name="Remove it").click()
        expect(page.get_by_role("status").filter(has_text="Removed")).to_be_visible()
        assert not Authenticator.objects.exists()

        sign_out(page, server)
        page.get_by_role("button", name="Continue with a passkey").click()
        expect(page.get_by_text("This passkey is not accepted here")).to_be_visible()
        tools.send("WebAuthn.clearCredentials", {"authenticatorId": store})


def test_a_passkey_is_a_second_step_and_a_confirmation(
    visit: Callable[..., Page], server: LiveServer, owner: User
) -> None:
    page = visit("/settings/security/")
    with authenticator(page, hasResidentKey=False):
        add_passkey(page, "Grey key")
        page.get_by_role("link", name="I have kept them").click()
        expect(page.get_by_text("Security key, for the second step")).to_be_visible()

        sign_out(page, server)
        page.get_by_label("E-mail").fill(owner.email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Show what is typed").click()
        expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="Second step")).to_be_visible()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Hello, Olga")).to_be_visible()

        page.context.clear_cookies(name="parley_session")
        again = visit("/settings/security/app/")
        expect(again.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    with authenticator(again, automaticPresenceSimulation=False, isUserVerified=False):
        expect(again.get_by_role("link", name="Use your password")).to_be_visible()
        again.get_by_role("link", name="Use your password").click()
        again.get_by_label("Password").fill(PASSWORD)
        again.get_by_role("button", name="Go on").click()
        expect(again.get_by_role("img", name="QR code for an authenticator app")).to_be_visible()


def test_a_key_that_did_not_ask_for_its_owner_does_not_sign_in_alone(
    visit: Callable[..., Page], server: LiveServer, owner: User
) -> None:
    page = visit("/settings/security/")
    with authenticator(page) as (tools, store):
        add_passkey(page, "Laptop")
        page.get_by_role("link", name="I have kept them").click()
        sign_out(page, server)
        tools.send("WebAuthn.setUserVerified", {"authenticatorId": store, "isUserVerified": False})
        page.get_by_role("button", name="Continue with a passkey").click()
        expect(page.get_by_text("Nothing happened")).to_be_visible()
        expect(page.get_by_role("heading", name="Sign in to Parley")).to_be_visible()


def test_a_deactivated_person_is_refused_with_their_passkey(
    visit: Callable[..., Page], server: LiveServer, owner: User
) -> None:
    page = visit("/settings/security/")
    with authenticator(page):
        add_passkey(page, "Laptop")
        page.get_by_role("link", name="I have kept them").click()
        sign_out(page, server)
        User.objects.filter(pk=owner.pk).update(is_active=False)
        page.get_by_role("button", name="Continue with a passkey").click()
        expect(page.get_by_role("heading", name="This account is not active")).to_be_visible()
