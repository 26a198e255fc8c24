"""One way to a provider and back: begun by one browser, finished once, by the same.

The state is looked up by its digest together with that of a random value in the browser's session, and taken
by one conditional update. So an answer that is replayed, made up, or opened in another browser finds nothing.
"""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings as installation
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import SignInAttempt, SignInDraft, SignInProvider, SignInSettings, SignInVendor, User
from accounts.models.single_sign_on import ATTEMPT_LASTS
from accounts.sealing.sealing import SealBroken
from accounts.single_sign_on import github, openid, saml
from accounts.single_sign_on.discovery import Addresses, discover
from accounts.single_sign_on.identities import Identity
from accounts.single_sign_on.refusals import Faulty, NoEntry, Turned
from accounts.single_sign_on.vendors import VENDORS
from providers import oauth_pkce
from providers.access import Secret
from providers.oauth_tokens import masked

BROWSER = "single_sign_on"  # of a session: what names this browser
ANSWER_LENGTH = 8192
NOT_BEGUN = "This sign-in was not begun in this browser, or it is over. Start again."
DECLINED = "You did not agree at the provider, so nothing was done."
CHANGED = "This provider was changed or switched off meanwhile. Start again."
NO_SECRET = "The stored client secret cannot be opened any more. Enter it again."  # noqa: S105

# What makes a provider ask who it is again (OpenID Connect Core 1.0, 3.1.2.1; Google and GitHub know neither
# `login` nor `max_age`, and let at least choose the account anew).
AGAIN: dict[str, dict[str, str]] = {
    SignInVendor.OIDC: {"prompt": "login", "max_age": "0"},
    SignInVendor.MICROSOFT: {"prompt": "login"},
    SignInVendor.GOOGLE: {"prompt": "select_account"},
    SignInVendor.GITHUB: {"prompt": "select_account"},
    SignInVendor.SAML: {},  # the request says so itself (ForceAuthn)
}
Purpose = SignInAttempt.Purpose
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    attempt: SignInAttempt
    settings: SignInSettings
    identity: Identity


def redirect_address(request: HttpRequest, id: UUID, vendor: str) -> str:
    """Where the provider sends people back to; it must be entered there."""
    name = "accounts:sso_saml" if vendor == SignInVendor.SAML else "accounts:sso_callback"
    path = reverse(name, args=[id])
    return f"{installation.PUBLIC_URL}{path}" if installation.PUBLIC_URL else request.build_absolute_uri(path)


@sensitive_variables()
def begin(
    request: HttpRequest,
    purpose: Purpose,
    settings: SignInProvider | SignInDraft,
    *,
    person: User | None = None,
    next: str = "",
) -> str:
    """The provider's page that the browser is to open. Raises Faulty."""
    addresses, is_saml = None, settings.vendor == SignInVendor.SAML
    if VENDORS[settings.vendor].is_openid:
        addresses = async_to_sync(discover)(settings.issuer)
    login, nonce = oauth_pkce.begin(), secrets.token_urlsafe(32)
    state = saml.new_request_id() if is_saml else login.state.reveal()
    attempt = SignInAttempt(
        purpose=purpose,
        provider=settings if isinstance(settings, SignInProvider) else settings.provider,
        draft=settings if isinstance(settings, SignInDraft) else None,
        person=person,
        browser=SignInAttempt.digest(_browser(request)),
        state=SignInAttempt.digest(state),
        found={
            "sealed_to": settings.sealed_to(),
            "addresses": addresses.to_json() if addresses else None,
            "redirect": redirect_address(request, address_id(settings), settings.vendor),
        },
        next=next[:500],
        expires_at=timezone.now() + ATTEMPT_LASTS,
    )
    attempt.secret = None if is_saml else Secret(json.dumps([nonce, login.verifier.reveal()]))
    SignInAttempt.objects.sweep()
    attempt.save(force_insert=True)
    if is_saml:
        to = str(attempt.found["redirect"])
        return saml.page(settings, request_id=state, redirect=to, again=purpose == Purpose.CONFIRM)
    facts: dict[str, Any] = {
        "redirect": str(attempt.found["redirect"]),
        "state": state,
        "verifier": login.verifier,
        "again": AGAIN[settings.vendor] if purpose == Purpose.CONFIRM else {},
    }
    if addresses is None:
        return github.page(settings, **facts)
    return openid.page(addresses, settings, nonce=nonce, **facts)


