"""What a run reads and writes in the database: begun, ended. Each function is one unit of work.

They run inside the caller's transaction (the process's writer). Status changes are conditional updates with
the fence: who does not match writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.utils import timezone

from accounts.ids import uuid7
from providers.catalogue import spec
from providers.fold import Fold
from providers.types import Json, MessageRequest
from usage.metering import Caller

from . import bell, transcript
from .models import JournalEntry, Message, Run


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is now `running`: who pays, what is asked, under which id the call is metered."""

    caller: Caller
    request: MessageRequest
    call_id: UUID


@dataclass(frozen=True, slots=True)
class Ended:
    """How an answer ended; `error` has type and a message that is safe to show."""

    status: str
    error: Json | None = None


def prepare(run_id: UUID, fence: int) -> Prepared | None:
    """None when the run is no longer ours or no longer queued."""
    call_id = uuid7()
    ours = Run.objects.filter(id=run_id, fence=fence, status=Run.Status.QUEUED)
    if not ours.update(status=Run.Status.RUNNING, step=1, call_id=call_id):
        return None
    run = Run.objects.select_related("message", "conversation").get(id=run_id)
    conversation, answer = run.conversation, run.message
    path = Message.objects.path_to(answer.parent_id) if answer.parent_id else []
    request = transcript.request(path, answer.model, conversation.settings, spec(answer.model))
    caller = Caller(
        user_id=conversation.owner_id,
        team_id=conversation.team_id,
        conversation_id=conversation.id,
        run_id=run.id,
    )
    return Prepared(caller, request, call_id)


def finish(run_id: UUID, fence: int, ended: Ended, fold: Fold) -> bool:
    """Writes the whole answer and how it ended, and removes its journal; False when the run is no longer
    ours.

    Done twice, the second time writes nothing and says True as well.
    """
    run = Run.objects.select_related("conversation").filter(id=run_id, fence=fence).first()
    if run is None:
        return False
    live = Run.objects.filter(id=run_id, fence=fence, status__in=Run.LIVE)
    if not live.update(status=ended.status, error=ended.error, finished_at=timezone.now(), lease_until=None):
        return bool(run.status == ended.status)
    Message.objects.filter(id=run.message_id).update(
        blocks_text=encode_blocks(fold.blocks()), cut_input=_cut_input(fold), status=ended.status
    )
    JournalEntry.objects.filter(run=run_id).delete()
    bell.bump_and_ring(run.conversation, ["sidebar"])
    return True


def encode_blocks(blocks: list[Json]) -> str:
    """Blocks as text, keys in the order received: a reordered block breaks caches and signatures."""
    return msgspec.json.encode(blocks).decode()


def _cut_input(fold: Fold) -> str:
    state: dict[str, Any] = fold.state()
    opened = state.get("open") or {}
    return str(opened.get("json") or "")
