"""Pictures of single sign-on: a provider typed, tested, refused and saved, and the doors that then open."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.album import Act, Album, at, click, unfold
from tests.live import PASSWORD
from tests.openid import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, openid_provider
from tests.saml import SSO, metadata

SIGN_IN = "/manage/settings/sign-in/"
LONG = "Harbour & Sons, identities of everybody on land and at sea"
PERSON = {
    "sub": "9f1c2e34-55aa-4b6e-8f10-0c2d7a3be941",
    "email": "nadia.haddad@harbour.example",
    "email_verified": True,
    "name": "نادية حداد",
    "groups": ["designers", "harbour-admins", "everybody-with-a-badge-of-the-northern-quay"],
}


def sign_in_pages(album: Album) -> None:
    """The last that the owner does: from then on only owners get in by a password."""
    if not album.wants("sso"):
        return
    with openid_provider() as idp:
        idp.person = dict(PERSON)
        album.watch.origins |= {idp.url, SSO.removesuffix("/saml/sso")}
        album.watch.expect("favicon", "status of 403", "status of 400")
        album.shoot("sso-provider-refused", SIGN_IN, refused)
        album.shoot("sso-draft", SIGN_IN, typed(idp))
        album.shoot("sso-draft-groups", SIGN_IN, both_groups(idp))
        album.shoot("sso-saml", SIGN_IN, saml_typed)
        album.shoot("sso-saml-refused", SIGN_IN, saml_refused)
        album.shoot("sso-review", SIGN_IN, through(idp))
        album.shoot("sso-list", SIGN_IN, save_once(idp))
        album.shoot("sso-edit", SIGN_IN, click(re.compile("Edit or test")))
        album.shoot("sso-sign-up", SIGN_IN, at("#sign-up"))
        album.shoot("sso-security", "/settings/security/")
        album.shoot("sso-connected", "/settings/security/", connect_once)
        album.shoot("sso-person", "/manage/people/", own_sign_in)
        album.shoot("sso-confirm", "/settings/security/confirm/sso/")
        album.shoot("sso-remove", SIGN_IN, lambda page: page.get_by_role("link", name="Remove").first.click())
        with album.somebody() as stranger:
            stranger.shoot("sso-door", "/login/")
            stranger.shoot("sso-refused", "/login/with/0199b1c2-0000-7000-8000-000000000000/callback/")
        album.shoot("sso-alone", SIGN_IN, alone)
        with album.somebody() as stranger:
            stranger.shoot("sso-door-alone", "/login/")
            stranger.shoot("sso-door-owner", "/login/", unfold(".door-own"))


def fill(page: Page, idp: OpenIDProvider) -> None:
    page.get_by_role("button", name="Add OpenID Connect").click()
    expect(page.get_by_role("heading", name="Add OpenID Connect")).to_be_visible()
    idp.redirects.add(page.locator("code.secret").inner_text())
    page.get_by_label("Name on the button").fill(LONG)
    page.get_by_label("Issuer").fill(idp.issuer)
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_label("E-mail domains").fill("harbour.example, quay.example")
    page.get_by_label("Make accounts at the first sign-in").check()
    page.get_by_label("Claim with the groups").fill("groups")
    page.get_by_label("Group, line 1").fill("designers")
    page.get_by_label("Team, line 1").select_option(index=1)
    page.get_by_label("As, line 1").select_option(label="Manager")
    page.get_by_label("Group, line 2").fill("harbour-admins")
    page.get_by_label("Role, line 2").select_option(label="Admin")


def refused(page: Page) -> None:
    page.get_by_role("button", name="Add OpenID Connect").click()
    page.get_by_label("Name on the button").fill(LONG)
    page.get_by_label("Issuer").fill("https://10.0.0.1")
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Test sign-in").click()
    expect(page.get_by_text("The test failed.")).to_be_visible()


def saml_typed(page: Page) -> None:
    """As it is found again after a test was begun: with what the metadata said."""
    page.get_by_role("button", name="Add SAML").click()
    expect(page.get_by_role("heading", name="Add SAML")).to_be_visible()
    draft = page.url
    page.get_by_label("Name on the button").fill(LONG)
    page.get_by_label("Metadata of the provider").fill(metadata())
    page.get_by_label("Attribute with the groups").fill("groups")
    page.route(f"{SSO}*", lambda route: route.fulfill(body="the provider", content_type="text/plain"))
    page.get_by_role("button", name="Test sign-in").click()
    page.wait_for_url(f"{SSO}*")
    page.goto(draft)
    expect(page.get_by_text("Valid", exact=True)).to_be_visible()


def saml_refused(page: Page) -> None:
    page.get_by_role("button", name="Add SAML").click()
    page.get_by_label("Name on the button").fill(LONG)
    page.get_by_label("Metadata of the provider").fill("<html>")
    page.get_by_role("button", name="Test sign-in").click()
    expect(page.get_by_text("no well-formed XML")).to_be_visible()
    at("#id_metadata")(page)


def typed(idp: OpenIDProvider) -> Act:
    return lambda page: fill(page, idp)


def both_groups(idp: OpenIDProvider) -> Act:
    def groups(page: Page) -> None:
        fill(page, idp)
        at("legend >> text=Groups")(page)

    return groups


def through(idp: OpenIDProvider) -> Act:
    def tested(page: Page) -> None:
        fill(page, idp)
        page.get_by_role("button", name="Test sign-in").click()
        page.get_by_role("link", name="Sign in as yourself").click()
        expect(page.get_by_role("heading", name="Who came")).to_be_visible()

    return tested


def save_once(idp: OpenIDProvider) -> Act:
    """The first browser saves; the second one finds it."""

    def saved(page: Page) -> None:
        if page.get_by_text(LONG).count():
            return
        through(idp)(page)
        page.get_by_role("button", name="Save").click()
        confirming = page.get_by_role("heading", name="Confirm that it is you")
        expect(confirming.or_(page.get_by_text("Saved:"))).to_be_visible()
        if confirming.is_visible():
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Saved:")).to_be_visible()

    return saved


def connect_once(page: Page) -> None:
    if page.get_by_role("link", name="Disconnect").count():
        return
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("link", name="Sign in as yourself").click()
    expect(page.get_by_text("Connected:")).to_be_visible()


def own_sign_in(page: Page) -> None:
    page.get_by_role("link", name="Marta Kowalska").first.click()
    page.locator('a[href*="/manage/people/"][href$="/sign-in/"]').first.click()
    expect(page.get_by_role("heading", name="Single sign-on")).to_be_visible()


def alone(page: Page) -> None:
    page.get_by_label("By single sign-on alone").check()
    page.get_by_role("region", name="Who may make an account").get_by_role("button", name="Save").click()
    confirming = page.get_by_role("heading", name="Confirm that it is you")
    expect(confirming.or_(page.get_by_text("It holds from now on"))).to_be_visible()
    if confirming.is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("It holds from now on").first).to_be_visible()
    at("#sign-up")(page)
