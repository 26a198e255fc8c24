"""The life of a run in its host: answered by a model, stored.

    launch -> _live -> _answer (one metered call; each event goes to the fold and to the journal)
                    -> _store  (message, status, removal of the journal in one fenced transaction)

Leaving the page ends nothing here; `LiveRun.end` does.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from providers.errors import ConnectionFailed, InterruptedStream, ProviderError
from providers.fold import Fold
from usage import metering
from usage.errors import CallRefused
from usage.writer import writer

from . import context, journal, records, sockets, titles
from .host import host
from .live import LiveRun
from .models import Message, Run
from .reading import read
from .records import Ended, Prepared

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
        return Ended(Status.FAILED, {"type": refusal.code, "message": refusal.message})
    except ProviderError as error:
        cut = isinstance(error, InterruptedStream | ConnectionFailed) and live.received.blocks()
        return Ended(Status.INTERRUPTED if cut else Status.FAILED, error.to_json())
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
    apply, append = live.received.apply, host.journal.append
    async with metering.call(
        prepared.caller, prepared.request, purpose="chat", call_id=prepared.call_id
    ) as call:
        async for event in call:
            apply(event)
            append(live, event)
            if event["type"] != "content_block_delta":
                live.note(event)


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
            partial(records.finish, live.run, live.fence, ended, live.received, live.seconds)
        )
    except Exception:
        log.exception(
            "The answer of run %s cannot be stored whole; it is kept as far as it was shown", live.run
        )
    return await journal.stored(partial(_finish_as_shown, live))


def _finish_as_shown(live: LiveRun) -> bool:
    _seq, shown = journal.fold(live.run)
    return records.finish(live.run, live.fence, Ended(Status.FAILED, UNSTORED), shown, live.seconds)
