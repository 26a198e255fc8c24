"""Runs that lost their host: found, claimed, and either started again or kept as far as they came.

A host shows that it lives by renewing the leases of its runs, also while a model is silent. Nobody trusts a
clock for this: a sweep claims a run only after it has itself watched the lease stand still for a whole period
while the database answered. An embedded server (SQLite) claims everything at its start, because its lock on
the data folder proves that no other host is alive. The claim raises the fence, and the old host's writes are
refused from then on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from providers.errors import ProtocolError
from providers.fold import Fold
from usage import metering
from usage.writer import writer

from . import generation, journal, records
from .actions import LEASE
from .host import host
from .models import Message, Run
from .records import Ended

log = logging.getLogger(__name__)

RENEW_EVERY = LEASE.total_seconds() / 3
LOST = {"type": "host_lost", "message": "The server went away in the middle of this answer."}


@dataclass(slots=True)
class Watched:
    """A lease of another host as this process has seen it, and since when (monotonic seconds)."""

    fence: int
    lease_until: Any
    since: float


async def claim_at_start() -> None:
    """In an embedded server: every live run, for their hosts are dead."""
    if connection.vendor == "sqlite":
        for run in await writer.run(partial(_leases, [])):
            await recover(run)
        await writer.run(metering.sweep_all)


async def renew_leases() -> None:
    """Renews what this process hosts; ends runs whose stop was asked for in another process."""
    while True:
        await asyncio.sleep(RENEW_EVERY)
        if host.runs:
            for run in await journal.stored(partial(_renew, list(host.runs))):
                host.end(run, "stop")


async def sweep() -> None:
    """Claims runs whose lease this process has watched stand still for a whole period."""
    watched: dict[UUID, Watched] = {}
    while True:
        await asyncio.sleep(RENEW_EVERY)
        leases = await journal.stored(partial(_leases, list(host.runs)))
        now = time.monotonic()
        watched = {run.id: _watch(watched.get(run.id), run, now) for run in leases}
        for run in leases:
            if now - watched[run.id].since >= LEASE.total_seconds():
                await recover(run)
        await metering.sweep()


def _watch(before: Watched | None, run: Run, now: float) -> Watched:
    if before is not None and (before.fence, before.lease_until) == (run.fence, run.lease_until):
        return before
    return Watched(run.fence, run.lease_until, now)


async def recover(run: Run) -> None:
    """Claims a run and ends it with what was stored; one without content is started again, once.

    A run that cannot be recovered is logged and left: it must not keep the others from being recovered.
    """
    try:
        again = await writer.run(partial(_claim, run))
    except Exception:
        log.exception("Run %s lost its host and could not be recovered; it is tried again later", run.id)
        return
    if again is not None:
        log.info("Run %s lost its host; it is started again", run.id)
        generation.launch(again)


def _leases(hosted: list[UUID]) -> list[Run]:
    """Live runs that another host holds; a run that waits for a person has no lease."""
    live = Run.objects.filter(status__in=[Run.Status.QUEUED, Run.Status.RUNNING])
    return list(live.exclude(id__in=hosted).order_by("id"))


def _renew(hosted: list[UUID]) -> list[UUID]:
    mine = Run.objects.filter(id__in=hosted, host=settings.PROCESS_NAME)
    mine.update(lease_until=timezone.now() + LEASE)
    return list(mine.exclude(stop_requested_at=None).values_list("id", flat=True))


def _claim(run: Run) -> Run | None:
    """Takes the run over; returns it if it is to be started again, None if it ended or was not to be had."""
    unmoved = Run.objects.filter(id=run.id, fence=run.fence, lease_until=run.lease_until, status__in=Run.LIVE)
    if not unmoved.update(
        fence=F("fence") + 1, host=settings.PROCESS_NAME, lease_until=timezone.now() + LEASE
    ):
        return None
    run.refresh_from_db()
    _seq, events = journal.read(run.id)
    fold = Fold()
    try:
        for event in events:
            fold.apply(event)
    except ProtocolError:
        log.exception("The journal of run %s cannot be read to its end", run.id)
    if run.call_id is not None:
        seen = metering.seen_usage(fold.message, fold.usage) if events else None
        metering.settle_lost(run.call_id, seen)
    if not fold.blocks() and run.attempts == 0 and run.stop_requested_at is None:
        Run.objects.filter(id=run.id).update(attempts=1, status=Run.Status.QUEUED, call_id=None)
        run.refresh_from_db()
        return run
    status = Message.Status.STOPPED if run.stop_requested_at is not None else Message.Status.INTERRUPTED
    records.finish(run.id, run.fence, Ended(status, LOST), fold)
    return None
