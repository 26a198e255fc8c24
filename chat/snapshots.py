"""A live answer as a page sees it that was not there from the beginning: the fold of what the journal
holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from providers.fold import Fold
from providers.types import Json

from . import journal
from .models import Run
from .reading import read


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answer's fold (providers.fold.Fold.state) at number `seq`."""

    seq: int
    state: Json


def take(run: UUID) -> Snapshot:
    seq, events = journal.read(run)
    fold = Fold()
    for event in events:
        fold.apply(event)
    return Snapshot(seq, fold.state())


async def of_run(run: UUID) -> Snapshot | None:
    """None when the run has ended: then the message holds the answer."""

    def look() -> Snapshot | None:
        snapshot = take(run)
        return snapshot if Run.objects.filter(id=run, status__in=Run.LIVE).exists() else None

    return await read(look)


def ended(conversation: UUID, runs: list[UUID]) -> list[Run]:
    """Those of the runs of this conversation that have ended."""
    return list(Run.objects.filter(conversation=conversation, id__in=runs[:100]).exclude(status__in=Run.LIVE))
