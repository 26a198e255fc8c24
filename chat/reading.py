"""Database reads off the event loop: each a whole unit of work, on a few lasting threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from channels.db import database_sync_to_async

THREADS = 4

T = TypeVar("T")
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="chat-reading")


async def read(function: Callable[[], T]) -> T:
    """What the function returns or raises.

    It must not write: writes go through actions and the process's writer.
    """
    work = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    return await cast(Awaitable[T], work())
