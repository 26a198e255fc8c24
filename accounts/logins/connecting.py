"""Connecting an account by logging in at its vendor: by redirect or pasted code (PKCE), or by a device code.

An attempt lives in the database, bound to the session that began it. Nothing runs in the background: while
the page is open it asks this server every few seconds, and whoever comes when the vendor may be asked again
takes the turn. So the vendor is asked by one at a time however many tabs and processes there are, a restart
loses nothing, and where the session ends the asking ends.
"""

from __future__ import annotations

import hmac
import json
import logging
from datetime import timedelta
from typing import cast
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.keys import actions as key_actions
from accounts.keys import checking, credentials
from accounts.keys.owners import Owner
from accounts.keys.policy import KeyPolicy
from accounts.keys.stored_grants import StoredGrant
from accounts.logins import vendors
from accounts.models import Credential, LoginAttempt, User
from accounts.sealing.sealing import SealBroken
from providers import oauth_device, oauth_pkce, oauth_tokens
from providers.access import Access, AccessKind, Secret
from providers.errors import AuthenticationError, ProviderError
from providers.oauth import ClientRefused, Grant, Lapsed, LoginNeeded, OAuthClient, tells_to
from providers.oauth_device import Pending, Started
from providers.oauth_pkce import Login, NoCode

CODE_SECONDS = 10 * 60
NO_RIGHT = "You may not change these keys any more. Nothing was stored."
SWITCHED_OFF = "Logging in at this vendor is not switched on."

log = logging.getLogger(__name__)


@sensitive_variables()
def begin(
    *,
    person: User,
    session_key: str,
    owner: Owner,
    provider: str,
    base_url: str,
    options: dict[str, str],
    label: str,
    replaces: UUID | None,
) -> LoginAttempt:
    """A new attempt, for a grant to this owner; earlier ones of this session at the same vendor end. Raises
    ProviderError.
    """
    client = _client(provider)
    attempt = LoginAttempt(
        person=person,
        session=LoginAttempt.digest(session_key),
        scope=owner.scope,
        team=owner.team,
        provider=provider,
        base_url=base_url,
        options=options,
        label=label,
        replaces=replaces,
    )
    if client.device_url:
        started: Started = async_to_sync(oauth_device.start)(client)
        attempt.flow = LoginAttempt.Flow.DEVICE
        attempt.secret = started.device_code
        attempt.user_code, attempt.verification_uri = started.user_code, started.verification_uri
        attempt.interval, seconds = started.interval, started.expires_in
        attempt.next_poll_at = timezone.now() + timedelta(seconds=started.interval)
    else:
        login = oauth_pkce.begin()
        attempt.flow, seconds = LoginAttempt.Flow.CODE, CODE_SECONDS
        attempt.secret = Secret(json.dumps([login.verifier.reveal(), login.state.reveal()]))
    attempt.expires_at = timezone.now() + timedelta(seconds=seconds)
    LoginAttempt.objects.sweep()
    for earlier in LoginAttempt.objects.under_way().filter(session=attempt.session, provider=provider):
        earlier.end(LoginAttempt.State.CANCELLED)
    attempt.save(force_insert=True)
    return attempt


@sensitive_variables()
def login_page(attempt: LoginAttempt) -> str:
    """The vendor's page that the person opens; "" when the attempt is over."""
    if not attempt.is_under_way:
        return ""
    if attempt.flow == LoginAttempt.Flow.DEVICE:
        return attempt.verification_uri
    try:
        return oauth_pkce.authorize_url(_client(attempt.provider), _login(attempt))
    except (ProviderError, SealBroken):
        return ""


@sensitive_variables()
def finish(attempt: LoginAttempt, answer: str) -> str:
    """Takes what came back from the vendor's page; "" when the account is connected, else what is wrong.

    A code of another login, or half of one, leaves the attempt as it was; anything else ends it.
    """
    if not attempt.is_under_way or attempt.flow != LoginAttempt.Flow.CODE:
        return attempt.error or Lapsed.says
    try:
        client, login = _client(attempt.provider), _login(attempt)
        code = oauth_pkce.read_answer(answer, login)
    except NoCode as error:
        return error.safe_message
    except (ProviderError, SealBroken) as error:
        return _failed(attempt, error)
    if not LoginAttempt.objects.take(attempt.pk):
        return "This login is finished already, or over. Start again."
    try:
        grant: Grant = async_to_sync(oauth_pkce.exchange)(client, login, code)
        _keep(attempt, client, grant)
    except ProviderError as error:
        return _failed(attempt, error)
    return ""


@sensitive_variables()
def ask(attempt: LoginAttempt) -> None:
    """Asks the vendor whether the person has typed the code, if it may be asked now. The row tells."""
    if not attempt.is_under_way:
        attempt.end(LoginAttempt.State.FAILED, Lapsed.says)
        return
    seconds = attempt.interval + oauth_device.MARGIN
    if attempt.flow != LoginAttempt.Flow.DEVICE or not LoginAttempt.objects.take_turn(attempt, seconds):
        return
    try:
        client, device_code = _client(attempt.provider), attempt.secret
        if device_code is None:
            return
        started = Started(
            device_code=device_code,
            user_code=attempt.user_code,
            verification_uri=attempt.verification_uri,
            expires_in=1,
            interval=attempt.interval,
        )
        found: Grant | Pending = async_to_sync(oauth_device.poll)(client, started)
        if isinstance(found, Pending):
            _wait(attempt, found.interval)
        elif LoginAttempt.objects.take(attempt.pk):
            _keep(attempt, client, found)
        else:
            _give_back(client, found)  # cancelled while we asked
    except (ProviderError, SealBroken) as error:
        if isinstance(error, ProviderError) and tells_to(error) == "wait" and attempt.is_under_way:
            _wait(attempt, min(attempt.interval + oauth_device.SLOWER, oauth_device.SLOWEST))
        else:
            _failed(attempt, error)


