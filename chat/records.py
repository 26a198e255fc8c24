"""What a run reads and writes in the database: begun, ended. Each function is one unit of work.

They run inside the caller's transaction (the process's writer). Status changes are conditional updates with
the fence: who does not match writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db import models
from django.utils import timezone

from accounts.ids import uuid7
from providers.catalogue import spec
from providers.fold import Fold
from providers.types import Json, MessageRequest
from usage import rows
from usage.metering import Caller

from . import bell, transcript
from .models import JournalEntry, Message, Run


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is now `running`: who pays, what is asked, under which id the call is metered."""

    caller: Caller
    request: MessageRequest
    call_id: UUID
    is_first: bool  # the first answer of its conversation


@dataclass(frozen=True, slots=True)
class Ended:
    """How an answer ended; `error` has type and a message that is safe to show."""

    status: str
    error: Json | None = None


def begin(run: Run, path: list[Message]) -> Prepared:
    """Makes a new run one that is running from the first, for the caller to store; what its host needs.

    `path` is what the answer continues, from the first message to its parent: history never changes, so
    callers read it, and call this, before they take the database's write lock.
    """
    run.status, run.step, run.call_id = Run.Status.RUNNING, 1, uuid7()
    return _prepared(run, run.call_id, path)


def history(run: Run) -> list[Message]:
    """What a run's answer continues: the messages from the first to its parent."""
    return Message.objects.path_to(run.message.parent_id) if run.message.parent_id else []


def begin_again(run: Run, path: list[Message]) -> Prepared | None:
    """A queued run begins, in the caller's transaction; None when it is not ours or not queued any more."""
    call_id = uuid7()
    prepared = _prepared(run, call_id, path)
    begun = rows.run(
        f"UPDATE {_table(Run)} SET status = 'running', step = 1, call_id = %s "  # noqa: S608
        "WHERE id = %s AND fence = %s AND status = 'queued'",
        rows.prepared(Run, "call_id", call_id),
        rows.prepared(Run, "id", run.id),
        run.fence,
    )
    return prepared if begun else None


def _prepared(run: Run, call_id: UUID, path: list[Message]) -> Prepared:
    conversation, answer = run.conversation, run.message
    request = transcript.request(path, answer.model, conversation.settings, spec(answer.model))
    caller = Caller(
        user_id=conversation.owner_id,
        team_id=conversation.team_id,
        conversation_id=conversation.id,
        run_id=run.id,
    )
    return Prepared(caller, request, call_id, is_first=len(path) == 1)


def finish(
    run_id: UUID, fence: int, ended: Ended, fold: Fold, seconds: dict[str, float] | None = None
) -> bool:
    """Writes the whole answer and how it ended, and removes its journal; False when the run is not ours.

    Done twice, the second time writes nothing and says True as well.
    """
    run = rows.prepared(Run, "id", run_id)
    ids = rows.first(
        f"UPDATE {_table(Run)} SET status = %s, error = %s, finished_at = %s, lease_until = NULL "  # noqa: S608
        "WHERE id = %s AND fence = %s AND status IN ('queued', 'running', 'waiting') "
        "RETURNING message_id, conversation_id",
        str(ended.status),
        rows.prepared(Run, "error", ended.error),
        rows.prepared(Run, "finished_at", timezone.now()),
        run,
        fence,
    )
    if ids is None:
        return Run.objects.filter(id=run_id, fence=fence, status=ended.status).exists()
    rows.run(
        f"UPDATE {_table(Message)} SET blocks = %s, cut_input = %s, stop_reason = %s, seconds = %s, "  # noqa: S608
        "status = %s WHERE id = %s",
        encode_blocks(fold.blocks()),
        _cut_input(fold),
        str(fold.message.get("stop_reason") or "")[:60],
        rows.prepared(Message, "seconds", seconds or {}),
        str(ended.status),
        ids[0],
    )
    rows.run(f"DELETE FROM {_table(JournalEntry)} WHERE run_id = %s", run)  # noqa: S608
    bell.ring(Run._meta.pk.to_python(ids[1]), ["sidebar"])
    return True


def _table(model: type[models.Model]) -> str:
    return rows.quoted(model._meta.db_table)


def encode_blocks(blocks: list[Json]) -> str:
    """Blocks as text, keys in the order received: a reordered block breaks caches and signatures."""
    return msgspec.json.encode(blocks).decode()


def _cut_input(fold: Fold) -> str:
    state: dict[str, Any] = fold.state()
    opened = state.get("open") or {}
    return str(opened.get("json") or "")
