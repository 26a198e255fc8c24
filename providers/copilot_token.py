"""What a GitHub token is exchanged for: a short-lived token of Copilot's, and the address of its models.

The exchange is an interface of GitHub's own editor clients and documented nowhere; whoever runs this
installation needs GitHub's permission to use it. Its form is that of the extension for Visual Studio Code,
whose source is public (microsoft/vscode-copilot-chat).
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from providers import minting
from providers.access import Access, Secret
from providers.errors import (
    AuthenticationError,
    Forbidden,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
)
from providers.minting import Answer
from providers.oauth_tokens import masked
from providers.tokens import Token
from providers.transport import Transport
from providers.types import Json

VENDOR = "GitHub"
PUBLIC = "api.github.com"
PUBLIC_API = "https://api.githubcopilot.com"
DOMAIN = "githubcopilot.com"
API_VERSION = "2025-04-01"
# A token is good for a while beyond the moment at which GitHub wants it exchanged anew.
GRACE = 60.0
SHORTEST_LIFE = 60.0
USUAL_LIFE = 600.0  # where neither of GitHub's two times can be believed

_NO_ACCESS = "This GitHub account has no access to Copilot."
_CLASSIC = "ghp_"


async def mint(
    access: Access,
    headers: Mapping[str, str],
    through: Callable[[], Transport],
    *,
    now: Callable[[], float] = time.time,
) -> Token:
    """A new token; its fact `api` is the address of the models. Raises ProviderError, never billed:

    AuthenticationError   GitHub does not take the login any more
    Forbidden             the account may not use Copilot, or this program may not
    """
    github = minting.secret_of(access)
    if github.reveal().startswith(_CLASSIC):
        raise AuthenticationError("A classic token of GitHub's does not open Copilot. Sign in.", sent=False)
    base = access.base_url.rstrip("/")
    answer = await minting.ask(
        "GET",
        f"{base}/copilot_internal/v2/token",
        headers={
            **headers,
            "authorization": f"token {github.reveal()}",
            "x-github-api-version": API_VERSION,
            "accept": "application/json",
        },
        secrets=[github],
        through=through,
    )
    body = answer.body
    if answer.status != 200 or body is None or "error_details" in body:
        raise _refusal(answer, github)
    if body.get("chat_enabled") is False:
        raise Forbidden("Copilot's chat is switched off for this GitHub account.", sent=False)
    secret = minting.token(VENDOR, body, "token")
    refresh_in, expires_in = _times(body, now)
    return Token(secret=secret, expires_in=expires_in, refresh_in=refresh_in, facts={"api": _api(body, base)})


async def person(access: Access, through: Callable[[], Transport]) -> str:
    """GitHub's id of the account behind the login, "" when it does not say. Raises ProviderError."""
    github = minting.secret_of(access)
    answer = await minting.ask(
        "GET",
        f"{access.base_url.rstrip('/')}/user",
        headers={"authorization": f"token {github.reveal()}", "accept": "application/json"},
        secrets=[github],
        through=through,
    )
    found = (answer.body or {}).get("id")
    return str(found) if answer.status == 200 and type(found) is int else ""


def _times(body: Json, now: Callable[[], float]) -> tuple[float | None, float]:
    """Seconds until a new token is due, and until the end of this one.

    `refresh_in` is a span, and so right whatever our clock says; `expires_at` is believed only without it.
    """
    refresh_in = minting.seconds(body.get("refresh_in"))
    if refresh_in is not None:
        return refresh_in, refresh_in + GRACE
    ends = minting.number(body.get("expires_at"))
    life = minting.seconds(ends - now()) if ends is not None else None
    return None, life if life is not None and life >= SHORTEST_LIFE else USUAL_LIFE


def _api(body: Json, base: str) -> str:
    """Where the models are: a host of Copilot's, of the enterprise's own domain, or this machine's when
    GitHub itself is played on it. Raises ProtocolError.
    """
    endpoints = body.get("endpoints")
    api: Any = endpoints.get("api") if isinstance(endpoints, dict) else None
    asked = minting.host_of(base)
    enterprise = "" if asked == PUBLIC else asked.removeprefix("api.")
    if not api and not minting.is_loopback(asked):
        return f"https://copilot-api.{enterprise}" if enterprise else PUBLIC_API
    host = minting.host_of(api) if isinstance(api, str) else ""
    near = minting.is_loopback(asked) and minting.is_loopback(host)
    ours = minting.is_below(host, DOMAIN) or minting.is_below(host, enterprise)
    if not isinstance(api, str) or not minting.is_safe(api) or not (near or ours):
        raise ProtocolError("GitHub named an address for Copilot that is not its own.", sent=False)
    return api.rstrip("/")


def _refusal(answer: Answer, github: Secret) -> ProviderError:
    body = answer.body or {}
    facts: Json = {"status": answer.status, "retry_after": answer.wait, "sent": False}
    details = body.get("error_details")
    said = body.get("message")
    words = masked(said, [github]) if isinstance(said, str) else ""
    if answer.status == 429 or "rate limit" in words.lower():
        return RateLimited("GitHub takes no more requests from this account for now.", **facts)
    if isinstance(details, dict):
        return Forbidden(_told(details, github), **facts)
    match answer.status:
        case 401:
            return AuthenticationError("GitHub does not accept this login any more. Connect again.", **facts)
        case 403 | 404:
            return Forbidden(f"{_NO_ACCESS} {words}".strip(), **facts)
        case status if status >= 500 or status == 408:
            return ServerError("GitHub could not give a token for Copilot.", **facts)
        case status:
            return ProtocolError(f"GitHub answered with status {status} instead of a token.", **facts)


def _told(details: Json, github: Secret) -> str:
    """GitHub's own words for the person: what is missing (a seat, a consent), and where to get it."""
    parts = [value for name in ("title", "message", "url") if isinstance(value := details.get(name), str)]
    text = " ".join(dict.fromkeys(masked(part, [github]) for part in parts if part))
    return text or _NO_ACCESS
