"""Signing in at GitHub, or GitHub Enterprise Server: OAuth 2 with PKCE, then its API says who came.

GitHub is no OpenID provider: there is no ID token, and so nothing to sign. What its API answers over TLS to
the token that was just granted to us says who it is (GitHub, "Authorizing OAuth apps").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.views.decorators.debug import sensitive_variables

from accounts.models import SignInSettings
from accounts.names import clean_email, clean_name
from providers.access import Secret
from providers.oauth_pkce import challenge

from .identities import GROUP_LENGTH, MOST_GROUPS, Identity, shown
from .openid import exchange, with_query
from .refusals import Faulty
from .wire import fetch

PUBLIC, PUBLIC_API = "https://github.com", "https://api.github.com"
PAGE = 100  # the most that GitHub gives at once
PAGES = 10


def page(
    settings: SignInSettings, *, redirect: str, state: str, verifier: Secret, again: Mapping[str, str]
) -> str:
    """GitHub's address that the browser opens; `again` is what makes it ask who it is once more."""
    scopes = "read:user user:email read:org" if settings.groups else "read:user user:email"
    return with_query(
        f"{settings.issuer}/login/oauth/authorize",
        {
            "client_id": settings.client_id,
            "redirect_uri": redirect,
            "scope": scopes,
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            **again,
        },
    )


@sensitive_variables()
async def identity(
    settings: SignInSettings, secret: Secret, *, code: Secret, redirect: str, verifier: Secret
) -> Identity:
    """Who came with this code. Raises Faulty."""
    answer = await exchange(
        f"{settings.issuer}/login/oauth/access_token",
        settings.client_id,
        secret,
        code=code,
        redirect=redirect,
        verifier=verifier,
    )
    token = answer.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Faulty("Token endpoint: the answer holds no token.")
    api = PUBLIC_API if settings.issuer == PUBLIC else f"{settings.issuer}/api/v3"
    headers = {
        "authorization": f"Bearer {token}",
        "accept": "application/vnd.github+json",
        "user-agent": "Parley",
    }
    person = await fetch(f"{api}/user", "User", headers=headers)
    if (
        not isinstance(person, dict)
        or not isinstance(person.get("id"), int)
        or isinstance(person["id"], bool)
    ):
        raise Faulty("User: the answer does not say who came.")
    email, verified = _primary(await fetch(f"{api}/user/emails?per_page={PAGE}", "E-mails", headers=headers))
    groups = await _groups(api, headers) if settings.groups else ()
    told = {name: person.get(name) for name in ("id", "login", "name", "type")}
    return Identity(
        subject=str(person["id"]),  # a login name can be given up, and taken by somebody else
        email=email,
        verified=verified,
        name=clean_name(str(person.get("name") or person.get("login") or "")),
        groups=groups,
        shown=shown({**told, "email": email, "email_verified": verified, "groups": list(groups)}),
    )


def _primary(rows: Any) -> tuple[str, bool]:
    """The person's first address, and whether GitHub has verified it."""
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("primary") is True and isinstance(row.get("email"), str):
            return clean_email(row["email"]), row.get("verified") is True
    return "", False


async def _groups(api: str, headers: dict[str, str]) -> tuple[str, ...]:
    """Organisations by their login, teams as "organisation/team". Raises Faulty where not all can be read:
    with half of them, rights would be taken back that the person has.
    """
    found: list[str] = []
    for row in await _all(f"{api}/user/orgs", "Organisations", headers):
        found.append(str(row.get("login") or ""))
    for row in await _all(f"{api}/user/teams", "Teams", headers):
        organisation = row.get("organization")
        if isinstance(organisation, dict):
            found.append(f"{organisation.get('login')}/{row.get('slug')}")
    return tuple(dict.fromkeys(name[:GROUP_LENGTH] for name in found if name))[:MOST_GROUPS]


async def _all(url: str, what: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(1, PAGES + 1):
        rows = await fetch(f"{url}?per_page={PAGE}&page={number}", what, headers=headers)
        if not isinstance(rows, list):
            raise Faulty(f"{what}: the answer is no list.")
        found += [row for row in rows if isinstance(row, dict)]
        if len(rows) < PAGE:
            return found
    raise Faulty(f"{what}: there are more than {PAGE * PAGES}.")
