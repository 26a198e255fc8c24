"""The life of a run in its host: answered by a model, stored.

    launch -> _live -> _answer (one metered call for each step; each event goes to the fold and the journal)
                    -> _store  (message, status, removal of the journal in one fenced transaction)

Leaving the page ends nothing here; `LiveRun.end` does.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from uuid import UUID

from accounts.ids import uuid7
from providers.errors import ConnectionFailed, ContextExceeded, InterruptedStream, ProviderError
from providers.fold import Fold
from usage import metering
from usage.errors import CallRefused
from usage.metering import Call, Shortened
from usage.writer import writer

from . import context, journal, records, sockets, steps, titles
from .host import host
from .live import LiveRun
from .models import Message, Run
from .origins import Answered
from .reading import read
from .records import Ended, Prepared
from .steps import Joint
from .transcript import Asking

log = logging.getLogger(__name__)

Status = Message.Status
UNSTORED = {"type": "unstored", "message": "The database refused to store this answer."}


def launch(run: Run, prepared: Prepared | None = None) -> None:
    """Starts the task of a new run on the host's loop, from any thread.

    In a process that serves nothing (a command) the run waits until a host claims it.
    """
    host.call(_launch_here, _live_run(run, 0, None), run, prepared)


def launch_again(run: Run, seq: int, received: Fold) -> None:
    """Starts a queued run that another host lost; `received` is what its journal holds up to number `seq`."""
    host.call(_launch_here, _live_run(run, seq, received), run, None)


def _live_run(run: Run, seq: int, received: Fold | None) -> LiveRun:
    return LiveRun(
        run=run.id,
        message=run.message_id,
        conversation=run.conversation_id,
        fence=run.fence,
        seq=seq,
        received=received,
    )


def _launch_here(live: LiveRun, run: Run, prepared: Prepared | None) -> None:
    host.add(live)
    live.task = host.spawn(_live(live, run, prepared))
    sockets.show(live)


async def _live(live: LiveRun, run: Run, prepared: Prepared | None) -> None:
    context.run.set(live.run)
    live.begun = True
    ended = _ended_by_us(live) if live.ending else await _ended(live, run, prepared)
    live.closing = True
    if live.ending == "fenced":
        _give_up(live)
        return
    # A task of its own: a cancellation that is still on its way to this one must not reach the last write.
    live.task = host.spawn(_store(live, ended))


async def _ended(live: LiveRun, run: Run, prepared: Prepared | None) -> Ended:
    """Answers, and says how it ended: every way out of a call has its status and its sentence."""
    try:
        if prepared is None:
            path = await read(partial(records.history, run))
            prepared = await writer.run(partial(records.begin_again, run, path))
        if prepared is None:
            live.ending = "fenced"
            return Ended(Status.INTERRUPTED)
        live.is_first = prepared.is_first
        await _answer(live, prepared)
    except asyncio.CancelledError:
        return _ended_by_us(live)
    except CallRefused as refusal:
        over = {"budget": refusal.detail.to_json()} if refusal.detail is not None else {}
        return Ended(Status.FAILED, {"type": refusal.code, "message": refusal.message} | over)
    except ProviderError as error:
        cut = isinstance(error, InterruptedStream | ConnectionFailed) and live.received.blocks()
        told = error.to_json() | ({"reason": "context"} if isinstance(error, ContextExceeded) else {})
        return Ended(Status.INTERRUPTED if cut else Status.FAILED, told)
    except Exception:
        log.exception("Run %s failed", live.run)
        return Ended(
            Status.FAILED, {"type": "internal_error", "message": "Parley itself failed. The log says why."}
        )
    return Ended(Status.COMPLETED)


def _ended_by_us(live: LiveRun) -> Ended:
    if live.ending == "stop":
        return Ended(Status.STOPPED)
    if live.ending == "unstored":
        return Ended(Status.FAILED, UNSTORED)
    return Ended(Status.INTERRUPTED, {"type": "shutdown", "message": "The server was stopped."})


async def _answer(live: LiveRun, prepared: Prepared) -> None:
    """The steps of an answer, each a metered call; a finished one is stored before the next begins."""
    joint, asking, call_id = Joint(), prepared.asking, prepared.call_id
    calls: list[Call] = []
    while True:
        calls.append(await _step(live, prepared, joint, asking, call_id, calls))
        if not joint.goes_on:
            return
        await host.journal.caught_up(live)
        call_id, answered = uuid7(), _answered(prepared, calls)
        if not await writer.run(
            partial(records.next_step, live.run, live.fence, call_id, live.seq, answered)
        ):
            live.ending = live.ending or "fenced"
            raise asyncio.CancelledError
        joint.next_step()
        last = calls[-1].route
        asking = steps.next_asking(
            prepared.asking,
            live.received,
            f"{last.provider}/{last.model}",
            [call.route.vendor_account for call in calls],
            whole=all(call.whole for call in calls),
        )


async def _step(
    live: LiveRun, prepared: Prepared, joint: Joint, asking: Asking, call_id: UUID, before: list[Call]
) -> Call:
    """One metered call; its events go to the fold and to the journal."""
    apply, append, events = live.received.apply, host.journal.append, joint.events
    async with metering.call(
        prepared.caller,
        asking.request,
        purpose="chat",
        call_id=call_id,
        only_account=asking.only_account,
        without_thinking=asking.elsewhere,
        may_shorten=True,
    ) as call:
        try:
            async for received in call:
                for event in events(received):
                    apply(event)
                    append(live, event)
                    if event["type"] != "content_block_delta":
                        live.note(event)
        finally:
            live.answered = _answered(prepared, [*before, call])
    return call


def _answered(prepared: Prepared, calls: list[Call]) -> Answered:
    """Where the answer comes from. Of several steps, what held for all of them."""
    asking, last = prepared.asking, calls[-1]
    whole = all(call.whole for call in calls)
    accounts = {call.route.vendor_account for call in calls}
    served = {f"{call.route.provider}/{call.route.model}" for call in calls}
    notes = list(asking.notes)
    if asking.holds_thinking and not whole:
        notes.append(prepared.left_out)
    if last.fallbacks:
        first = last.fallbacks[0]
        notes.append(
            {"code": "fallback", "asked": first.label, "served": last.route.label, "reason": first.reason}
        )
    kept = min((call.shortened for call in calls if call.shortened), key=_max_tokens, default=None)
    if kept is not None:
        notes.append({"code": "shortened", "tokens": kept.max_tokens, "budget": kept.budget})
    return Answered(
        vendor_account=last.route.vendor_account if len(accounts) == 1 else "",
        model_served=served.pop() if len(served) == 1 else "",
        prefix_hash=asking.prefix if whole or asking.elsewhere is None else asking.prefix_elsewhere,
        notes=tuple(notes),
    )


def _max_tokens(kept: Shortened) -> int:
    return kept.max_tokens


async def _store(live: LiveRun, ended: Ended) -> None:
    context.run.set(live.run)
    rest = await host.journal.take(live)
    try:
        stored = await _finish(live, ended)
    finally:
        host.remove(live)
    if not stored:
        _give_up(live)
        return
    host.journal.show(live, rest)
    live.finish(ended.status)
    log.info("Answer ended: %s", ended.status)
    if live.is_first and ended.status == Status.COMPLETED:
        host.spawn(titles.entitle(live.conversation))


def _give_up(live: LiveRun) -> None:
    """Another process has claimed the run, to end it or to start it again: from here it is followed there."""
    host.remove(live)
    live.hand_over(host.distant.window(live.run, live.message, live.conversation, live.seq))
    log.info("Answer given up: another process has it")


async def _finish(live: LiveRun, ended: Ended) -> bool:
    """The last write of a run; where the database refuses what was received, what was shown is kept."""
    try:
        return await journal.stored(
            partial(records.finish, live.run, live.fence, ended, live.received, live.seconds, live.answered)
        )
    except Exception:
        log.exception(
            "The answer of run %s cannot be stored whole; it is kept as far as it was shown", live.run
        )
    return await journal.stored(partial(_finish_as_shown, live))


def _finish_as_shown(live: LiveRun) -> bool:
    _seq, shown = journal.fold(live.run)
    ended = Ended(Status.FAILED, UNSTORED)
    return records.finish(live.run, live.fence, ended, shown, live.seconds, live.answered)
