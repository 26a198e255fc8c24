"""What a run reads and writes in the database: begun, ended. Each function is one unit of work.

They run inside the caller's transaction (the process's writer). Status changes are conditional updates with
the fence: who does not match writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from django.db import models
from django.utils import timezone

from accounts.ids import uuid7
from accounts.policies import store
from providers.fold import Fold
from providers.types import Json
from usage import policy, rows
from usage.catalogue import overrides
from usage.metering import Caller

from . import bell, steps, transcript
from .models import JournalEntry, Message, Run
from .origins import LEFT_OUT, Answered, Origin
from .transcript import Asking


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is now `running`: who pays, what is asked, under which id the call is metered."""

    caller: Caller
    asking: Asking
    call_id: UUID
    is_first: bool  # the first answer of its conversation
    left_out: Json = field(default_factory=dict)  # the note, should its thinking not be sent after all


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
        f"UPDATE {_table(Run)} SET status = 'running', step = 1, step_seq = 0, call_id = %s "  # noqa: S608
        "WHERE id = %s AND fence = %s AND status = 'queued'",
        rows.prepared(Run, "call_id", call_id),
        rows.prepared(Run, "id", run.id),
        run.fence,
    )
    return prepared if begun else None


def _prepared(run: Run, call_id: UUID, path: list[Message]) -> Prepared:
    conversation, answer = run.conversation, run.message
    origins = origins_of(path)
    standing = store.standing(conversation.owner_id, conversation.team_id)
    asking = transcript.asking(
        path,
        answer.model,
        conversation.settings,
        overrides.spec(answer.model),
        origins,
        kept=policy.kept_features(standing),
    )
    caller = Caller(
        user_id=conversation.owner_id,
        team_id=conversation.team_id,
        conversation_id=conversation.id,
        run_id=run.id,
    )
    left_out = transcript.left_out(path, origins) if asking.holds_thinking else {}
    return Prepared(caller, asking, call_id, is_first=len(path) == 1, left_out=left_out)


def origins_of(path: list[Message]) -> dict[UUID, Origin]:
    """Where the answers of a path came from that hold something which may only go back there; and the last
    one, which may have said that it did not.
    """
    bound = [message.id for message in path if _is_bound(message)]
    if not bound:
        return {}
    bound += [message.id for message in path if message.role == Message.Role.ASSISTANT][-1:]
    runs = Run.objects.filter(message__in=bound).order_by("created_at")
    return {run.message_id: _origin(run) for run in runs}


def _is_bound(message: Message) -> bool:
    """Whether it may hold thinking, or code that ran in a container; a look at the text is enough."""
    return message.role == Message.Role.ASSISTANT and (
        "thinking" in message.blocks_text or "code_execution" in message.blocks_text
    )


def _origin(run: Run) -> Origin:
    container = run.container or {}
    return Origin(
        vendor_account=run.vendor_account,
        model=run.model_served,
        prefix=run.prefix_hash,
        left_out=any(note.get("code") == LEFT_OUT for note in run.notes),
        container=container.get("id", ""),
        container_until=container.get("expires_at", ""),
    )


def next_step(run_id: UUID, fence: int, call_id: UUID, seq: int, answered: Answered) -> bool:
    """A run's next step begins after number `seq` of its journal; False when the run is not ours."""
    begun = rows.run(
        f"UPDATE {_table(Run)} SET step = step + 1, step_seq = %s, call_id = %s, {_ANSWERED} "  # noqa: S608
        "WHERE id = %s AND fence = %s AND status = 'running' AND call_id <> %s",
        seq,
        rows.prepared(Run, "call_id", call_id),
        *_answered(answered),
        rows.prepared(Run, "id", run_id),
        fence,
        rows.prepared(Run, "call_id", call_id),
    )
    return bool(begun) or Run.objects.filter(id=run_id, fence=fence, call_id=call_id).exists()


_ANSWERED = "vendor_account = %s, model_served = %s, prefix_hash = %s, notes = %s"


def _answered(answered: Answered) -> list[Any]:
    return [
        answered.vendor_account[:200],
        answered.model_served[:200],
        answered.prefix_hash,
        rows.prepared(Run, "notes", list(answered.notes)),
    ]


def finish(
    run_id: UUID,
    fence: int,
    ended: Ended,
    fold: Fold,
    seconds: dict[str, float] | None = None,
    answered: Answered | None = None,
) -> bool:
    """Writes the whole answer and how it ended, and removes its journal; False when the run is not ours.

    Without `answered` the run keeps what it remembers of where the answer came from.

    Done twice, the second time writes nothing and says True as well.
    """
    run = rows.prepared(Run, "id", run_id)
    ids = rows.first(
        f"UPDATE {_table(Run)} SET status = %s, error = %s, finished_at = %s, lease_until = NULL, "  # noqa: S608
        f"container = %s{f', {_ANSWERED}' if answered is not None else ''} "
        "WHERE id = %s AND fence = %s AND status IN ('queued', 'running', 'waiting') "
        "RETURNING message_id, conversation_id",
        str(ended.status),
        rows.prepared(Run, "error", ended.error),
        rows.prepared(Run, "finished_at", timezone.now()),
        rows.prepared(Run, "container", steps.container_of(fold.message)),
        *(_answered(answered) if answered is not None else ()),
        run,
        fence,
    )
    if ids is None:
        return Run.objects.filter(id=run_id, fence=fence, status=ended.status).exists()
    rows.run(
        f"UPDATE {_table(Message)} SET blocks = %s, cut_input = %s, stop_reason = %s, "  # noqa: S608
        "stop_details = %s, seconds = %s, status = %s WHERE id = %s",
        encode_blocks(fold.blocks()),
        _cut_input(fold),
        str(fold.message.get("stop_reason") or "")[:60],
        rows.prepared(Message, "stop_details", _stop_details(fold.message)),
        rows.prepared(Message, "seconds", seconds or {}),
        str(ended.status),
        ids[0],
    )
    rows.run(f"DELETE FROM {_table(JournalEntry)} WHERE run_id = %s", run)  # noqa: S608
    bell.ring(Run._meta.pk.to_python(ids[1]), ["sidebar"])
    return True


def _stop_details(message: Json) -> Json | None:
    """What the vendor says of a refusal (Anthropic, "Stop reasons": stop_details)."""
    details = message.get("stop_details")
    if not isinstance(details, dict):
        return None
    return {
        name: text[:2000]
        for name in ("type", "category", "explanation")
        if isinstance(text := details.get(name), str)
    }


def _table(model: type[models.Model]) -> str:
    return rows.quoted(model._meta.db_table)


def encode_blocks(blocks: list[Json]) -> str:
    """Blocks as text, keys in the order received: a reordered block breaks caches and signatures."""
    return msgspec.json.encode(blocks).decode()


def _cut_input(fold: Fold) -> str:
    state: dict[str, Any] = fold.state()
    opened = state.get("open") or {}
    return str(opened.get("json") or "")
