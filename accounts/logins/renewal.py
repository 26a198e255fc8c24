"""One renewal of one grant, by the process that holds the lease of its row.

The row is read again once the lease is there: another process may have renewed it. What the vendor gives
is written before anybody uses it, and only while the lease is still ours. From the moment the vendor has
answered the old refresh token may be dead: an answer that was lost, or could not be written by anybody, ends
in "connect again", and never in a token that is used and not kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from accounts.keys.stored_grants import StoredGrant
from accounts.logins import vendors
from accounts.models import Credential
from accounts.sealing.sealing import SealingError
from providers import oauth_tokens
from providers.access import Secret
from providers.errors import ProviderError, ServerError
from providers.oauth import ClientRefused, Grant, LoginNeeded, OAuthClient, Unanswered, tells_to

MANDATORY = timedelta(seconds=30)  # a token that ends sooner is no good token: clocks differ
LEASE = 45.0  # seconds: one request to the vendor (30), and what the database takes
LOOK_EVERY = 0.2  # seconds between two looks at a row that another process renews
LONGEST_LOOK = 2 * LEASE
WRITE_TRIES = 5
WRITE_PAUSE = 0.1  # seconds after the first failed write, doubling

KINDS = frozenset({"oauth", "device"})
GONE = "This login is no longer there."
OTHER_CLIENT = "The login was made with another configuration. Put that back, or connect again."
UNWRITTEN = "The renewed login could not be stored."

T = TypeVar("T")
log = logging.getLogger(__name__)


class RenewedElsewhere(ServerError):
    """Another process holds the lease, and this caller does not wait for it."""

    says = "The login is just being renewed."


@dataclass(frozen=True, slots=True)
class _Held:
    """What the row holds now, opened."""

    row: Credential
    grant: StoredGrant
    choice: CredentialChoice

    def serves_instead_of(self, known: CredentialChoice) -> bool:
        """Whether somebody else has renewed the token that the caller knows."""
        until = self.row.fresh_until
        good = until is None or until - timezone.now() > MANDATORY
        return good and self.choice.access.secret != known.access.secret


@dataclass(frozen=True, slots=True)
class _Unwritten:
    """What the vendor gave for a refresh token, and the database did not take."""

    used: Secret
    grant: Grant


_unwritten: dict[UUID, _Unwritten] = {}


async def renew(
    credential_id: UUID, known: CredentialChoice, *, patient: bool, unless: ProviderError | None
) -> CredentialChoice:
    """A choice with another token than the known one. Raises ProviderError.

    Where another process renews the grant, the patient wait for it and others get RenewedElsewhere. `unless`
    is raised instead of asking the vendor, when nobody else has renewed the grant.
    """
    held = await _read(credential_id)
    if held.serves_instead_of(known):
        return held.choice
    if unless is not None:
        raise unless
    holder, ends_at = uuid4(), time.monotonic() + LONGEST_LOOK
    while not await _query(lambda: Credential.objects.lease_renewal(credential_id, holder, LEASE)):
        if not patient or time.monotonic() > ends_at:
            raise RenewedElsewhere(sent=False)
        await asyncio.sleep(LOOK_EVERY)
        held = await _read(credential_id)
        if held.serves_instead_of(known):
            return held.choice
        if held.row.renewer is None:  # the other one has failed just now; so would we
            raise ServerError(held.row.last_error or RenewedElsewhere.says, sent=False)
    try:
        return await _renew_leased(credential_id, known, holder)
    except ProviderError as error:
        await _query(partial(_note, credential_id, error))
        raise
    finally:
        await _query(lambda: Credential.objects.end_lease(credential_id, holder))


async def _renew_leased(credential_id: UUID, known: CredentialChoice, holder: UUID) -> CredentialChoice:
    held = await _read(credential_id)
    if held.serves_instead_of(known):
        return held.choice
    refresh_token = held.grant.refresh_token
    if refresh_token is None:
        return await _cannot_be_renewed(held, holder)
    client = vendors.client(held.row.provider)
    if client is None or client.identity != held.grant.client:
        raise ClientRefused(OTHER_CLIENT, sent=False)
    kept = _unwritten.get(credential_id)
    if kept is not None and kept.used == refresh_token:
        grant = kept.grant
    else:
        try:
            grant = await _ask(client, refresh_token, credential_id, holder)
        except LoginNeeded as error:
            held = await _read(credential_id)
            if held.serves_instead_of(known):
                return held.choice
            text = error.safe_message
            await _query(lambda: credentials.clean_up(credential_id, text, holder=holder))
            raise
    return await _keep(held, client, grant, refresh_token, holder)


async def _cannot_be_renewed(held: _Held, holder: UUID) -> CredentialChoice:
    """A token without a refresh token: it ends when it ends; until then its owner may check it again."""
    ended = held.row.fresh_until is not None and held.row.fresh_until <= timezone.now()
    if ended:
        await _query(lambda: credentials.clean_up(held.row.id, credentials.EXPIRED, holder=holder))
    raise LoginNeeded(credentials.EXPIRED if ended else "", sent=False)


async def _ask(client: OAuthClient, refresh_token: Secret, credential_id: UUID, holder: UUID) -> Grant:
    """Asks the vendor; once more when no answer came, for then nobody knows which refresh token is good."""
    try:
        return await oauth_tokens.renew(client, refresh_token)
    except Unanswered as error:
        log.warning("Renewing credential %s: %s Asking once more.", credential_id, error.safe_message)
        if not await _query(lambda: Credential.objects.lease_renewal(credential_id, holder, LEASE)):
            raise
    return await oauth_tokens.renew(client, refresh_token)


async def _keep(
    held: _Held, client: OAuthClient, grant: Grant, used: Secret, holder: UUID
) -> CredentialChoice:
    """Writes the grant; a database that does not answer is tried again, then the renewal has failed."""
    credential_id = held.row.id
    stored = StoredGrant(
        grant.access_token, grant.refresh_token, client.identity, grant.scope or held.grant.scope
    )
    for tried in range(WRITE_TRIES):
        try:
            await _off_the_loop(partial(_write, held.row, stored, grant, holder))
            break
        except (DatabaseError, InterfaceError, SealingError) as error:
            log.warning("A renewed login is not stored yet: %s", type(error).__name__)
            await asyncio.sleep(WRITE_PAUSE * 2**tried)
    else:
        _unwritten[credential_id] = _Unwritten(used, grant)
        raise ServerError(UNWRITTEN, sent=False)
    _unwritten.pop(credential_id, None)
    # Not what the vendor gave but what is stored: nothing else is ever used. Written by us, or by one who
    # had the lease after us.
    try:
        now = await _read(credential_id)
    except LoginNeeded:
        await _give_up(client, grant)
        raise
    log.info("Renewed the login of credential %s", credential_id)
    return now.choice


async def _give_up(client: OAuthClient, grant: Grant) -> None:
    """The credential was revoked while it was renewed: the vendor is told so about the new tokens too."""
    try:
        await oauth_tokens.revoke(client, grant)
    except ProviderError as error:
        log.warning("The vendor was not told that a login was given up: %s", error.safe_message)


def _write(row: Credential, stored: StoredGrant, grant: Grant, holder: UUID) -> bool:
    """False when the lease is no longer ours, or the credential no longer active."""
    mine = Credential.objects.filter(pk=row.pk, renewer=holder, state=Credential.State.ACTIVE)
    return bool(
        mine.update(
            secret=row.sealed(stored.to_secret()),
            hint=stored.hint,
            fresh_until=grant.expires_at,
            expires_at=grant.ends_at,
            last_error="",
            renewer=None,
            renewing_until=None,
        )
    )


def _note(credential_id: UUID, error: ProviderError) -> None:
    """What its owner sees of a failure that did not end the grant."""
    if tells_to(error) != "log in":
        text = f"It could not be renewed: {error.safe_message}"[: credentials.ERROR_LENGTH]
        Credential.objects.filter(pk=credential_id, state=Credential.State.ACTIVE).update(last_error=text)
        log.warning("Credential %s could not be renewed: %s", credential_id, error.safe_message)


async def _read(credential_id: UUID) -> _Held:
    """Raises LoginNeeded when the credential cannot be used any more."""
    return await _query(lambda: _open(credential_id))


def _open(credential_id: UUID) -> _Held:
    row = Credential.objects.filter(pk=credential_id).first()
    if row is None or row.state == Credential.State.REVOKED:
        raise LoginNeeded(GONE, sent=False)
    choice = credentials.choice_of(row)
    if choice is None or row.secret is None:
        raise LoginNeeded(credentials.trouble(row) or credentials.UNOPENED, sent=False)
    return _Held(row, StoredGrant.opened(row.secret), choice)


async def _query(work: Callable[[], T]) -> T:
    """Work with the database. Raises ServerError while it is away."""
    try:
        return await _off_the_loop(work)
    except (DatabaseError, InterfaceError) as error:
        log.error("A login cannot be looked at, the database does not answer: %s", type(error).__name__)
    raise ServerError("The stored login could not be read.", sent=False)


async def _off_the_loop(work: Callable[[], T]) -> T:
    """In a thread that may end with its loop: it keeps no connection. Renewals are rare."""

    def alone() -> T:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.to_thread(alone)
