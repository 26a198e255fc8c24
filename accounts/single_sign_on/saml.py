"""SAML 2.0, our side: what is asked of the provider, where it answers, and what it is told about us.

saml          the request, our metadata, the identity that waits in an attempt
saml_xml      parsing and signatures; alone with the optional packages
saml_answers  what a provider posted, checked
saml_setup    the provider's certificates and metadata, as admins enter them
"""

from __future__ import annotations

import base64
import json
import secrets
import zlib
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import SignInAttempt, SignInSettings
from accounts.sealing.sealing import SealBroken

from .identities import Identity
from .refusals import Faulty

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


def new_request_id() -> str:
    """An ID may not begin with a digit (XML Schema, NCName)."""
    return f"_{secrets.token_hex(32)}"


def entity_of(address: str) -> str:
    """What Parley is called at the provider: the address of its metadata, beside that of the answers."""
    return f"{address.removesuffix('saml/')}metadata/"


def page(settings: SignInSettings, *, request_id: str, redirect: str, again: bool) -> str:
    """The provider's address that the browser opens. `again` makes it ask who it is once more."""
    sso = str(settings.saml.get("sso", ""))
    force = ' ForceAuthn="true"' if again else ""
    policy = (
        "" if settings.saml.get("subject") else f'<p:NameIDPolicy Format="{PERSISTENT}" AllowCreate="true"/>'
    )
    request = (
        '<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"'
        f' ID={quoteattr(request_id)} Version="2.0" IssueInstant="{timezone.now():%Y-%m-%dT%H:%M:%SZ}"'
        f' Destination={quoteattr(sso)} ProtocolBinding="{POST}"'
        f" AssertionConsumerServiceURL={quoteattr(redirect)}{force}>"
        '<a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">'
        f"{escape(entity_of(redirect))}</a:Issuer>{policy}</p:AuthnRequest>"
    )
    deflate = zlib.compressobj(wbits=-15)
    packed = base64.b64encode(deflate.compress(request.encode()) + deflate.flush()).decode()
    return f"{sso}{'&' if urlsplit(sso).query else '?'}{urlencode({'SAMLRequest': packed})}"


def metadata(redirect: str) -> str:
    """What the provider may be given instead of the two addresses."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"'
        f" entityID={quoteattr(entity_of(redirect))}>\n"
        '  <SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true"'
        ' protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">\n'
        f"    <NameIDFormat>{PERSISTENT}</NameIDFormat>\n"
        f'    <AssertionConsumerService Binding="{POST}" Location={quoteattr(redirect)}'
        ' index="0" isDefault="true"/>\n'
        "  </SPSSODescriptor>\n</EntityDescriptor>\n"
    )


@sensitive_variables()
def waiting(attempt: SignInAttempt) -> Identity | None:
    """Who came, as the answer said that was checked; None without one. Raises Faulty where it was refused."""
    try:
        sealed = attempt.secret
    except SealBroken:
        sealed = None
    if sealed is None or not attempt.found.get("answered"):
        return None
    told: dict[str, Any] = json.loads(sealed.reveal())
    if "why" in told:
        raise Faulty(told["why"])
    groups = told.pop("groups")
    return Identity(**told, groups=tuple(groups))
