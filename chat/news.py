"""What happens in other processes, as it reaches the pages and the runs of this one.

A note of the bell brings it within milliseconds. Notes may be lost, and commands ring no bell; so each second
one look at the database finds what was not heard: changed conversations of people whose pages are open here,
and runs hosted here that are to stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import Q

from usage.clock import database_now

from . import notes, snapshots, sockets
from .host import host
from .models import Conversation, Run
from .notes import GROUP, Change, Note
from .reading import read

LOOK_EVERY = 1.0  # seconds
OVERLAP = timedelta(seconds=10)  # a change may be committed so long after its time was taken

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found; `looked_at` is the database's time."""

    looked_at: datetime
    changes: list[Change]
    to_stop: list[UUID]


async def hear_forever() -> None:
    """Takes the notes of other processes; while the bell is silent, it is tried again and again."""
    layer = host.notes.layer
    while layer is not None:
        try:
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
            while True:
                message = await layer.receive(channel)
                try:
                    await _hear(notes.decode(message["note"]))
                except Exception:  # one note, perhaps of another version: the bell itself is whole
                    log.exception("A note of another process could not be taken")
        except Exception as error:
            host.notes.is_silent(error)
            await asyncio.sleep(LOOK_EVERY)


async def look_forever() -> None:
    since: datetime | None = None
    while True:
        await asyncio.sleep(LOOK_EVERY)
        since = await look_once(since)


async def look_once(since: datetime | None) -> datetime | None:
    """Takes what is newer than `since` (the database's time; None: since a moment ago); returns the time of
    this look.
    """
    people, hosted = sockets.people(), list(host.runs)
    if not people and not hosted:
        return None
    try:
        found = await read(partial(look, people, hosted, since))
    except (DatabaseError, InterfaceError) as error:
        log.warning("News could not be looked for: %s", type(error).__name__)
        return since
    for run in found.to_stop:
        host.end_here(run, "stop")
    await _take([change for change in found.changes if sockets.unheard(change)])
    return found.looked_at


async def _hear(note: Note) -> None:
    if note.sender == settings.PROCESS_NAME:
        return
    for run in note.stops:
        host.end_here(run, "stop")
    host.distant.went_on(note.runs)
    await _take(note.changes)


async def _take(changes: Collection[Change]) -> None:
    """Tells pages of changes elsewhere, and shows those that look at them the runs that began there."""
    for change in changes:
        sockets.announce(change)
    spoken = {change.conversation for change in changes if "turns" in change.what}
    await show_begun(sockets.looked_at(spoken))


async def show_begun(conversations: Collection[UUID]) -> None:
    """Shows the live runs of these conversations that this process does not host."""
    if not conversations:
        return
    try:
        begun = await read(partial(snapshots.live_runs, conversations))
    except (DatabaseError, InterfaceError) as error:
        log.warning("Runs of other processes could not be looked for: %s", type(error).__name__)
        return
    for one in begun:
        if one.run not in host.runs:
            sockets.show(host.distant.window(one.run, one.message, one.conversation, 0))


def look(people: Collection[UUID], hosted: Collection[UUID], since: datetime | None) -> Found:
    """Two queries: which conversations of these people changed, which of these runs are to stop."""
    now = database_now()
    changes: list[Change] = []
    if people:
        changed = Conversation.objects.filter(owner__in=people, changed_at__gt=(since or now) - OVERLAP)
        changes = [
            Change(conversation, owner, version, ["turns", "title", "sidebar", "settings"])
            for conversation, owner, version in changed.values_list("id", "owner_id", "version")
        ]
    to_stop: list[UUID] = []
    if hosted:
        told = Q(stop_requested_at__isnull=False) | Q(conversation__owner__is_active=False)
        to_stop = list(Run.objects.filter(told, id__in=hosted).values_list("id", flat=True))
    return Found(now, changes, to_stop)
