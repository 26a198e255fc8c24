"""Single sign-on from the outside: a client that goes to the provider on this machine and comes back."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.test import Client

from accounts.models import SignInConnection, SignInDraft, SignInProvider, User
from accounts.single_sign_on import sign_up
from providers.access import Secret
from tests.openid import CLIENT_ID, CLIENT_SECRET, OpenIDProvider

from .conftest import PASSWORD, signed_in
from .signing_in import is_signed_in

PAGE = "/manage/settings/sign-in/"
NO_RULES = {"rules-TOTAL_FORMS": "0", "rules-INITIAL_FORMS": "0"}


def made(idp: OpenIDProvider, **more: Any) -> SignInProvider:
    """A provider that stands already; the pages of making one have tests of their own."""
    facts: dict[str, Any] = {
        "vendor": "oidc",
        "name": "Harbour ID",
        "client_id": CLIENT_ID,
        "issuer": idp.issuer,
        "domains": ["example.org"],
        "makes_accounts": True,
    }
    provider = SignInProvider(**(facts | more))
    provider.secret = Secret(CLIENT_SECRET)
    provider.save(force_insert=True)
    idp.redirects.add(f"http://testserver/login/with/{provider.pk}/callback/")
    return provider


def open_to(*domains: str, by: User) -> None:
    sign_up.decide(by=by, mode="domain", domains=domains or ["example.org"])


def page_of(answer: Any) -> str:
    """The provider's page that ours leads on to."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.content.decode())
    assert found is not None, answer.content.decode()
    return html.unescape(found[1])


def begun(provider: SignInProvider, client: Client, **fields: str) -> str:
    return page_of(client.post(f"/login/with/{provider.pk}/", fields))


def back(client: Client, address: str) -> Any:
    """The browser, sent back by the provider."""
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("http", "testserver")
    return client.get(f"{parts.path}?{parts.query}")


def sign_on(
    idp: OpenIDProvider, provider: SignInProvider, client: Client | None = None, **fields: str
) -> Any:
    """There and back; the last answer, whose `client` is the browser."""
    client = client or Client()
    answer = back(client, idp.sign_in(begun(provider, client, **fields)))
    answer.browser = client
    return answer


def confirmed(person: User) -> Client:
    """Signed in, and asked a moment ago who it is."""
    client = signed_in(person)
    client.post("/settings/security/confirm/", {"password": PASSWORD})
    return client


def typed(idp: OpenIDProvider, **more: str) -> dict[str, str]:
    """What an admin types of this provider."""
    return {
        "name": "Harbour ID",
        "issuer": idp.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "domains": "example.org",
        **NO_RULES,
        **more,
    }


def drafted(client: Client, vendor: str = "oidc") -> SignInDraft:
    answer = client.post(f"{PAGE}add/{vendor}/")
    id = UUID(answer.headers["Location"].rstrip("/").rpartition("/")[2])
    return SignInDraft.objects.get(pk=id)


def allow_redirect(idp: OpenIDProvider, draft: SignInDraft) -> None:
    """What an admin does with the address that the page shows."""
    idp.redirects.add(f"http://testserver/login/with/{draft.address_id}/callback/")


def went_through(idp: OpenIDProvider, client: Client, draft: SignInDraft, fields: dict[str, str]) -> Any:
    """The answer to which the test leads."""
    allow_redirect(idp, draft)
    page = page_of(client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **fields}))
    return back(client, idp.sign_in(page))


def saved(
    idp: OpenIDProvider, client: Client, fields: dict[str, str], vendor: str = "oidc"
) -> SignInProvider:
    """A provider, made by the pages."""
    draft = drafted(client, vendor)
    went_through(idp, client, draft, fields)
    answer = client.post(f"{PAGE}drafts/{draft.pk}/review/")
    assert answer.headers["Location"] == PAGE, answer.headers
    return SignInProvider.objects.get(pk=draft.pk)


def turned_away(answer: Any) -> str:
    """What a refused person reads; nobody is signed in, and no account was made or connected."""
    assert answer.status_code == 403, answer.headers
    assert not is_signed_in(answer.browser)
    assert not SignInConnection.objects.exists()
    return str(answer.content.decode())
