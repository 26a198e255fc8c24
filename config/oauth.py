"""At which vendors people may log in, from what the operator has set. Off unless a client id is set.

The variables of a login are options in the vendors' rows (providers/vendors.py); two more are read here, for
each PREFIX of PREFIXES: PREFIX_OAUTH_CLIENT_SECRET, for a client that has one, and PREFIX_OAUTH_REVOKE_URL,
where the vendor takes notice of grants that are given up (RFC 7009). docs/oauth.md lists them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from providers.access import Secret
from providers.oauth import OAuthClient, is_safe
from providers.oauth_vendors import FORBIDDEN_BY_TERMS, client_for
from providers.vendors import PROVIDERS

from .environment import Environment

PREFIXES = {"anthropic": "ANTHROPIC", "azure": "AZURE_OPENAI"}
CALLBACK = "/manage/keys/oauth/callback/"


def configuration(
    env: Environment, providers: Mapping[str, Mapping[str, Any]], public_url: str
) -> dict[str, OAuthClient]:
    """The client of each vendor at which this installation may log in.

    `providers` is PROVIDER_ENVIRONMENT, `public_url` the address by which browsers reach this server, "" when
    it is not known: a vendor can then send nobody back, and the person pastes a code. Raises
    ImproperlyConfigured for settings that do not fit together, and for a vendor whose terms forbid such a
    login unless the operator says that theirs permit it.
    """
    callback = f"{public_url}{CALLBACK}" if public_url and is_safe(public_url) else ""
    found = {slug: _client(env, slug, entry, callback) for slug, entry in providers.items()}
    return {slug: client for slug, client in found.items() if client is not None}


def _client(env: Environment, slug: str, entry: Mapping[str, Any], callback: str) -> OAuthClient | None:
    prefix = PREFIXES.get(slug, "")
    secret = env.text(f"{prefix}_OAUTH_CLIENT_SECRET") if prefix else ""
    revoke_url = env.text(f"{prefix}_OAUTH_REVOKE_URL") if prefix else ""
    if revoke_url and not is_safe(revoke_url):
        raise ImproperlyConfigured(f"{prefix}_OAUTH_REVOKE_URL must be an https address.")
    options: Mapping[str, str] = entry.get("shared", {})
    try:
        client = client_for(
            slug,
            options,
            base_url=entry.get("base_url", ""),
            callback=callback,
            secret=Secret(secret) if secret else None,
            revoke_url=revoke_url,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"The login at {PROVIDERS[slug].label} is not usable: {error}") from None
    if client is not None and slug in FORBIDDEN_BY_TERMS and not options.get("oauth_permitted"):
        raise ImproperlyConfigured(
            f"{prefix}_OAUTH_CLIENT_ID is set. The vendor's terms do not permit other products to offer its "
            f"login; use API keys. Set {prefix}_OAUTH_PERMITTED=1 only if {PROVIDERS[slug].label} has "
            "agreed to this client in writing. See docs/oauth.md."
        )
    return client
