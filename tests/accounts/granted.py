"""Grants of a real authorization server, stored as credentials, for tests of what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from accounts.keys.owners import Owner
from accounts.models import Credential, Organisation, User
from providers import oauth_pkce
from providers.oauth import Grant
from tests.authorization import AuthorizationServer

BASE_URL = "https://api.anthropic.com"


async def granted(server: AuthorizationServer) -> Grant:
    """What somebody gets who logs in."""
    client, login = server.client(), oauth_pkce.begin()
    back = server.log_in(oauth_pkce.authorize_url(client, login))
    return await oauth_pkce.exchange(client, login, oauth_pkce.read_answer(back, login))


def store(server: AuthorizationServer, grant: Grant, *, left: float, **more: Any) -> Credential:
    """The grant as the organisation's credential; its access token ends in `left` seconds."""
    organisation = Organisation.current()
    assert organisation is not None
    facts: dict[str, Any] = {
        "owner": Owner(organisation=organisation),
        "provider": "anthropic",
        "kind": "oauth",
        "base_url": BASE_URL,
        "grant": grant,
        "client": server.client().identity,
        "options": {},
        "vendor_account": "org-lighthouse",
    }
    credential = key_actions.add_grant(**(facts | more))
    Credential.objects.filter(pk=credential.pk).update(
        fresh_until=datetime.now(UTC) + timedelta(seconds=left)
    )
    credential.refresh_from_db()
    return credential


def choose(person: User) -> CredentialChoice:
    """What a call of this person would be made with."""
    (choice,) = credentials.for_call(person.pk, None, "anthropic")
    return choice


def token(choice: CredentialChoice) -> str:
    assert choice.access.secret is not None
    return choice.access.secret.reveal()