@sensitive_variables()
def finish(request: HttpRequest, id: UUID) -> Finished:
    """Who came back, to the address of this provider. Raises NoEntry."""
    query = _query(request)
    browser = request.session.get(BROWSER)
    if not isinstance(browser, str) or not query.get("state"):
        raise Turned(NOT_BEGUN)
    attempt = SignInAttempt.objects.take(state=query["state"], browser=browser)
    if attempt is None:
        raise Turned(NOT_BEGUN)
    settings = attempt.draft or attempt.provider
    if settings is None or address_id(settings) != id:
        raise Turned(NOT_BEGUN)
    try:
        identity = _identity(attempt, settings, query)
    except NoEntry as refusal:
        log.warning("Single sign-on by %s was refused: %s", settings.pk, refusal.why)
        refusal.attempt = attempt
        raise
    return Finished(attempt, settings, identity)


@sensitive_variables()
def _identity(attempt: SignInAttempt, settings: SignInSettings, query: dict[str, str]) -> Identity:
    is_off = isinstance(settings, SignInProvider) and not settings.is_on
    if is_off or attempt.found["sealed_to"] != settings.sealed_to():
        raise Turned(CHANGED)
    if settings.vendor == SignInVendor.SAML:
        if (found := saml.waiting(attempt)) is None:
            raise Turned(NOT_BEGUN)
        return found
    if error := query.get("error"):
        if error == "access_denied":
            raise Turned(DECLINED)
        said = masked(f"{error} {query.get('error_description', '')}", [])
        raise Faulty(f"The provider sent back: {said}")
    code = query.get("code", "")
    if not code or len(code) > oauth_pkce.CODE_LENGTH or not code.isascii() or not code.isprintable():
        raise Faulty("The provider sent back no code.")
    stored = attempt.found["addresses"]
    addresses = Addresses.of(stored) if stored else None
    # RFC 9207: a provider that names itself must be the one that was asked.
    if addresses is not None and query.get("iss", addresses.issuer) != addresses.issuer:
        raise Faulty("The answer is another provider's.")
    nonce, verifier = _opened(attempt)
    secret = secret_of(settings)
    redirect = str(attempt.found["redirect"])
    if addresses is None:
        return async_to_sync(github.identity)(
            settings, secret, code=Secret(code), redirect=redirect, verifier=verifier
        )
    return async_to_sync(openid.identity)(
        addresses, settings, secret, code=Secret(code), redirect=redirect, nonce=nonce, verifier=verifier
    )


@sensitive_variables()
def secret_of(settings: SignInSettings) -> Secret:
    """Raises Faulty, and notes it, when what is stored does not open."""
    try:
        secret = settings.secret
    except SealBroken:
        secret = None
        with transaction.atomic():
            audit.record(
                Verb.CREDENTIAL_OPENED_WRONGLY,
                actor=None,
                via="seal",
                kind="sign-in provider",
                id=settings.pk,
                name=settings.name,
            )
    if secret is None:
        raise Faulty(NO_SECRET)
    return secret


@sensitive_variables()
def _opened(attempt: SignInAttempt) -> tuple[str, Secret]:
    try:
        secret = attempt.secret
    except SealBroken:
        secret = None
    if secret is None:
        raise Turned(NOT_BEGUN)
    nonce, verifier = json.loads(secret.reveal())
    return nonce, Secret(verifier)


def address_id(settings: SignInSettings) -> UUID:
    return settings.address_id if isinstance(settings, SignInDraft) else settings.pk


def _browser(request: HttpRequest) -> str:
    """What names this browser, in its session; made when it is first needed."""
    known = request.session.get(BROWSER)
    if not isinstance(known, str):
        known = request.session[BROWSER] = secrets.token_urlsafe(32)
    return known


def _query(request: HttpRequest) -> dict[str, str]:
    """What came back. Of a field given twice: neither."""
    pairs = parse_qsl(request.META.get("QUERY_STRING", "")[:ANSWER_LENGTH], keep_blank_values=True)
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}
