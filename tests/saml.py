"""A SAML 2.0 identity provider inside the test. Nothing of it is fetched, so it needs no port.

It reads the request that our page leads to, and makes the response that its own page would post; signing is
python3-saml's. What makes it difficult are its fields, and `forge`, which changes the response after signing.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.utils import timezone
from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Constants
from onelogin.saml2.utils import OneLogin_Saml2_Utils as Utils

ENTITY = "https://id.harbour.example/saml"
SSO = "https://id.harbour.example/saml/sso"
PERSISTENT = Constants.NAMEID_PERSISTENT
NAMES = {"samlp": Constants.NS_SAMLP, "saml": Constants.NS_SAML, "ds": Constants.NS_DS}


def pair(name: str = "harbour") -> tuple[str, str]:
    """A key and its certificate, as PEM."""
    return _pair(name)


@cache
def _pair(name: str) -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} signing")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM).decode()


def metadata(entity: str = ENTITY, *, before: str = "") -> str:
    body = "".join(pair()[1].splitlines()[1:-1])
    return (
        f'<?xml version="1.0"?>{before}<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'xmlns:ds="{Constants.NS_DS}" entityID="{entity}"><!-- ours -->'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
        f"{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        f'<md:SingleSignOnService Binding="{Constants.BINDING_HTTP_REDIRECT}" Location="{SSO}"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )


@dataclass
class SamlProvider:
    name_id: str = "ada-1"
    name_format: str = PERSISTENT
    attributes: dict[str, list[str]] = field(
        default_factory=lambda: {
            "email": ["ada@example.org"],
            "displayName": ["Ada Okafor"],
            "groups": ["staff"],
        }
    )
    key: str = "harbour"  # of pair()
    signs: bool = True
    algorithm: str = Constants.RSA_SHA256
    digest: str = Constants.SHA256
    over: dict[str, str] = field(
        default_factory=dict
    )  # issuer, audience, recipient, destination, in_response_to
    age: timedelta = timedelta()
    forge: Callable[[bytes], bytes] | None = None

    @staticmethod
    def asked(page: str) -> Any:
        """The request that a page of ours leads to."""
        parts = urlsplit(page)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == SSO
        packed = parse_qs(parts.query)["SAMLRequest"][0]
        return etree.fromstring(zlib.decompress(base64.b64decode(packed), -15))

    def answer(self, page: str) -> tuple[str, str]:
        """Where the provider's page posts to, and the field SAMLResponse."""
        request = self.asked(page)
        address = request.get("AssertionConsumerServiceURL")
        audience = request.findtext("saml:Issuer", namespaces=NAMES)
        return address, self.response(request.get("ID"), address, audience)

    def response(self, request_id: str, address: str, audience: str) -> str:
        facts = {
            "issuer": ENTITY,
            "audience": audience,
            "recipient": address,
            "destination": address,
            "in_response_to": request_id,
            **self.over,
        }
        assertion = self._assertion(facts)
        if self.signs:
            key, certificate = pair(self.key)
            assertion = Utils.add_sign(
                assertion, key, certificate, sign_algorithm=self.algorithm, digest_algorithm=self.digest
            ).decode()
        answers = f' InResponseTo="{facts["in_response_to"]}"' if facts["in_response_to"] else ""
        text = (
            f'<samlp:Response xmlns:samlp="{Constants.NS_SAMLP}" xmlns:saml="{Constants.NS_SAML}" ID="_r1" '
            f'Version="2.0" IssueInstant="{self._at(0)}" Destination="{facts["destination"]}"{answers}>'
            f"<saml:Issuer>{facts['issuer']}</saml:Issuer>"
            f'<samlp:Status><samlp:StatusCode Value="{Constants.STATUS_SUCCESS}"/></samlp:Status>'
            f"{assertion}</samlp:Response>"
        ).encode()
        return base64.b64encode(self.forge(text) if self.forge else text).decode()

    def _at(self, seconds: int) -> str:
        return f"{timezone.now() - self.age + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"

    def _assertion(self, facts: dict[str, str]) -> str:
        told = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        answers = f' InResponseTo="{facts["in_response_to"]}"' if facts["in_response_to"] else ""
        return (
            f'<saml:Assertion xmlns:saml="{Constants.NS_SAML}" ID="_a1" Version="2.0" '
            f'IssueInstant="{self._at(0)}"><saml:Issuer>{facts["issuer"]}</saml:Issuer>'
            f'<saml:Subject><saml:NameID Format="{self.name_format}">{self.name_id}</saml:NameID>'
            f'<saml:SubjectConfirmation Method="{Constants.CM_BEARER}"><saml:SubjectConfirmationData'
            f'{answers} Recipient="{facts["recipient"]}" NotOnOrAfter="{self._at(300)}"/>'
            "</saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{self._at(-10)}" NotOnOrAfter="{self._at(300)}">'
            f"<saml:AudienceRestriction><saml:Audience>{facts['audience']}</saml:Audience>"
            f'</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{self._at(0)}">'
            "<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            f"<saml:AttributeStatement>{told}</saml:AttributeStatement></saml:Assertion>"
        )
