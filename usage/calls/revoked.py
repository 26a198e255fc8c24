"""Ends the calls that are being made with a credential that was revoked or replaced, or that were asked for
by an access token that may not be used any more: revoked, expired, its owner deactivated or no longer in the
team that pays.

One look every few seconds, with at most one query for the credentials and one for the tokens of all open
calls of the process: so within five seconds the vendor's connection is closed, what came is settled, and
whoever waits for the answer is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.keys import credentials
from accounts.tokens.authentication import may_go_on
from providers.errors import InterruptedStream
from usage.calls.open_calls import OpenCall, open_calls
from usage.errors import KeyRevoked, TokenEnded
from usage.writer import writer

LOOK_EVERY = 3.0  # seconds

log = logging.getLogger(__name__)


async def watch() -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        await look()


async def look() -> None:
    """Cuts the calls of this event loop whose credential or token is gone. No query while there are none."""
    calls = open_calls()
    await _cut("Credential", calls.by_credential(), credentials.revoked_of, KeyRevoked)
    await _cut("Access token", calls.by_token(), _ended, TokenEnded)


async def _cut(
    what: str,
    calls: dict[UUID, list[OpenCall]],
    gone_of: Callable[[Iterable[UUID]], set[UUID]],
    why: type[InterruptedStream],
) -> None:
    if not calls:
        return
    try:
        gone = await writer.run(partial(gone_of, list(calls)))
    except (OperationalError, InterfaceError) as error:
        log.warning("%ss of %d calls could not be read: %s", what, len(calls), type(error).__name__)
        return
    for one in gone:
        log.info("%s %s may not be used any more: %d calls are ended", what, one, len(calls[one]))
        for call in calls[one]:
            if call.cut is not None:
                call.cut(why)


def _ended(tokens: Iterable[UUID]) -> set[UUID]:
    wanted = set(tokens)
    return wanted - may_go_on(wanted)
