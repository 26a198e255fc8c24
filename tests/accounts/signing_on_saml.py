"""SAML sign-in from the outside: what the provider's page posts, and the browser that goes on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from accounts.models import SignInDraft, SignInProvider
from tests.saml import ENTITY, SSO, SamlProvider, metadata, pair

from .signing_on import NO_RULES, PAGE, begun, page_of


def made(**more: Any) -> SignInProvider:
    facts: dict[str, Any] = {
        "vendor": "saml",
        "name": "Harbour SAML",
        "issuer": ENTITY,
        "domains": ["example.org"],
        "makes_accounts": True,
        "vouches": True,
        "groups_claim": "groups",
        "saml": stored(),
    }
    return SignInProvider.objects.create(**(facts | more))


def stored(**more: Any) -> dict[str, Any]:
    facts = {"sso": SSO, "certificates": [pair()[1]], "subject": "", "email": "email", "name": "displayName"}
    return facts | more


def post(address: str, response: str) -> Any:
    """By the provider's page: a browser sends no Lax cookie along, and there is no token of ours."""
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("http", "testserver")
    return Client(enforce_csrf_checks=True).post(parts.path, {"SAMLResponse": response})


def follow(client: Client, answer: Any) -> Any:
    """The browser goes on to our page, as itself."""
    if answer.status_code == 303:
        answer = client.get(answer.headers["Location"])
    answer.browser = client
    return answer


def sign_on(saml: SamlProvider, provider: SignInProvider, client: Client | None = None, **fields: str) -> Any:
    client = client or Client()
    return follow(client, post(*saml.answer(begun(provider, client, **fields))))


def typed(**more: str) -> dict[str, str]:
    return {
        "name": "Harbour SAML",
        "metadata": metadata(),
        "email_attribute": "email",
        "name_attribute": "displayName",
        "groups_claim": "groups",
        "domains": "example.org",
        "makes_accounts": "on",
        "vouches": "on",
        **NO_RULES,
        **more,
    }


def went_through(saml: SamlProvider, client: Client, draft: SignInDraft, **more: str) -> Any:
    page = page_of(client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(**more)}))
    return follow(client, post(*saml.answer(page)))
