"""Who came, as the provider says it. Nothing here is decided about our accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import SignInSettings, SignInVendor
from accounts.names import clean_email, clean_name, one_line

from .vendors import VENDORS

MOST_GROUPS = 1000
GROUP_LENGTH = 300
SHOWN = 40  # claims that the page of a test shows
SHOWN_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Identity:
    """`subject` is who it is, at this provider, for ever. `verified`: the provider itself says that the
    address is theirs. `groups` is None where it says that there are more than it tells.
    `authenticated_at` is when it last asked them who they are, in seconds since 1970, where it says. `shown`
    are the claims as text.
    """

    subject: str
    email: str
    verified: bool
    name: str
    groups: tuple[str, ...] | None
    authenticated_at: int | None = None
    shown: Mapping[str, str] = field(default_factory=dict)


def of_claims(settings: SignInSettings, claims: Mapping[str, Any]) -> Identity:
    """Of an ID token that holds, with what the provider told besides."""
    email = email_of(claims.get("email"))
    if not email and settings.vendor == SignInVendor.MICROSOFT:
        email = email_of(claims.get("preferred_username"))
    return Identity(
        subject=str(claims["sub"]),
        email=email,
        verified=bool(email) and _verified(settings.vendor, email, claims),
        name=clean_name(str(claims.get("name") or "")),
        groups=_groups(settings, claims),
        authenticated_at=at if isinstance(at := claims.get("auth_time"), int) else None,
        shown=shown(claims),
    )


def shown(claims: Mapping[str, Any]) -> dict[str, str]:
    """For the admin who tests: each claim as one short line, as JSON where it is no text."""
    found = [*claims.items()][:SHOWN]
    return {one_line(str(name))[:80]: one_line(_text(value))[:SHOWN_LENGTH] for name, value in found}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def value_at(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; where there is none of it, by its path, such as realm_access.roles."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def group_names(value: Any) -> tuple[str, ...]:
    """A list of names, or one name; whatever else stands there is none."""
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    texts = (name[:GROUP_LENGTH] for name in names[:MOST_GROUPS] if isinstance(name, str) and name)
    return tuple(dict.fromkeys(texts))


def _groups(settings: SignInSettings, claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    claim = claim_of(settings)
    if not claim:
        return ()
    # Microsoft Entra, "groups overage": with too many groups for a token it sends an address instead.
    elsewhere = claims.get("_claim_names")
    if (isinstance(elsewhere, dict) and claim in elsewhere) or claims.get("hasgroups") is True:
        return None
    return group_names(value_at(claims, claim))


def claim_of(settings: SignInSettings) -> str:
    return VENDORS[settings.vendor].claim or settings.groups_claim


def _verified(vendor: str, email: str, claims: Mapping[str, Any]) -> bool:
    """What each provider means by it, and no more."""
    if vendor == SignInVendor.MICROSOFT:
        # An address in Entra is what an admin of some tenant wrote, unless its domain's owner was verified:
        # the optional claim xms_edov (Microsoft identity platform, optional claims reference).
        return claims.get("email") is not None and claims.get("xms_edov") in (True, 1, "1", "true")
    said = claims.get("email_verified") in (True, "true")
    if vendor == SignInVendor.GOOGLE:
        # Google is authoritative for Gmail and for a Workspace's own domain (`hd`); of other addresses it
        # knows only that they were verified once (Google, "Verify the Google ID token", on `email_verified`).
        domain = email.rpartition("@")[2]
        return said and (domain == "gmail.com" or claims.get("hd") == domain)
    return said


def email_of(value: Any) -> str:
    """The address in our form, "" for what is none."""
    if not isinstance(value, str):
        return ""
    email = clean_email(value)
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= 254 else ""
