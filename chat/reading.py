"""Database reads off the event loop: each a whole unit of work, on a few lasting threads."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError

from usage.writer import drop_connection

THREADS = 4

T = TypeVar("T")
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="chat-reading")


async def read(function: Callable[[], T]) -> T:
    """What the function returns or raises. It may be called twice, after its connection turned out dead.

    It must not write: writes go through actions and the process's writer.
    """
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads, context.run, _read, function)


def _read(function: Callable[[], T]) -> T:
    """Asking first whether a connection is alive would cost as much as most reads do."""
    try:
        return function()
    except (OperationalError, InterfaceError):
        drop_connection()
        return function()
