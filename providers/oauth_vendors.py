"""What is known of each vendor's authorization server. The operator says who the client is, and may say more.

Anthropic: its SDKs send JSON to `/v1/oauth/token`, with the beta header below; the rest of the code flow is
not in its public documentation. GitHub: "Authorizing OAuth apps" (device flow) and "Refreshing user access
tokens". Azure: Microsoft identity platform, "OAuth 2.0 authorization code flow". Whether a vendor's terms
permit this kind of login at all is told in docs/oauth.md.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit, urlunsplit

from providers.access import Secret
from providers.oauth import OAuthClient

ANTHROPIC_HEADERS = {"anthropic-beta": "oauth-2025-04-20"}
GITHUB_API = "api."

# The vendors whose terms forbid that other products offer this login; the operator has to say that theirs
# allows it (docs/oauth.md).
FORBIDDEN_BY_TERMS = frozenset({"anthropic"})


def client_for(
    provider: str,
    options: Mapping[str, str],
    *,
    base_url: str,
    callback: str,
    secret: Secret | None = None,
    revoke_url: str = "",
) -> OAuthClient | None:
    """The client that the operator's options describe; None where they name none, or the vendor has no login.

    `base_url` is the provider's address, `callback` the address of our own that a vendor may send people back
    to ("" when this server does not know its address). Raises ValueError, in words for the operator.
    """
    make = _VENDORS.get(provider)
    return make(options, base_url, callback, secret, revoke_url) if make is not None else None


def _anthropic(
    options: Mapping[str, str], base_url: str, callback: str, secret: Secret | None, revoke_url: str
) -> OAuthClient | None:
    client_id = options.get("oauth_client_id")
    if not client_id:
        return None
    return OAuthClient(
        client_id=client_id,
        client_secret=secret,
        authorize_url=options.get("oauth_authorize_url") or "https://claude.ai/oauth/authorize",
        token_url=options.get("oauth_token_url") or f"{base_url.rstrip('/')}/v1/oauth/token",
        revoke_url=revoke_url,
        redirect_uri=options.get("oauth_redirect_url")
        or callback
        or "https://platform.claude.com/oauth/code/callback",
        scopes=_scopes(options, "user:inference user:profile"),
        body="json",
        headers=ANTHROPIC_HEADERS,
        authorize_extra={"code": "true"},
        repeats_state=True,
    )


def _azure(
    options: Mapping[str, str], base_url: str, callback: str, secret: Secret | None, revoke_url: str
) -> OAuthClient | None:
    client_id = options.get("oauth_client_id")
    if not client_id:
        return None
    authorize_url, token_url = options.get("oauth_authorize_url"), options.get("oauth_token_url")
    redirect_uri = options.get("oauth_redirect_url") or callback
    if not authorize_url or not token_url or not redirect_uri:
        raise ValueError(
            "Logging in at Azure needs the sign-in page and the token address of the directory, and a "
            "redirect address or the public address of this server."
        )
    return OAuthClient(
        client_id=client_id,
        client_secret=secret,
        authorize_url=authorize_url,
        token_url=token_url,
        revoke_url=revoke_url,
        redirect_uri=redirect_uri,
        scopes=_scopes(options, "https://cognitiveservices.azure.com/.default offline_access"),
    )


def _copilot(
    options: Mapping[str, str], base_url: str, callback: str, secret: Secret | None, revoke_url: str
) -> OAuthClient | None:
    """GitHub's host is that of its API without `api.`; a token without `expires_in` lives until revoked."""
    client_id = options.get("client_id")
    if not client_id:
        return None
    parts = urlsplit(base_url)
    host = urlunsplit((parts.scheme, parts.netloc.removeprefix(GITHUB_API), "", "", ""))
    return OAuthClient(
        client_id=client_id,
        client_secret=secret,
        device_url=f"{host}/login/device/code",
        token_url=f"{host}/login/oauth/access_token",
        scopes=("read:user",),
        lifetime=None,
    )


def _scopes(options: Mapping[str, str], default: str) -> tuple[str, ...]:
    return tuple((options.get("oauth_scopes") or default).replace(",", " ").split())


_Maker = Callable[[Mapping[str, str], str, str, Secret | None, str], OAuthClient | None]
_VENDORS: Mapping[str, _Maker] = {"anthropic": _anthropic, "azure": _azure, "copilot": _copilot}
