"""SAML in Chromium: the provider's page posts across sites, and our Lax cookie comes along afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from accounts.models import User
from tests.accounts.signing_on import open_to
from tests.accounts.signing_on_saml import made
from tests.live import LiveServer
from tests.saml import SSO, SamlProvider

from .watch import Watch

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_somebody_new_signs_in_by_a_post_from_another_site(
    new_context: Callable[..., BrowserContext], server: LiveServer, owner: User, watch: Watch, settings: Any
) -> None:
    open_to(by=owner)
    made()
    watch.origins.add(SSO.removesuffix("/saml/sso"))
    watch.expect("favicon")

    def posting(route: Route) -> None:
        address, response = SamlProvider().answer(route.request.url)
        form = (
            f'<form method="post" action="{address}"><input type="hidden" name="SAMLResponse" '
            f'value="{response}"><button>Go on</button></form>'
        )
        route.fulfill(body=f"<!doctype html><title>Harbour</title>{form}", content_type="text/html")

    page = new_context().new_page()
    page.route(f"{SSO}*", posting)
    page.goto(f"{server.url}/login/")
    page.get_by_role("button", name="Continue with Harbour SAML").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Hello, Ada Okafor")).to_be_visible()