@sensitive_variables()
def began_with(attempt: LoginAttempt, state: str) -> bool:
    """Whether this state, which came back from a vendor, is the attempt's; compared in constant time."""
    try:
        own = _login(attempt).state.reveal()
    except (ProviderError, SealBroken):
        return False
    return hmac.compare_digest(own.encode(), state.encode("utf-8", "replace"))


def cancel(attempt: LoginAttempt) -> None:
    attempt.end(LoginAttempt.State.CANCELLED)


@sensitive_variables()
def give_up(credential: Credential) -> None:
    """Tells the vendor that a grant is given up, where it wants to know; what it answers changes nothing.

    To be called with the credential as it was before it was revoked.
    """
    client = vendors.client(credential.provider)
    try:
        if client is None or not credential.is_grant or credential.secret is None:
            return
        held = StoredGrant.opened(credential.secret)
    except (SealBroken, ValueError):
        return
    if held.client == client.identity:
        _give_back(client, Grant(access_token=held.access_token, refresh_token=held.refresh_token))


def words(error: ProviderError, provider: str) -> str:
    """What to say of a login that failed; a vendor's text is in it only where it was masked."""
    match error:
        case LoginNeeded() | ClientRefused():
            return error.safe_message
        case AuthenticationError():
            return "The login worked, but the vendor does not accept its token for calls to models."
        case _:
            return checking.advice(error, provider)


def keep(
    *,
    owner: Owner,
    provider: str,
    kind: Credential.Kind,
    base_url: str,
    options: dict[str, str],
    label: str,
    client: OAuthClient,
    grant: Grant,
    replaces: Credential | None,
    by: User | None,
    via: str = "",
) -> Credential:
    """Stores the grant once the vendor's API takes its token. Raises ProviderError, and gives it back."""
    every = {**credentials.shared_options(provider), **options}
    access = Access(base_url, grant.access_token, cast(AccessKind, kind.value), options=every)
    try:
        account = checking.account_behind(provider, access)
    except ProviderError:
        _give_back(client, grant)
        raise
    return key_actions.add_grant(
        owner=owner,
        provider=provider,
        kind=kind,
        base_url=base_url,
        grant=grant,
        client=client.identity,
        options=options,
        vendor_account=account.vendor_account,
        label=label,
        replaces=replaces,
        by=by,
        via=via,
    )


def _keep(attempt: LoginAttempt, client: OAuthClient, grant: Grant) -> None:
    owner = Owner.of_attempt(attempt)
    if owner is None or not KeyPolicy.current().serves(owner.scope, attempt.provider):
        _give_back(client, grant)
        attempt.end(LoginAttempt.State.FAILED, NO_RIGHT)
        return
    own = Credential.objects.filter(**owner.filters, provider=attempt.provider)
    own = own.exclude(state=Credential.State.REVOKED)
    by_device = attempt.flow == LoginAttempt.Flow.DEVICE
    keep(
        owner=owner,
        provider=attempt.provider,
        kind=Credential.Kind.DEVICE if by_device else Credential.Kind.OAUTH,
        base_url=attempt.base_url,
        options=attempt.options,
        label=attempt.label,
        client=client,
        grant=grant,
        replaces=own.filter(pk=attempt.replaces).first() if attempt.replaces else None,
        by=attempt.person,
    )
    attempt.end(LoginAttempt.State.DONE)


def _give_back(client: OAuthClient, grant: Grant) -> None:
    try:
        async_to_sync(oauth_tokens.revoke)(client, grant)
    except ProviderError as error:
        log.warning("The vendor was not told that a login was given up: %s", error.safe_message)


def _wait(attempt: LoginAttempt, interval: int) -> None:
    attempt.interval = interval
    attempt.next_poll_at = timezone.now() + timedelta(seconds=interval + oauth_device.MARGIN)
    LoginAttempt.objects.filter(pk=attempt.pk).update(interval=interval, next_poll_at=attempt.next_poll_at)


def _failed(attempt: LoginAttempt, error: ProviderError | SealBroken) -> str:
    """Ends the attempt with words for the person."""
    text = words(error, attempt.provider) if isinstance(error, ProviderError) else Lapsed.says
    if isinstance(error, SealBroken):
        with transaction.atomic():
            audit.record(
                Verb.CREDENTIAL_OPENED_WRONGLY, actor=None, via="seal", kind="login attempt", id=attempt.pk
            )
    log.warning("A login at %s failed: %s", attempt.provider, text)
    attempt.end(LoginAttempt.State.FAILED, text)
    return text


def _client(provider: str) -> OAuthClient:
    client = vendors.client(provider)
    if client is None:
        raise ClientRefused(SWITCHED_OFF, sent=False)
    return client


def _login(attempt: LoginAttempt) -> Login:
    secret = attempt.secret
    if secret is None:
        raise Lapsed(sent=False)
    verifier, state = json.loads(secret.reveal())
    return Login(verifier=Secret(verifier), state=Secret(state))
