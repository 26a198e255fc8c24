"""Keeps grants fresh: an access token is renewed before it ends, once for however many calls want it.

    more than 120 s left    used as it is
    120 to 30 s left        renewed in good time; whoever would have to wait for another one's renewal uses
                            the old token
    less, or ended          everybody waits for the one renewal; its failure is theirs

Within a process one task renews a grant (below); among processes the one that holds the lease of its row does
(accounts.logins.renewal).

All errors are providers.errors: LoginNeeded (the credential is then invalid, its tokens are removed, its
owner is told), ClientRefused (an admin has to look), others mean "later". No model was asked: `sent` is
False.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from secrets import SystemRandom
from uuid import UUID

from django.utils import timezone

from accounts.keys.credentials import CredentialChoice
from accounts.logins import renewal
from accounts.logins.renewal import KINDS, MANDATORY
from providers.errors import ProviderError
from providers.oauth import LoginNeeded

ADVISORY = timedelta(seconds=120)
ADVISORY_WAIT = 5.0  # seconds that a call waits for a renewal that it could do without
ADVISORY_REST = 5.0  # seconds between two tries while the old token still serves
LONGEST_REST = 60.0

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class _Rest:
    """After a failure the vendor is left in peace for a while, longer each time."""

    since: float  # time.monotonic()
    seconds: float
    failures: int
    error: ProviderError

    def left(self, least: float = 0.0) -> float:
        return max(self.seconds, least) - (time.monotonic() - self.since)

    def again(self) -> ProviderError:
        """The same failure for a caller who comes while the vendor is left in peace."""
        failed = self.error
        return type(failed)(
            failed.safe_message,
            kind=failed.kind,
            retryable=failed.retryable,
            retry_after=self.left(),
            status=failed.status,
            sent=False,
        )


_Key = tuple[asyncio.AbstractEventLoop, UUID, bool]
_running: dict[_Key, asyncio.Task[CredentialChoice]] = {}
_resting: dict[UUID, _Rest] = {}


async def fresh(choice: CredentialChoice) -> CredentialChoice:
    """The same choice with a token that is good now; what is no grant, unchanged and without a query.

    Raises ProviderError when there is no good token and none can be had.
    """
    left = _left(choice)
    if choice.id is None or left is None or left > ADVISORY:
        return choice
    if left <= MANDATORY:
        return await _shared(choice.id, choice, patient=True)
    if _is_running(choice.id) or _rests(choice.id):
        return choice
    try:
        async with asyncio.timeout(ADVISORY_WAIT):
            return await _shared(choice.id, choice, patient=False)
    except (ProviderError, TimeoutError):
        return choice  # good for half a minute more; the renewal goes on, or is tried again


async def refused(choice: CredentialChoice) -> CredentialChoice | None:
    """After the API answered 401: the choice to try once more with, None when there is no other.

    A token that somebody else has renewed meanwhile is taken; else the grant is renewed, however fresh it
    looked. None for what is no grant, and when the grant is gone. Raises ProviderError when it could not be
    renewed now: the grant may be good, and the credential is not to be marked.
    """
    if choice.id is None or choice.access.kind not in KINDS:
        return None
    try:
        again = await _shared(choice.id, choice, patient=True)
    except LoginNeeded:
        return None
    return None if again.access.secret == choice.access.secret else again


def forget() -> None:
    """Forgets this process's failures."""
    _resting.clear()


def _left(choice: CredentialChoice) -> timedelta | None:
    if choice.access.kind not in KINDS or choice.fresh_until is None:
        return None
    return choice.fresh_until - timezone.now()


async def _shared(credential_id: UUID, choice: CredentialChoice, *, patient: bool) -> CredentialChoice:
    """The result of this process's one renewal of the grant. A caller that leaves does not stop it."""
    key = (asyncio.get_running_loop(), credential_id, patient)
    task = _running.get(key)
    if task is None:
        task = _running[key] = asyncio.create_task(_renewal(credential_id, choice, patient))
        task.add_done_callback(lambda done: _ended(key, done))
    return await asyncio.shield(task)


async def _renewal(credential_id: UUID, choice: CredentialChoice, patient: bool) -> CredentialChoice:
    rest = _resting.get(credential_id)
    unless = rest.again() if rest is not None and rest.left() > 0 else None
    try:
        renewed = await renewal.renew(credential_id, choice, patient=patient, unless=unless)
    except renewal.RenewedElsewhere:
        raise
    except ProviderError as error:
        if error is not unless:
            _rest(credential_id, error)
        raise
    _resting.pop(credential_id, None)
    return renewed


def _is_running(credential_id: UUID) -> bool:
    loop = asyncio.get_running_loop()
    return (loop, credential_id, True) in _running or (loop, credential_id, False) in _running


def _ended(key: _Key, task: asyncio.Task[CredentialChoice]) -> None:
    _running.pop(key, None)
    if not task.cancelled():
        task.exception()  # seen: whoever waited has been told, and perhaps nobody did


def _rests(credential_id: UUID) -> bool:
    rest = _resting.get(credential_id)
    return rest is not None and rest.left(ADVISORY_REST) > 0


def _rest(credential_id: UUID, error: ProviderError) -> None:
    """1, 2, 4 … 60 seconds, give or take a fifth; longer where the vendor asks for it."""
    last = _resting.get(credential_id)
    failures = 1 if last is None else last.failures + 1
    seconds = min(2.0 ** (failures - 1), LONGEST_REST) * _random.uniform(0.8, 1.2)
    seconds = max(seconds, error.retry_after or 0.0)
    _resting[credential_id] = _Rest(time.monotonic(), seconds, failures, error)
