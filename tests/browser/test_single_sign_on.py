"""Single sign-on in Chromium: a provider is added and tested, and somebody new comes in by its button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Membership, Team, User
from tests.accounts.conftest import idp as idp
from tests.browser.watch import Watch
from tests.live import PASSWORD, LiveServer
from tests.openid import CLIENT_ID, CLIENT_SECRET, OpenIDProvider

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/manage/settings/sign-in/"


def confirm(page: Page) -> None:
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def type_in(page: Page, idp: OpenIDProvider) -> None:
    page.get_by_role("button", name="Add OpenID Connect").click()
    expect(page.get_by_role("heading", name="Add OpenID Connect")).to_be_visible()
    idp.redirects.add(page.locator("code.secret").inner_text())
    page.get_by_label("Name on the button").fill("Harbour ID")
    page.get_by_label("Issuer").fill(idp.issuer)
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_label("E-mail domains").fill("example.org")
    page.get_by_label("Make accounts at the first sign-in").check()
    page.get_by_label("Claim with the groups").fill("groups")
    page.get_by_label("Group, line 1").fill("designers")
    page.get_by_label("Team, line 1").select_option(label="Design")
    page.get_by_role("button", name="Test sign-in").click()


def at_the_provider(page: Page) -> None:
    expect(page.get_by_role("heading", name="Harbour ID", exact=True)).to_be_visible()
    page.get_by_role("link", name="Sign in as yourself").click()


def test_an_admin_adds_a_provider_and_somebody_new_lands_in_the_mapped_team(
    visit: Callable[..., Page],
    server: LiveServer,
    owner: User,
    idp: OpenIDProvider,
    watch: Watch,
    settings: Any,
) -> None:
    Team.objects.create(name="Design")
    idp.person["groups"] = ["designers"]
    watch.origins.add(idp.url)
    watch.expect("favicon")
    page = visit(PAGE)
    type_in(page, idp)
    at_the_provider(page)
    expect(page.get_by_role("heading", name="Save Harbour ID?")).to_be_visible()
    for words in ("ada@example.org", "Verified by the provider", "Member of Design"):
        expect(page.get_by_text(words).first).to_be_visible()
    page.get_by_role("button", name="Save").click()
    confirm(page)
    expect(page.get_by_text("Saved: Harbour ID.")).to_be_visible()
    page.get_by_label("Also people with certain e-mail addresses").check()
    page.get_by_label("E-mail domains").fill("example.org")
    page.get_by_role("region", name="Who may make an account").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. It holds from now on.")).to_be_visible()

    page.goto(f"{server.url}/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Continue with Harbour ID").click()
    at_the_provider(page)
    expect(page.get_by_role("heading", name="Hello, Ada Okafor")).to_be_visible()
    person = User.objects.get(email="ada@example.org")
    membership = Membership.objects.get(user=person)
    assert (membership.team.name, membership.role) == ("Design", "member")
