"""Ends the calls that are being made with a credential that was revoked or replaced.

One look every few seconds, with one query for all open calls of the process: so within five seconds the
vendor's connection is closed, what came is settled, and whoever waits for the answer is told.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from django.db import InterfaceError, OperationalError

from accounts import credentials

from .open_calls import open_calls
from .writer import writer

LOOK_EVERY = 3.0  # seconds

log = logging.getLogger(__name__)


async def watch() -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        await look()


async def look() -> None:
    """Cuts the calls of this event loop whose credential is gone. No query while there are none."""
    calls = open_calls().by_credential()
    if not calls:
        return
    try:
        gone = await writer.run(partial(credentials.revoked_of, list(calls)))
    except (OperationalError, InterfaceError) as error:
        log.warning("Credentials of %d calls could not be read: %s", len(calls), type(error).__name__)
        return
    for credential in gone:
        log.info("Credential %s is revoked: %d calls are ended", credential, len(calls[credential]))
        for call in calls[credential]:
            if call.cut is not None:
                call.cut()
