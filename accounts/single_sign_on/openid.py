"""The code flow of OpenID Connect, with PKCE, and a nonce."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from django.views.decorators.debug import sensitive_variables

from accounts.models import SignInSettings
from providers.access import Secret
from providers.errors import ProviderError
from providers.oauth import OAuthClient
from providers.oauth_pkce import challenge
from providers.oauth_tokens import post
from providers.outbound import outbound

from . import id_tokens, identities
from .discovery import Addresses
from .identities import Identity, claim_of
from .refusals import Faulty
from .wire import fetch, told

SCOPES = ("openid", "email", "profile")


def page(
    addresses: Addresses,
    settings: SignInSettings,
    *,
    redirect: str,
    state: str,
    nonce: str,
    verifier: Secret,
    again: Mapping[str, str],
) -> str:
    """The provider's address that the browser opens; `again` is what makes it ask who it is once more."""
    scopes = (*SCOPES, "groups") if claim_of(settings) and "groups" in addresses.scopes else SCOPES
    return with_query(
        addresses.authorize,
        {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            **again,
        },
    )


@sensitive_variables()
async def identity(
    addresses: Addresses,
    settings: SignInSettings,
    secret: Secret,
    *,
    code: Secret,
    redirect: str,
    nonce: str,
    verifier: Secret,
) -> Identity:
    """Who came with this code. Raises Faulty."""
    answer = await exchange(
        addresses.token,
        settings.client_id,
        secret,
        code=code,
        redirect=redirect,
        verifier=verifier,
        basic=addresses.basic,
    )
    keys = await fetch(addresses.keys, "Keys")
    claims = id_tokens.checked(
        answer.get("id_token"), keys, issuer=addresses.issuer, client_id=settings.client_id, nonce=nonce
    )
    return identities.of_claims(settings, await _completed(addresses, settings, claims, answer))


@sensitive_variables()
async def exchange(
    url: str,
    client_id: str,
    secret: Secret,
    *,
    code: Secret,
    redirect: str,
    verifier: Secret,
    basic: bool = False,
) -> Mapping[str, Any]:
    """What the token endpoint gives for the code. Raises Faulty."""
    headers = {}
    if basic:  # RFC 6749, section 2.3.1: both are form-encoded first
        pair = f"{quote(client_id, safe='')}:{quote(secret.reveal(), safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    fields = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": redirect,
        "code_verifier": verifier.reveal(),
    }
    try:
        client = OAuthClient(
            client_id=client_id, token_url=url, client_secret=None if basic else secret, headers=headers
        )
        return await post(client, url, fields, [code, verifier, secret], through=outbound)
    except ProviderError as error:
        raise Faulty(f"Token endpoint: {told(error)}") from None
    except ValueError as error:
        raise Faulty(f"Token endpoint: {error}") from None


@sensitive_variables("answer", "token")
async def _completed(
    addresses: Addresses, settings: SignInSettings, claims: dict[str, Any], answer: Mapping[str, Any]
) -> dict[str, Any]:
    """With what userinfo tells, where the ID token lacks what is needed. What was signed wins."""
    claim = claim_of(settings)
    lacking = "email" not in claims or (claim and identities.value_at(claims, claim) is None)
    token = answer.get("access_token")
    if not lacking or not addresses.userinfo or not isinstance(token, str):
        return claims
    more = await fetch(addresses.userinfo, "Userinfo", headers={"authorization": f"Bearer {token}"})
    if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
        raise Faulty("Userinfo: it is about somebody else than the ID token.")
    return {**more, **claims}


def with_query(url: str, fields: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(fields)}"
