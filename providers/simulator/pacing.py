"""When the next delta is due, for many streams on one loop.

Every stream keeps an absolute timetable (`Timetable`): the n-th delta is due at start + n / rate, so a late
wake-up is followed by an earlier one and the rate holds under load. All streams share one `Wheel`: a single
timer of the loop, armed for the earliest slot, wakes everybody who is due. That costs one timer per slot, not
one per delta.
"""

import asyncio
import math
import random
from typing import Final

SLOT: Final = 0.002
"""Width of a slot in seconds: deltas are late by at most this much on an idle loop."""


class Wheel:
    """One shared timer. Belongs to the running loop in which `at` was first called."""

    def __init__(self) -> None:
        self._slots: dict[int, list[asyncio.Future[None]]] = {}
        self._armed: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def at(self, due: float, waiter: asyncio.Future[None]) -> None:
        """Resolve the waiter when the loop's clock has reached `due` (seconds). A waiter done earlier is
        skipped.
        """
        slot = math.ceil(due / SLOT)
        waiters = self._slots.get(slot)
        if waiters is not None:
            waiters.append(waiter)
            return
        self._slots[slot] = [waiter]
        if self._armed is None or slot < self._armed:
            self._arm(slot)

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = slot
        self._timer = asyncio.get_running_loop().call_at(slot * SLOT, self._turn)

    def _turn(self) -> None:
        # One slot ahead counts as due: a timer may fire a hair before its time.
        now = math.floor(asyncio.get_running_loop().time() / SLOT + 0.01)
        self._armed = self._timer = None
        for slot in sorted(slot for slot in self._slots if slot <= now):
            for waiter in self._slots.pop(slot):
                if not waiter.done():
                    waiter.set_result(None)
        if self._slots:
            self._arm(min(self._slots))


class Timetable:
    """The due times of one stream's deltas.

    rate: deltas per second, 0 for as fast as possible; jitter: 0..1, the share of an interval by which single
    deltas wander (around the timetable, so the mean rate stays); seed: makes the wandering repeatable.
    """

    def __init__(self, rate: float, *, jitter: float = 0.0, seed: int = 0) -> None:
        self.interval = 1.0 / rate if rate > 0 else 0.0
        self._jitter = min(max(jitter, 0.0), 1.0) * self.interval
        self._random = random.Random(seed)  # noqa: S311 - pacing, not secrecy
        self._next: float | None = None

    def restart(self) -> None:
        """Count from the next delta on, as after a pause that was meant."""
        self._next = None

    def due(self, now: float) -> float:
        """When the next delta may leave, by the loop's clock; the first one may leave at once."""
        if self._next is None:
            self._next = now
        due = self._next
        self._next += self.interval
        if self._jitter:
            due += self._jitter * self._random.random()
        return due
