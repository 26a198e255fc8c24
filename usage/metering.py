"""The one door to a model: `call`, and `complete` for a whole answer. Every call is held before and settled
after. `count` asks a vendor for the size of a prompt, which is free.

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
from usage.caller import Caller
from usage.calls.calls import Call
from usage.calls.counts import count
from usage.calls.retries import Retries, configured
from usage.calls.routes import Fallback, Route
from usage.calls.second_asks import Shortened
from usage.calls.settlement import Settlement, settle_lost, sweep_all, sweep_expired, sweep_some
from usage.clock import database_now
from usage.estimates import seen_usage
from usage.writer import writer

Purpose = Literal["chat", "title", "benchmark"]

__all__ = [
    "Call",
    "Caller",
    "Fallback",
    "Purpose",
    "Retries",
    "Route",
    "Settlement",
    "Shortened",
    "call",
    "complete",
    "count",
    "seen_usage",
    "settle_lost",
    "sweep",
    "sweep_all",
    "sweep_expired",
]


def call(
    caller: Caller,
    request: MessageRequest,
    *,
    purpose: Purpose,
    call_id: UUID,
    retries: Retries | None = None,
    only_account: str | None = None,
    without_thinking: MessageRequest | None = None,
    may_shorten: bool = False,
) -> AbstractAsyncContextManager[Call]:
    """A call whose events are iterated inside `async with`; leaving it, however, closes and settles it.

    `request.model` is a full reference, "provider/model". A call id is good for one call, for ever. What may
    be raised: see Call. `retries` is the provider's configured policy if not given.

    A request that holds thinking names the vendor account that it came from: `only_account`. It then goes to
    that account alone, and to accounts that the vendor has not named yet. `without_thinking` is the same
    request without it: what other accounts and fallback models are sent, and what is sent once more when the
    vendor does not take the thinking back. Without it such a call goes nowhere else.

    With `may_shorten` a call that a strict budget has no room for is asked with the `max_tokens` that fit,
    if that is an answer worth having; without it the request is sent as it is, or not at all.
    """
    return Call(
        caller,
        request,
        purpose=purpose,
        call_id=call_id,
        retries=retries or configured(request.model.partition("/")[0]),
        only_account=only_account,
        without_thinking=without_thinking,
        may_shorten=may_shorten,
    )


async def complete(
    caller: Caller,
    request: MessageRequest,
    *,
    purpose: Purpose,
    call_id: UUID,
    retries: Retries | None = None,
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
