"""Waiting that no cancellation cuts short: for the database to say what became of money."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

T = TypeVar("T")


async def outlast(future: asyncio.Future[T]) -> tuple[T, bool]:
    """The future's result, waited for through any number of cancellations, and whether there was one.

    Raises what the future does, or CancelledError instead if there was one.
    """
    cancelled = await all_done([future])
    if cancelled and future.exception() is not None:
        raise asyncio.CancelledError
    return future.result(), cancelled


async def all_done(futures: list[asyncio.Future[Any]]) -> bool:
    """Waits for all of them, through any number of cancellations; returns whether there was one."""
    cancelled = False
    while any(not future.done() for future in futures):
        try:
            await asyncio.wait(futures)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
