"""Starting and stopping this process as a host of live runs.

It starts on the loop that serves requests: by the server's lifespan, or with the first request where the
server has none. A new loop (runserver's reload, a test's server) begins anew.
"""

from __future__ import annotations

import asyncio

from usage.calls import revoked
from usage.catalogue import overrides
from usage.writer import writer

from . import news, recovery, sockets
from .host import Host, host
from .journal import committer

STOP_GRACE = 5.0  # seconds for ending runs to be stored

_starting: asyncio.Task[None] | None = None


async def start() -> None:
    """Starts the committer, the chores, and the recovery of lost runs. Once begun, it does nothing."""
    global _starting
    loop = asyncio.get_running_loop()
    if host.loop is not loop:
        host.begin_on(loop)
        _starting = loop.create_task(_start(host))
    if _starting is not None:
        await asyncio.shield(_starting)
        _starting = None


async def _start(this: Host) -> None:
    this.spawn(this.journal.commit_forever())
    await recovery.claim_at_start()
    this.spawn(recovery.renew_leases())
    this.spawn(recovery.sweep())
    this.spawn(this.notes.send_forever())
    this.spawn(news.hear_forever())
    this.spawn(news.look_forever())
    this.spawn(this.distant.look_forever())
    this.spawn(sockets.watch())
    this.spawn(overrides.keep_fresh())
    this.spawn(revoked.watch())


async def stop() -> None:
    """Ends what still runs (kept, marked interrupted), then the chores."""
    for live in list(host.runs.values()):
        live.end("shutdown")
    writing = [live.task for live in host.runs.values() if live.task is not None]
    if writing:
        await asyncio.wait(writing, timeout=STOP_GRACE)
    chores = list(host.tasks)
    for chore in chores:
        chore.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    await asyncio.to_thread(_stop_writing)
    host.loop = None


def _stop_writing() -> None:
    committer.stop()
    writer.stop()
