"""A live answer as a page sees it that was not there from the beginning: the fold of what the journal
holds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max

from providers.types import Json

from . import journal
from .events import Finished
from .models import JournalEntry, Run
from .reading import read


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answer's fold (providers.fold.Fold.state) at number `seq`."""

    seq: int
    state: Json


@dataclass(frozen=True, slots=True)
class Begun:
    """A live run."""

    run: UUID
    message: UUID
    conversation: UUID


def take(run: UUID) -> Snapshot:
    seq, folded = journal.fold(run)
    return Snapshot(seq, folded.state())


async def of_run(run: UUID) -> Snapshot | None:
    """None when the run has ended: then the message holds the answer."""

    def look() -> Snapshot | None:
        snapshot = take(run)
        return snapshot if Run.objects.filter(id=run, status__in=Run.LIVE).exists() else None

    return await read(look)


def runs_of(conversation: UUID, named: list[UUID]) -> tuple[list[Begun], list[Finished]]:
    """The live runs of a conversation, and word of those among `named` that have ended."""
    ended = Run.objects.filter(conversation=conversation, id__in=named[:100]).exclude(status__in=Run.LIVE)
    return live_runs([conversation]), [
        Finished(conversation, run.id, run.message_id, run.status) for run in ended
    ]


def live_runs(conversations: Collection[UUID]) -> list[Begun]:
    live = Run.objects.filter(conversation__in=conversations, status__in=Run.LIVE)
    return [Begun(*ids) for ids in live.values_list("id", "message_id", "conversation_id")]


def last_number(run: UUID) -> int:
    """The last number that is stored of a run."""
    return JournalEntry.objects.filter(run=run).aggregate(last=Max("seq"))["last"] or 0
