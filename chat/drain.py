"""The end of this process's service: nothing new begins, what runs may end.

Draining is a state of the process. `manage.py serve` begins it at the first signal.
"""

from __future__ import annotations

import asyncio

from .host import host

_begun = False


def begin() -> None:
    global _begun
    _begun = True


def draining() -> bool:
    return _begun


def answering() -> bool:
    """Whether this process hosts a run now."""
    return bool(host.runs)


async def runs_ended(seconds: float) -> bool:
    """Waits until this process hosts no run any more, at most so long; True when none is left."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while host.runs and (left := until - loop.time()) > 0:
        tasks = [live.task for live in host.runs.values() if live.task is not None]
        if not tasks:
            await asyncio.sleep(min(0.05, left))
            continue
        await asyncio.wait(tasks, timeout=left)
    return not host.runs
