"""The calls that this process has open: their holds are renewed and carry the latest usage, once a second.

One timer per event loop while calls are open, one transaction for all of them. So the sweep of another
process, or of this one after a restart, settles a lost call from what was seen up to a second before the
loss.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import weakref
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from providers.errors import InterruptedStream
from usage import rows
from usage.calls.admission import LEASE
from usage.calls.attempts import Attempt
from usage.calls.settlement import Settlement
from usage.clock import database_now
from usage.models import Hold
from usage.writer import writer

EVERY = 1.0  # seconds
RENEW_AFTER = LEASE.total_seconds() / 3  # seconds; a silent call is renewed as well

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class OpenCall:
    """A hold of this process, with the attempts that its call is making. `credential` is what the latest one
    is made with, `token` the access token that asked for it; `cut` ends the call with this error, None where
    there is nothing to end any more.
    """

    hold_id: UUID
    attempts: list[Attempt] = field(default_factory=list)
    stored_at: float = 0.0  # time.monotonic()
    stored: tuple[Any, ...] = ()
    credential: Callable[[], UUID | None] = lambda: None
    token: UUID | None = None
    cut: Callable[[type[InterruptedStream]], None] | None = None

    def mark(self) -> tuple[Any, ...]:
        """Changes with everything that a settlement would be computed from."""
        if not self.attempts:
            return ()
        last = self.attempts[-1]
        return (
            last.number,
            last.text_bytes,
            last.thinking_bytes,
            last.thinking_at,
            last.usage,
            last.duration_ms,
        )


class OpenCalls:
    """Those of one event loop; its methods are called there."""

    def __init__(self) -> None:
        self._calls: dict[UUID, OpenCall] = {}
        self._unsettled: list[Callable[[], Settlement]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, hold_id: UUID) -> OpenCall:
        call = self._calls[hold_id] = OpenCall(hold_id, stored_at=time.monotonic())
        self._wind()
        return call

    def remove(self, call: OpenCall) -> None:
        self._calls.pop(call.hold_id, None)

    def by_credential(self) -> dict[UUID, list[OpenCall]]:
        """The calls that could be cut, by what they are made with; those without a row are left out."""
        found: dict[UUID, list[OpenCall]] = {}
        for call in self._calls.values():
            credential = call.credential()
            if credential is not None and call.cut is not None:
                found.setdefault(credential, []).append(call)
        return found

    def by_token(self) -> dict[UUID, list[OpenCall]]:
        """The calls that could be cut, by the access token that asked for them."""
        found: dict[UUID, list[OpenCall]] = {}
        for call in self._calls.values():
            if call.token is not None and call.cut is not None:
                found.setdefault(call.token, []).append(call)
        return found

    @property
    def unsettled(self) -> int:
        """How many settlements wait for the database."""
        return len(self._unsettled)

    def settle_later(self, settle: Callable[[], Settlement]) -> None:
        """Keeps a settlement that the database would not take, and tries it again until it is written."""
        self._unsettled.append(settle)
        self._wind()

    async def store_now(self) -> None:
        """Renews and stores what has changed or is due, and tries what is unsettled.

        Never raises for the database.
        """
        changed = [(call, mark) for call in self._calls.values() if self._due(call, mark := call.mark())]
        unsettled, self._unsettled = self._unsettled, []
        states = [(call.hold_id, [attempt.to_json() for attempt in call.attempts]) for call, _ in changed]
        waits: list[asyncio.Future[Any]] = [writer.submit(settle) for settle in unsettled]
        if states:
            waits.append(writer.submit(partial(_renew, states)))
        results = await asyncio.gather(*waits, return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        for settle, result in zip(unsettled, results, strict=False):
            if isinstance(result, OperationalError | InterfaceError):
                self._unsettled.append(settle)
        if failed:
            log.warning("Holds were not renewed or settled, trying again: %s", failed[0], exc_info=failed[0])
            return
        for call, mark in changed:
            call.stored, call.stored_at = mark, time.monotonic()

    def _due(self, call: OpenCall, mark: tuple[Any, ...]) -> bool:
        return mark != call.stored or time.monotonic() - call.stored_at > RENEW_AFTER

    def _wind(self) -> None:
        if self._timer is None and (self._calls or self._unsettled):
            # A context of its own: its lines in the log belong to no single call.
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._ring, context=Context())

    def _ring(self) -> None:
        self._storing = asyncio.get_running_loop().create_task(self.store_now())
        self._storing.add_done_callback(self._rewind)

    def _rewind(self, stored: asyncio.Task[None]) -> None:
        self._timer = self._storing = None
        if not stored.cancelled():
            if (error := stored.exception()) is not None:
                log.error("Renewing holds failed", exc_info=error)
            self._wind()


_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, OpenCalls] = weakref.WeakKeyDictionary()


def open_calls() -> OpenCalls:
    """The open calls of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        found = _by_loop[loop] = OpenCalls()
    return found


def _renew(calls: Sequence[tuple[UUID, list[dict[str, Any]]]]) -> None:
    """Stores the attempts of open holds; a closed hold stays as it is.

    One statement: sqlite3 gives up the interpreter at every one that it runs, and waits to get it back from
    a busy event loop.
    """
    until = rows.prepared(Hold, "renewed_until", database_now() + LEASE)
    table, json_of = rows.quoted(Hold._meta.db_table), "v.column2"
    if connection.vendor == "postgresql":
        json_of += "::jsonb"
    marks = ", ".join(["(%s, %s)"] * len(calls))
    values = [(rows.prepared(Hold, "id", hold_id), json.dumps(attempts)) for hold_id, attempts in calls]
    rows.run(
        f"UPDATE {table} SET attempts = {json_of}, renewed_until = %s "  # noqa: S608 - names from the model
        f"FROM (VALUES {marks}) v WHERE {table}.id = v.column1 AND {table}.state = 'open'",
        until,
        *(value for pair in values for value in pair),
    )
