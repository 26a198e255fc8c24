"""What a run of many calls may still spend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class PurseEmpty(Exception):
    """What is left does not cover the bound of the next call."""


class Taken:
    """The bound of one call while it runs; `cost_nano` is set to what it really cost, before the end."""

    def __init__(self, bound_nano: int) -> None:
        self.cost_nano = bound_nano


class Purse:
    """`limit_nano` nano-dollars, None: no limit. `spent_nano` is what ended calls cost.

    A call is let in only while what was spent, the bounds of the calls under way and its own bound stay
    within the limit. A call that is retried after an attempt that was billed can cost more than its bound.
    """

    def __init__(self, limit_nano: int | None) -> None:
        self.limit_nano = limit_nano
        self.spent_nano = 0
        self._bound_nano = 0  # of the calls under way
        self._open = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def taking(self, bound_nano: int) -> AsyncGenerator[Taken, None]:
        """Waits while calls under way hold what this one needs. Raises PurseEmpty when none of them does."""
        async with self._changed:
            while not self._covers(bound_nano):
                if self._open == 0:
                    raise PurseEmpty
                await self._changed.wait()
            self._bound_nano += bound_nano
            self._open += 1
        taken = Taken(bound_nano)
        try:
            yield taken
        finally:
            self._bound_nano -= bound_nano
            self._open -= 1
            self.spent_nano += taken.cost_nano
            await self._tell()

    def _covers(self, bound_nano: int) -> bool:
        left = self.limit_nano
        return left is None or self.spent_nano + self._bound_nano + bound_nano <= left

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
