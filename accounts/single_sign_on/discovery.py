"""Where an OpenID provider takes requests: its discovery document (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from providers.errors import ConnectionFailed
from providers.oauth import is_safe
from providers.outbound import must_be_callable

from .refusals import Faulty
from .wire import fetch

WHAT = "Discovery document"


@dataclass(frozen=True, slots=True)
class Addresses:
    """`basic`: the client's secret goes into a header, not among the fields. `scopes` are those it knows."""

    issuer: str
    authorize: str
    token: str
    keys: str
    userinfo: str = ""
    basic: bool = False
    scopes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Self:
        return cls(**{**stored, "scopes": tuple(stored.get("scopes", ()))})


async def discover(issuer: str) -> Addresses:
    """Raises Faulty: also where the document names another issuer, or addresses that may not be called."""
    found = await fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration", WHAT)
    if not isinstance(found, dict):
        raise Faulty(f"{WHAT}: it is no object.")
    named = found.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise Faulty(f"{WHAT}: it is that of another issuer. Enter the issuer as the provider names itself.")
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    scopes = found.get("scopes_supported")
    return Addresses(
        issuer=named,
        authorize=_address(found, "authorization_endpoint"),
        token=_address(found, "token_endpoint"),
        keys=_address(found, "jwks_uri"),
        userinfo=_address(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else "",
        basic="client_secret_post" not in methods,
        scopes=tuple(each for each in scopes if isinstance(each, str)) if isinstance(scopes, list) else (),
    )


def _address(found: dict[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or len(url) > 1000 or not is_safe(url):
        raise Faulty(f"{WHAT}: its {name} is missing, or does not begin with https.")
    try:
        must_be_callable(url)
    except ConnectionFailed as error:
        raise Faulty(f"{WHAT}, {name}: {error.safe_message}") from None
    return url
