"""Time for tests: it passes only when told, and sleepers wake in the order of their times."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._count), woken))
        await woken

    async def settle(self, turns: int = 20) -> None:
        """Lets everybody who is awake do what they can do now, in so many turns of the loop."""
        for _ in range(turns):
            await asyncio.sleep(0)

    async def pass_(self, seconds: float) -> None:
        """Time passes; whoever sleeps until then wakes on the way."""
        until = self.now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, woken = heapq.heappop(self._sleepers)
            self.now = max(self.now, due)
            if not woken.done():
                woken.set_result(None)
            await self.settle()
        self.now = until
