"""What the processes of one installation tell each other.

After a commit a process sends ONE small note to the others: these runs are at these numbers, these
conversations at these versions, these runs are to stop. It has no content, and it may be lost: whoever hears
nothing looks every second (`news`). What waits to be sent is joined, so a slow bell makes fewer notes, not
more.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import UUID

import msgspec
from channels.layers import get_channel_layer
from django.conf import settings

from .events import Part

GROUP = "processes"
PATIENCE = 1.0  # seconds for the bell to take a note
SPACING = 0.03  # seconds between two notes

log = logging.getLogger(__name__)


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A conversation is at this version; these parts of it are new to its owner's pages."""

    conversation: UUID
    owner: UUID
    version: int
    what: list[Part]


class Note(msgspec.Struct, omit_defaults=True):
    """One message of the bell; `runs` says up to which number each is stored."""

    sender: str
    runs: dict[UUID, int] = {}
    changes: list[Change] = []
    stops: list[UUID] = []


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Note).decode


class Notes:
    """What this process has to tell the others; its methods belong to the host's event loop.

    Without Redis there is no bell, and nothing is kept to be told.
    """

    def __init__(self) -> None:
        self.layer: Any = get_channel_layer() if settings.REDIS_URL else None
        self.sent = 0
        self._note = Note(settings.PROCESS_NAME)
        self._waiting = asyncio.Event()
        self._silent = False

    def runs_went_on(self, numbers: dict[UUID, int]) -> None:
        """These runs, hosted here, are stored up to these numbers; one that has ended says a higher one."""
        if self.layer is not None and numbers:
            self._note.runs.update(numbers)
            self._waiting.set()

    def changed(self, change: Change) -> None:
        if self.layer is not None:
            self._note.changes.append(change)
            self._waiting.set()

    def stop(self, run: UUID) -> None:
        if self.layer is not None:
            self._note.stops.append(run)
            self._waiting.set()

    async def send_forever(self) -> None:
        """Rings for what waits, one note at a time."""
        while self.layer is not None:
            await self._waiting.wait()
            self._waiting.clear()
            note, self._note = self._note, Note(settings.PROCESS_NAME)
            try:
                async with asyncio.timeout(PATIENCE):
                    await self.layer.group_send(GROUP, {"type": "note", "note": encode(note)})
            except Exception as error:  # whatever ails Redis or its client, the others look every second
                self.is_silent(error)
            else:
                self.sent += 1
                self.rings()
            await asyncio.sleep(SPACING)

    def is_silent(self, error: Exception) -> None:
        """The bell failed; the log says so once."""
        if not self._silent:
            self._silent = True
            log.warning(
                "The bell between processes is silent (%s); they look every second", type(error).__name__
            )

    def rings(self) -> None:
        if self._silent:
            self._silent = False
            log.info("The bell between processes rings again")
