"""Many calls at once, held open with their streams begun until all of them are decided."""

from __future__ import annotations

import asyncio
from typing import Literal
from uuid import UUID

from accounts.ids import uuid7
from providers.types import MessageRequest
from usage import metering
from usage.errors import CallRefused
from usage.metering import Caller

PURPOSES: tuple[Literal["chat", "title"], ...] = ("chat", "title")


def request() -> MessageRequest:
    """A stream that begins, and ends when it is left: its gate is never opened."""
    script = '[[simulate {"text": "Here I am.", "gates": {"all decided": 2}}]]'
    return MessageRequest(
        model="anthropic/claude-sonnet-5-5",
        messages=[{"role": "user", "content": f"Hello.\n{script}"}],
        max_tokens=1000,
    )


class Many:
    def __init__(self, person: UUID, calls: int) -> None:
        self.admitted = 0
        self.refused = 0
        self._decided = asyncio.Event()
        self._leave = asyncio.Event()
        self._calls = calls
        self._tasks = [asyncio.create_task(self._one(person, number)) for number in range(calls)]

    async def decided(self) -> int:
        """How many were let through, when all are decided."""
        await self._decided.wait()
        return self.admitted

    async def leave(self) -> None:
        self._leave.set()
        await asyncio.gather(*self._tasks)

    async def _one(self, person: UUID, number: int) -> None:
        try:
            async with metering.call(
                Caller(user_id=person), request(), purpose=PURPOSES[number % 2], call_id=uuid7()
            ) as call:
                await anext(call)
                self.admitted += 1
                self._count()
                await self._leave.wait()
        except CallRefused as refusal:
            assert refusal.code == "over_budget"
            self.refused += 1
            self._count()

    def _count(self) -> None:
        if self.admitted + self.refused == self._calls:
            self._decided.set()
