"""The kinds of providers: where each is, and what an admin enters for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.models import SignInVendor
from providers.oauth import is_safe

ISSUER_LENGTH = 300
NO_ENTITY = "Enter the provider’s entity ID as it tells it, whole and without spaces."
TENANT = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
NO_TENANT = (
    "Enter the directory (tenant) ID: 32 digits and letters with hyphens. Names such as “common” would let "
    "in every organisation of the world."
)


@dataclass(frozen=True, slots=True)
class Vendor:
    """`asks` is what the issuer's field is called, "" where there is nothing to enter; `where` says where the
    redirect address is entered; `groups` how its groups are named, "" where it tells none.
    """

    slug: str
    label: str
    where: str
    asks: str = ""
    hint: str = ""
    groups: str = ""
    claim: str = ""  # where groups stand in what it tells; "" where an admin names it, or it has none

    @property
    def is_openid(self) -> bool:
        return self.slug not in {SignInVendor.GITHUB, SignInVendor.SAML}

    @property
    def is_saml(self) -> bool:
        return self.slug == SignInVendor.SAML

    @property
    def names_claim(self) -> bool:
        """Whether an admin says under which name groups are told."""
        return bool(self.groups) and not self.claim


VENDORS = {
    vendor.slug: vendor
    for vendor in (
        Vendor(
            SignInVendor.OIDC,
            "OpenID Connect",
            "Enter it at the provider as the redirect URI of a confidential web application.",
            asks="Issuer",
            hint="The provider’s address, to which /.well-known/openid-configuration is added. It must be "
            "public and begin with https, or stand in PARLEY_PRIVATE_HOSTS.",
            groups="As the provider writes them in the claim.",
        ),
        Vendor(
            SignInVendor.GOOGLE,
            "Google",
            "Enter it in the Google Cloud console, at the OAuth client of type “Web application”, as an "
            "authorised redirect URI.",
        ),
        Vendor(
            SignInVendor.MICROSOFT,
            "Microsoft",
            "Enter it in the Microsoft Entra admin center, at the app registration’s authentication, as a "
            "redirect URI of the platform “Web”.",
            asks="Directory (tenant) ID",
            hint="It stands on the overview of the app registration.",
            groups="The object IDs of the groups; the app registration must send the claim “groups”.",
            claim="groups",
        ),
        Vendor(
            SignInVendor.GITHUB,
            "GitHub",
            "Enter it in GitHub’s settings, at the OAuth app, as the authorization callback URL.",
            groups="An organisation (“lighthouse”) or a team in it (“lighthouse/design”).",
            claim="teams",
        ),
        Vendor(
            SignInVendor.SAML,
            "SAML",
            "Enter both at the provider, as the address of the assertion consumer service (ACS) and as the "
            "entity ID (audience) of this application, or give it the metadata. It must sign the assertion.",
            asks="Entity ID of the provider",
            hint="As the provider names itself, the issuer of what it signs.",
            groups="As the provider writes them in the attribute.",
        ),
    )
}


def issuer_of(vendor: str, typed: str) -> str:
    """The address of the provider that an admin means. Raises ValidationError."""
    typed = typed.strip()
    if vendor == SignInVendor.SAML:
        if (
            not typed
            or len(typed) > ISSUER_LENGTH
            or not typed.isascii()
            or not typed.isprintable()
            or " " in typed
        ):
            raise ValidationError(NO_ENTITY)
        return typed
    base = str(settings.SIGN_IN_ADDRESSES.get(vendor, ""))
    if vendor == SignInVendor.MICROSOFT:
        if not TENANT.fullmatch(typed):
            raise ValidationError(NO_TENANT)
        return f"{base}/{typed.lower()}/v2.0"
    if vendor != SignInVendor.OIDC:
        return base
    issuer = typed.removesuffix("/.well-known/openid-configuration")
    if not is_safe(issuer) or "?" in issuer:
        raise ValidationError(
            "Enter the provider’s address as it names itself, such as https://login.example.org."
        )
    return issuer


def typed_of(vendor: str, issuer: str) -> str:
    """What an admin typed to mean this address."""
    if vendor == SignInVendor.MICROSOFT:
        found = TENANT.search(issuer)
        return found[0] if found else ""
    return issuer if vendor in {SignInVendor.OIDC, SignInVendor.SAML} else ""
