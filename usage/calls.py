"""One call to a model, from its hold to its settlement.

    entering   the hold is committed (usage.admission)
    iterating  attempts are made until one shows content; its events pass through and are counted
    leaving    the vendor's connection is closed and the call settled, exactly once, whatever ended it

Cleaning up waits for the database through any number of cancellations, for a few seconds at most; a
settlement that the database does not take by then is tried again in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts import credentials
from accounts.ids import uuid7
from providers import registry
from providers.errors import AuthenticationError, ConnectionFailed, InterruptedStream, ProviderError
from providers.types import MessageRequest, StreamEvent, Usage

from . import context, known_models
from .admission import Admitted, Asked, admit
from .attempts import Attempt
from .caller import Caller
from .estimates import measure
from .models import Hold, Outcome
from .open_calls import OpenCall, open_calls
from .retries import Retries
from .settlement import Settlement, settle
from .writer import writer

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a call goes. `vendor_account` is "" where the vendor has not said whose the credential is."""

    provider: str
    model: str
    label: str
    vendor_account: str
    credential_id: UUID | None


class Call(AsyncIterator[StreamEvent]):
    """An asynchronous context manager, and inside it an iterator of the vendor's events.

    Entering raises CallRefused, DuplicateCall, or django.db's OperationalError while the database is away.
    Iterating raises ProviderError. `settlement` is there after leaving, unless the database did not answer.
    """

    route: Route

    def __init__(
        self, caller: Caller, request: MessageRequest, *, purpose: str, call_id: UUID, retries: Retries
    ) -> None:
        self.settlement: Settlement | None = None
        self._caller = caller
        self._request = request
        self._purpose = purpose
        self._call_id = call_id
        self._retries = retries
        self._attempts: list[Attempt] = []
        self._chores: list[asyncio.Future[Any]] = []
        self._events: AsyncGenerator[StreamEvent, None] | None = None
        self._admitted: Admitted
        self._open: OpenCall

    @property
    def usage(self) -> Usage:
        """The vendor's latest count; see Settlement for what is billed."""
        return self._attempts[-1].usage if self._attempts else Usage()

    async def __aenter__(self) -> Self:
        context.call.set(self._call_id)
        spec = await known_models.resolve(self._caller, self._request.model)
        asked = Asked(
            hold_id=uuid7(),
            call_id=self._call_id,
            caller=self._caller,
            spec=spec,
            request=self._request,
            size=measure(self._request),
            purpose=self._purpose,
        )
        self._admitted, cancelled = await outlast(writer.submit(partial(admit, asked)))
        choice = self._admitted.choice
        self._request = replace(self._request, model=spec.id)
        self.route = Route(
            provider=spec.provider,
            model=spec.id,
            label=spec.name,
            vendor_account=choice.access.vendor_account,
            credential_id=choice.id,
        )
        self._open = open_calls().add(self._admitted.hold.pk)
        self._open.attempts = self._attempts
        if cancelled:
            await self._leave()
            raise asyncio.CancelledError
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if await self._leave() and not isinstance(error, asyncio.CancelledError):
            raise asyncio.CancelledError

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[StreamEvent]:
        if self._events is None:
            self._events = self._stream()
        return self._events.__anext__()

    async def _stream(self) -> AsyncGenerator[StreamEvent, None]:
        choice = self._admitted.choice
        adapter = registry.adapter(choice.provider)
        while True:
            attempt = Attempt(number=len(self._attempts) + 1, asked=True)
            self._attempts.append(attempt)
            observe = attempt.observe
            # The head of an answer waits for what follows: until then the attempt may be repeated unseen.
            head: StreamEvent | None = None
            try:
                async with aclosing(adapter.stream(self._request, choice.access)) as events:
                    async for event in events:
                        observe(event)
                        if head is not None:
                            yield head
                            head = None
                        elif event["type"] == "message_start":
                            head = event
                            continue
                        yield event
                        if attempt.stopped:
                            break
                if not attempt.stopped:
                    raise InterruptedStream
            except ProviderError as failure:
                pause = self._failed(attempt, failure)
                if pause is None:
                    raise
            except Exception:
                attempt.finish(Outcome.FAILED, "internal_error")
                raise
            else:
                attempt.leave()
                return
            await self._retries.sleep(pause)

    def _failed(self, attempt: Attempt, failure: ProviderError) -> float | None:
        """Notes how the attempt ended; returns the pause before the next one, None when there is none."""
        broken = isinstance(failure, InterruptedStream) or (
            isinstance(failure, ConnectionFailed) and attempt.began
        )
        attempt.free = not failure.sent
        attempt.request_id = failure.request_id or attempt.request_id
        attempt.finish(Outcome.INTERRUPTED if broken else Outcome.FAILED, failure.kind)
        if isinstance(failure, AuthenticationError):
            refused = partial(credentials.mark_invalid, self._admitted.choice.id, failure.safe_message)
            self._chores.append(writer.submit(refused))
        if attempt.content_at is not None:
            return None
        billed = sum(not made.free for made in self._attempts)
        return self._retries.pause(failure, attempts=len(self._attempts), billed=billed)

    async def _leave(self) -> bool:
        """Closes and settles; returns whether a cancellation came meanwhile."""
        attempts = self._attempts or [Attempt(number=1)]
        attempts[-1].leave()
        hold: Hold = self._admitted.hold
        work = partial(settle, hold, attempts)
        settled = writer.submit(work)  # before anything is awaited: from here on nothing can prevent it
        chores = self._chores
        if self._events is not None:
            chores.append(asyncio.ensure_future(self._events.aclose()))
        cancelled = await _all_done([settled, *chores])
        open_calls().remove(self._open)
        for chore in chores:
            _look(chore)
        try:
            self.settlement = settled.result()
        except (OperationalError, InterfaceError) as error:
            log.error("Call %s is not settled yet, the database does not answer: %s", self._call_id, error)
            open_calls().settle_later(work)
        except Exception:
            log.exception("Call %s cannot be settled; the sweep will settle it from its hold", self._call_id)
        log.info("Call ended: %s", attempts[-1].outcome)
        context.call.set(None)
        return cancelled


async def outlast(future: asyncio.Future[T]) -> tuple[T, bool]:
    """The future's result, waited for through any number of cancellations, and whether there was one.

    Raises what the future does, or CancelledError instead if there was one.
    """
    cancelled = await _all_done([future])
    if cancelled and future.exception() is not None:
        raise asyncio.CancelledError
    return future.result(), cancelled


async def _all_done(futures: list[asyncio.Future[Any]]) -> bool:
    cancelled = False
    while any(not future.done() for future in futures):
        try:
            await asyncio.wait(futures)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def _look(future: asyncio.Future[Any]) -> None:
    """Logs how a chore failed, for nobody can do anything about it."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("Cleaning up after a call failed", exc_info=error)
