"""Runs that lost their host: found, claimed, and either started again or kept as far as they came.

A host shows that it lives by renewing the leases of its runs, also while a model is silent. Nobody trusts a
clock for this: a sweep claims a run only after it has itself watched the lease stand still for a whole period
in which the database answered and this process was awake; after a gap it begins to watch anew, for then
nobody could renew. An embedded server (SQLite) claims everything at its start, because its lock on the data
folder proves that no other host is alive. The claim raises the fence, and the old host's writes are refused
from then on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F
from django.utils import timezone

from providers.fold import Fold
from usage import metering
from usage.writer import writer

from . import drain, generation, journal, records
from .actions import LEASE
from .host import host
from .journal import committer
from .models import Message, Run
from .records import Ended

log = logging.getLogger(__name__)

PERIOD = LEASE.total_seconds()
RENEW_EVERY = PERIOD / 3
GAP = 2 * RENEW_EVERY  # between two looks: longer, and something was away, the database or this process
LOST = {"type": "host_lost", "message": "The server went away in the middle of this answer."}


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease of another host as this process sees it, unchanged since then (monotonic seconds)."""

    fence: int
    lease_until: datetime | None
    since: float


class Watch:
    """Tells which leases have stood still for a whole period before the eyes of this process."""

    def __init__(self) -> None:
        self._seen: dict[UUID, Seen] = {}
        self._looked_at: float | None = None
        self.unbroken_since = 0.0  # when the looks without a gap between them began

    def stood_still(self, leases: list[Run], now: float) -> list[Run]:
        """The runs to claim, at a look that the database has just answered. `now` in monotonic seconds."""
        if self._looked_at is None or now - self._looked_at > GAP:
            self._seen, self.unbroken_since = {}, now
        self._looked_at = now
        self._seen = {run.id: self._look(run, now) for run in leases}
        return [run for run in leases if now - self._seen[run.id].since >= PERIOD]

    def _look(self, run: Run, now: float) -> Seen:
        before = self._seen.get(run.id)
        if before is not None and (before.fence, before.lease_until) == (run.fence, run.lease_until):
            return before
        return Seen(run.fence, run.lease_until, now)


async def claim_at_start() -> None:
    """In an embedded server: every live run, whose hosts are dead, and every hold before new ones open."""
    if connection.vendor == "sqlite":
        claimed = [await _claimed(run) for run in await committer.run(partial(_leases, []))]
        await writer.run(metering.sweep_all)
        for again in claimed:
            _start_again(again)


async def renew_leases() -> None:
    """Renews what this process hosts, also while a model is silent; gives up what another has claimed."""
    while True:
        await asyncio.sleep(RENEW_EVERY)
        if host.runs:
            hosted = {live.run: live.fence for live in host.runs.values()}
            for run in await journal.stored(partial(_renew, hosted)):
                host.end_here(run, "fenced")


async def sweep() -> None:
    """Claims runs whose lease this process has watched stand still, and settles holds that nobody renews."""
    watch = Watch()
    while True:
        await asyncio.sleep(RENEW_EVERY)
        if drain.draining():
            continue
        leases = await journal.stored(partial(_leases, list(host.runs)))
        now = time.monotonic()
        for run in watch.stood_still(leases, now):
            await recover(run)
        if now - watch.unbroken_since >= PERIOD:
            await _sweep_holds()


async def _sweep_holds() -> None:
    try:
        await metering.sweep()
    except (DatabaseError, InterfaceError) as error:
        log.warning("Expired holds could not be settled, trying again: %s", type(error).__name__)


async def recover(run: Run) -> None:
    """Claims a run and ends it with what was stored; one without content is started again, once."""
    _start_again(await _claimed(run))


async def _claimed(run: Run) -> StartedAgain | None:
    """A run that cannot be recovered is logged and left: it must not keep the others from being recovered."""
    try:
        return await committer.run(partial(_claim, run))
    except Exception:
        log.exception("Run %s lost its host and could not be recovered; it is tried again later", run.id)
        return None


def _start_again(claimed: StartedAgain | None) -> None:
    if claimed is not None:
        log.info("Run %s lost its host; it is started again", claimed.run.id)
        generation.launch_again(claimed.run, claimed.seq, claimed.received)


def _leases(hosted: list[UUID]) -> list[Run]:
    """Live runs that another host holds; a run that waits for a person has no lease."""
    live = Run.objects.filter(status__in=[Run.Status.QUEUED, Run.Status.RUNNING])
    return list(live.exclude(id__in=hosted).order_by("id"))


def _renew(hosted: dict[UUID, int]) -> list[UUID]:
    """Renews the leases of runs under these fences; returns those that are not ours any more."""
    mine = Run.objects.filter(id__in=hosted, host=settings.PROCESS_NAME)
    mine.filter(status__in=Run.LIVE).update(lease_until=timezone.now() + LEASE)
    fences = dict(mine.values_list("id", "fence"))
    return [run for run, fence in hosted.items() if fences.get(run) != fence]


@dataclass(frozen=True, slots=True)
class StartedAgain:
    """A run that this process has claimed, queued again; `received` is its journal up to number `seq`."""

    run: Run
    seq: int
    received: Fold


def _claim(run: Run) -> StartedAgain | None:
    """Takes the run over; None if it has ended by that, or was not to be had.

    The row is updated before the journal is read: from then on the old host stores nothing more.
    """
    unmoved = Run.objects.filter(id=run.id, fence=run.fence, lease_until=run.lease_until, status__in=Run.LIVE)
    if not unmoved.update(
        fence=F("fence") + 1, host=settings.PROCESS_NAME, lease_until=timezone.now() + LEASE
    ):
        return None
    run.refresh_from_db()
    seq, received = journal.fold(run.id)
    if run.call_id is not None:
        step = received if seq and not run.step_seq else journal.fold_step(run.id, run.step_seq)
        seen = metering.seen_usage(step.message, step.usage) if step is not None else None
        metering.settle_lost(run.call_id, seen)
    if not received.blocks() and run.attempts == 0 and run.stop_requested_at is None:
        Run.objects.filter(id=run.id).update(attempts=1, status=Run.Status.QUEUED, call_id=None)
        run.refresh_from_db()
        return StartedAgain(run, seq, received)
    status = Message.Status.STOPPED if run.stop_requested_at is not None else Message.Status.INTERRUPTED
    records.finish(run.id, run.fence, Ended(status, LOST), received)
    return None
