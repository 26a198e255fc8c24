"""The one door to a model: `call`, and `complete` for a whole answer. Every call is held before and settled
after.

For whoever recovers from the loss of a process: `settle_lost` for one call, `sweep` every few seconds,
`sweep_all` at the start of a server that is alone.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Literal
from uuid import UUID

from providers.errors import InterruptedStream
from providers.fold import Fold
from providers.types import Message, MessageRequest

from .caller import Caller
from .calls import Call, Route
from .clock import database_now
from .estimates import seen_usage
from .retries import Retries
from .settlement import Settlement, settle_lost, sweep_all, sweep_expired, sweep_some
from .writer import writer

Purpose = Literal["chat", "title"]
RETRIES = Retries()

__all__ = [
    "Call",
    "Caller",
    "Purpose",
    "Retries",
    "Route",
    "Settlement",
    "call",
    "complete",
    "seen_usage",
    "settle_lost",
    "sweep",
    "sweep_all",
    "sweep_expired",
]


def call(
    caller: Caller, request: MessageRequest, *, purpose: Purpose, call_id: UUID, retries: Retries = RETRIES
) -> AbstractAsyncContextManager[Call]:
    """A call whose events are iterated inside `async with`; leaving it, however, closes and settles it.

    `request.model` is a full reference, "provider/model". A call id is good for one call, for ever. What may
    be raised: see Call.
    """
    return Call(caller, request, purpose=purpose, call_id=call_id, retries=retries)


async def complete(
    caller: Caller, request: MessageRequest, *, purpose: Purpose, call_id: UUID, retries: Retries = RETRIES
) -> Message:
    """The whole answer of one call. Raises as Call does."""
    fold = Fold()
    async with call(caller, request, purpose=purpose, call_id=call_id, retries=retries) as events:
        async for event in events:
            fold.apply(event)
    if not fold.complete:
        raise InterruptedStream(partial=fold.message)
    return fold.message


async def sweep() -> int:
    """`sweep_expired` on the writer's threads, a few holds at a time so that nobody waits for long."""
    moment, settled = await writer.run(database_now), 0
    while (swept := await writer.run(partial(sweep_some, moment))) is not None:
        settled += swept
    return settled
