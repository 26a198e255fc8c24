"""What a SAML provider posted: checked, and put sealed into the attempt that asked for it.

The post comes from the provider's page, so without our cookies: it cannot tell whose browser it is. What it
proves waits under a new state, which only the browser that posted is told; and only the browser that began
may take it. They must be one. Else somebody could send their own request to another person, and be signed in
as them.

An assertion counts once: it must name the request that it answers, and a request is answered once.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from accounts.models import SignInAttempt, SignInSettings, SignInVendor
from accounts.names import clean_name
from providers.access import Secret
from providers.oauth_tokens import masked

from . import attempts, identities, saml, saml_xml
from .identities import Identity
from .refusals import Faulty, NoEntry, Turned
from .saml_xml import found, text

SKEW = timedelta(minutes=1)  # between their clock and ours
WAITS = timedelta(minutes=2)  # until the browser has followed to our page
POSTED_BYTES = 2 * saml_xml.MOST_BYTES
SUBJECT_LENGTH = 255
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
KNOWN_CONDITIONS = {
    f"{{{saml_xml.NAMES['saml']}}}{name}"
    for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
}
NOT_LASTING = (
    "The provider names people by something that may change or be given to others ({}). Let it send a "
    "persistent NameID, or name the attribute that says who somebody is."
)


@sensitive_variables()
def received(request: HttpRequest, id: UUID) -> str:
    """The address of ours that the browser goes on to. Raises NoEntry where no attempt waits for this."""
    root = saml_xml.parsed(_posted(request))
    asked = root.get("InResponseTo", "")
    waiting = SignInAttempt.objects.waiting().select_related("provider", "draft")
    attempt = waiting.filter(state=SignInAttempt.digest(asked)).first() if asked else None
    settings = (attempt.draft or attempt.provider) if attempt is not None else None
    if (
        attempt is None
        or settings is None
        or settings.vendor != SignInVendor.SAML
        or attempts.address_id(settings) != id
        or attempt.found.get("answered")
    ):
        raise Turned(attempts.NOT_BEGUN)
    try:
        told = asdict(identity(root, settings, asked=asked, address=str(attempt.found["redirect"])))
    except NoEntry as refusal:
        told = {"why": refusal.why}
    state = secrets.token_urlsafe(32)
    until = min(attempt.expires_at, timezone.now() + WAITS)
    if not SignInAttempt.objects.answer(attempt, state=state, told=Secret(json.dumps(told)), until=until):
        raise Turned(attempts.NOT_BEGUN)
    return f"{reverse('accounts:sso_callback', args=[id])}?state={state}"


def _posted(request: HttpRequest) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > POSTED_BYTES:
        raise Faulty("The answer is too large.")
    values = request.POST.getlist("SAMLResponse")
    try:
        data = base64.b64decode("".join(values[0].split()), validate=True) if len(values) == 1 else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise Turned(attempts.NOT_BEGUN)
    return data


def identity(root: Any, settings: SignInSettings, *, asked: str, address: str) -> Identity:
    """Who came, by a response that holds. Raises Faulty."""
    _need(root.tag == f"{{{saml_xml.NAMES['samlp']}}}Response", "It is no SAML response.")
    _need(not saml_xml.has_comments(root), "It has comments or instructions, which are not read.")
    codes = found(root, "./samlp:Status/samlp:StatusCode/descendant-or-self::samlp:StatusCode")
    values = [each.get("Value", "") for each in codes]
    if values[:1] != [SUCCESS]:
        said = " ".join(
            [
                *(value.rpartition(":")[2] for value in values),
                *map(text, found(root, ".//samlp:StatusMessage")),
            ]
        )
        raise Faulty(f"The provider sent back: {masked(said, [])}")
    assertions = found(root, "./saml:Assertion")
    everywhere = found(root, "//*[local-name()='Assertion' or local-name()='EncryptedAssertion']")
    _need(len(assertions) == 1 and everywhere == assertions, "It must hold one assertion, not encrypted.")
    _need(saml_xml.fits_schema(root), "It does not fit the schema of SAML 2.0.")
    if why := saml_xml.why_not_signed(root, settings.saml.get("certificates", [])):
        raise Faulty(why)
    assertion = assertions[0]
    issuers = [*found(assertion, "./saml:Issuer"), *found(root, "./saml:Issuer")]
    _need(
        all(text(each) == settings.issuer for each in issuers),
        "It is another provider’s: the issuer differs.",
    )
    _need(root.get("Destination", address) == address, "It was meant for another address (destination).")
    now = timezone.now()
    _check_conditions(assertion, saml.entity_of(address), now)
    _check_confirmation(assertion, asked, address, now)
    statements = found(assertion, "./saml:AuthnStatement")
    _need(len(statements) == 1, "It does not say when somebody signed in.")
    until = statements[0].get("SessionNotOnOrAfter")
    _need(until is None or now < _time(until), "The session at the provider has ended.")
    return _identity(settings, assertion, int(_time(statements[0].get("AuthnInstant")).timestamp()))


def _check_conditions(assertion: Any, audience: str, now: datetime) -> None:
    conditions = found(assertion, "./saml:Conditions")
    _need(len(conditions) == 1, "It has no conditions.")
    begins, ends = conditions[0].get("NotBefore"), conditions[0].get("NotOnOrAfter")
    _need(begins is None or now + SKEW >= _time(begins), "It does not hold yet. Are the clocks right?")
    _need(now - SKEW < _time(ends), "It has expired. Are the clocks right?")
    _need(
        all(each.tag in KNOWN_CONDITIONS for each in conditions[0]), "It has conditions that are not known."
    )
    limits = found(conditions[0], "./saml:AudienceRestriction")
    named = [{text(each) for each in found(limit, "./saml:Audience")} for limit in limits]
    _need(
        bool(named) and all(audience in each for each in named), "It was meant for somebody else (audience)."
    )


def _check_confirmation(assertion: Any, asked: str, address: str, now: datetime) -> None:
    rows = found(
        assertion, f"./saml:Subject/saml:SubjectConfirmation[@Method='{BEARER}']/saml:SubjectConfirmationData"
    )
    _need(len(rows) == 1, "It must confirm the subject once, for the bearer.")
    data = rows[0]
    _need(data.get("InResponseTo") == asked, "It answers another request.")
    _need(data.get("Recipient") == address, "It was meant for another address (recipient).")
    _need(data.get("NotBefore") is None, "Its confirmation begins later, which is not allowed.")
    _need(now - SKEW < _time(data.get("NotOnOrAfter")), "It has expired. Are the clocks right?")


def _identity(settings: SignInSettings, assertion: Any, authenticated_at: int) -> Identity:
    claims = _attributes(assertion)
    names = found(assertion, "./saml:Subject/saml:NameID")
    name_format = names[0].get("Format", "") if names else ""
    if wanted := settings.saml.get("subject", ""):
        subject = _one(claims, wanted)
        _need(bool(subject), f"It lacks the attribute {wanted}, which says who somebody is, or has it twice.")
    else:
        subject = text(names[0]) if len(names) == 1 else ""
        _need(bool(subject), "It has no NameID.")
        _need(
            name_format == saml.PERSISTENT,
            NOT_LASTING.format(name_format.rpartition(":")[2] or "without a format"),
        )
    _need(len(subject) <= SUBJECT_LENGTH, "The name of the subject is too long.")
    groups = claims.get(settings.groups_claim, []) if settings.groups_claim else []
    told = {"NameID": text(names[0]) if names else "", "NameID format": name_format}
    short: dict[str, Any] = {name: row[0] if len(row) == 1 else row for name, row in claims.items()}
    return Identity(
        subject=subject,
        email=identities.email_of(_one(claims, settings.saml.get("email", ""))),
        verified=False,  # SAML has no word for it
        name=clean_name(_one(claims, settings.saml.get("name", ""))),
        groups=identities.group_names(groups),
        authenticated_at=authenticated_at,
        shown=identities.shown({**told, **short}),
    )


def _attributes(assertion: Any) -> dict[str, list[str]]:
    claims: dict[str, list[str]] = {}
    for each in found(assertion, "./saml:AttributeStatement/saml:Attribute"):
        values = [text(value) for value in found(each, "./saml:AttributeValue")]
        claims.setdefault(each.get("Name", ""), []).extend(value for value in values if value)
    return claims


def _one(claims: Mapping[str, list[str]], name: str) -> str:
    """The value of an attribute that has one; of several: none."""
    values = claims.get(name, [])
    return values[0] if len(values) == 1 else ""


def _time(value: str | None) -> datetime:
    try:
        at = parse_datetime(value or "")
    except ValueError:
        at = None
    if at is None or timezone.is_naive(at):
        raise Faulty("It lacks a time that it must have.")
    return at


def _need(holds: bool, why: str) -> None:
    if not holds:
        raise Faulty(f"SAML response: {why}")
