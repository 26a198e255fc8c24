"""OAuth 2 for connecting an account at a vendor: what a client is, what it is granted, what can go wrong.

The flows: `oauth_pkce` (authorization code with PKCE), `oauth_device` (device code), `oauth_tokens` (renewing
and revoking). Facts are from RFC 6749, 7009, 7636, 8628 and 9700; a vendor's own ways stand in its client
(`oauth_vendors`). Failures are those of providers.errors, in three kinds by what mends them:

    ProviderError
    ├── AuthenticationError
    │   └── LoginNeeded      connect again: the grant is used up, revoked or expired
    │       ├── Declined     ... the person said no
    │       └── Lapsed       ... the person took too long
    ├── Forbidden
    │   └── ClientRefused    ask the admin: the client, its scopes, its addresses, or the account's policy
    ├── ConnectionFailed
    │   └── Unanswered       try later: no answer came, but the vendor may have done what it was asked
    └── all others           try later: the grant stays as it is

None of them was billed (`sent` is False): no model was asked.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from providers.access import Secret
from providers.errors import AuthenticationError, ConnectionFailed, Forbidden, ProviderError

DEFAULT_LIFETIME = 3600  # seconds, where a vendor's answer says none
NOT_SAFE = "An OAuth address must begin with https, or be one of this machine."


class LoginNeeded(AuthenticationError):
    says = "The vendor does not accept this login any more."


class Declined(LoginNeeded):
    says = "The login was declined at the vendor."


class Lapsed(LoginNeeded):
    says = "The login was not finished in time. Start again."


class ClientRefused(Forbidden):
    says = "The vendor refuses the login of this installation. An admin has to look at its configuration."


class Unanswered(ConnectionFailed):
    says = "The vendor's login service did not answer."


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """This installation as a client of one vendor's authorization server. The operator says who it is.

    `lifetime` is how long an access token lives, in seconds, when the vendor's answer does not say; None: for
    ever. `body` is the form of requests to the token endpoint. `authorize_extra` are further fields of the
    login page's address; `repeats_state` sends the state with the code as well. Every address is https, or
    one of this machine: ValueError says so.
    """

    client_id: str
    token_url: str
    authorize_url: str = ""
    device_url: str = ""
    revoke_url: str = ""
    redirect_uri: str = ""
    scopes: tuple[str, ...] = ()
    client_secret: Secret | None = None
    body: Literal["json", "form"] = "form"
    headers: Mapping[str, str] = field(default_factory=dict)
    authorize_extra: Mapping[str, str] = field(default_factory=dict)
    repeats_state: bool = False
    lifetime: int | None = DEFAULT_LIFETIME

    def __post_init__(self) -> None:
        if not self.client_id:
            raise ValueError("An OAuth client needs its client id.")
        urls = (self.token_url, self.authorize_url, self.device_url, self.revoke_url, self.redirect_uri)
        if not self.token_url or not all(is_safe(url) for url in urls if url):
            raise ValueError(NOT_SAFE)

    @property
    def identity(self) -> str:
        """What a grant belongs to: its tokens are sent nowhere else and by no other client."""
        return f"{self.client_id} {self.token_url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a vendor has granted. Times are UTC, None: never; `scope` is what was granted, "" when unsaid."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    scope: str = ""

    @property
    def ends_at(self) -> datetime | None:
        """When nothing of it is good any more: nothing renews the access token then."""
        return self.refresh_expires_at if self.refresh_token is not None else self.expires_at


def is_safe(url: str) -> bool:
    """Whether secrets may be sent to this address: https, or plain http to this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or " " in url or parts.username or parts.fragment:
        return False
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))


def tells_to(error: ProviderError) -> Literal["log in", "ask the admin", "wait"]:
    """What mends a failure of these flows. Only "log in" means that the stored grant is worth nothing."""
    match error:
        case LoginNeeded():
            return "log in"
        case ClientRefused():
            return "ask the admin"
        case _:
            return "wait"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
