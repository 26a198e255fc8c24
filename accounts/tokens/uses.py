"""When an access token was last used, from where and by what: written at most once a minute."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone

from accounts.models import AccessToken
from accounts.models.token import CLIENT_LENGTH
from accounts.names import one_line

EVERY = 60.0  # seconds between two writes for one token
MOST_REMEMBERED = 10_000
ADDRESS_LENGTH = 45

log = logging.getLogger(__name__)
_noted: dict[UUID, float] = {}


def note(token_id: UUID, *, address: str, client: str) -> None:
    """Notes that the token was used now. `address` is the caller's as the trusted proxies say it
    (accounts.client), `client` what the program calls itself (User-Agent).

    No row is locked: one update, which touches the row only where the last one is a minute ago, and of which
    each process sends one a minute. It may fail while the database is busy: the next use is noted then.
    """
    now = time.monotonic()
    if now - _noted.get(token_id, float("-inf")) < EVERY:
        return
    if len(_noted) >= MOST_REMEMBERED:
        _noted.clear()
    _noted[token_id] = now
    moment = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=moment - timedelta(seconds=EVERY))
    try:
        AccessToken.objects.filter(stale, pk=token_id).update(
            last_used_at=moment,
            last_used_from=one_line(address)[:ADDRESS_LENGTH],
            last_client=one_line(client[: CLIENT_LENGTH * 4])[:CLIENT_LENGTH],
        )
    except OperationalError as error:
        _noted.pop(token_id, None)
        log.warning("The use of token %s was not noted: %s", token_id, type(error).__name__)


def forget() -> None:
    """As a process that has noted nothing yet."""
    _noted.clear()
