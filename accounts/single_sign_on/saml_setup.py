"""What an admin enters of a SAML provider: certificates, its address, or metadata that holds both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.exceptions import ValidationError
from django.utils import timezone

from . import saml_xml
from .refusals import Faulty

MOST_CERTIFICATES = 5
PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


@dataclass(frozen=True, slots=True)
class Certificate:
    """As a page shows it."""

    subject: str
    fingerprint: str
    since: datetime
    until: datetime

    @property
    def is_valid(self) -> bool:
        return self.since <= timezone.now() < self.until


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider's metadata says."""

    entity: str
    sso: str
    certificates: list[str]


def certificates_in(typed: str) -> list[str]:
    """Certificates one after the other, in our form. Raises ValidationError."""
    blocks = PEM.findall(typed)
    if not blocks or PEM.sub("", typed).strip():
        raise ValidationError(
            "Enter certificates as PEM, from BEGIN CERTIFICATE to END CERTIFICATE, and nothing else."
        )
    if len(blocks) > MOST_CERTIFICATES:
        raise ValidationError(f"At most {MOST_CERTIFICATES} certificates.")
    return list(dict.fromkeys(_checked(block) for block in blocks))


def _checked(block: str) -> str:
    try:
        found = x509.load_pem_x509_certificate(block.encode())
        key = found.public_key()
    except Exception:
        raise ValidationError("This is no certificate that can be read. Copy it again.") from None
    is_strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    if not is_strong and not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValidationError(
            "The certificate’s key must be RSA with 2048 bits or more, or of an elliptic curve."
        )
    return found.public_bytes(Encoding.PEM).decode()


def described(pem: str) -> Certificate:
    found = x509.load_pem_x509_certificate(pem.encode())
    return Certificate(
        subject=found.subject.rfc4514_string()[:200],
        fingerprint=found.fingerprint(hashes.SHA256()).hex(":"),
        since=found.not_valid_before_utc,
        until=found.not_valid_after_utc,
    )


def sso_address(typed: str) -> str:
    """Raises ValidationError."""
    typed = typed.strip()
    try:
        parts = urlsplit(typed)
        is_good = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_good = False
    if (
        not is_good
        or "#" in typed
        or not typed.isascii()
        or not typed.isprintable()
        or re.search(r"[\s\"<>\\]", typed)
    ):
        raise ValidationError("Enter the address as the provider tells it; it begins with https://.")
    return typed


def metadata_in(typed: str) -> Told:
    """What the metadata of one identity provider says; nothing is fetched. Raises ValidationError."""
    try:
        root = saml_xml.parsed(typed.strip().encode())
    except Faulty as fault:
        raise ValidationError(fault.why) from None
    entities = saml_xml.found(root, "/descendant-or-self::md:EntityDescriptor[md:IDPSSODescriptor]")
    if len(entities) != 1:
        raise ValidationError("The metadata must describe one identity provider.")
    services = saml_xml.found(
        entities[0], f"./md:IDPSSODescriptor/md:SingleSignOnService[@Binding='{REDIRECT}']"
    )
    if not services:
        raise ValidationError("The metadata names no address for the HTTP-Redirect binding.")
    keys = saml_xml.found(
        entities[0],
        "./md:IDPSSODescriptor/md:KeyDescriptor[not(@use) or @use='signing']//ds:X509Certificate",
    )
    texts = ["".join((key.text or "").split()) for key in keys]
    blocks = "\n".join(f"-----BEGIN CERTIFICATE-----\n{each}\n-----END CERTIFICATE-----" for each in texts)
    return Told(
        entity=entities[0].get("entityID", "").strip(),
        sso=sso_address(services[0].get("Location", "")),
        certificates=certificates_in(blocks),
    )
