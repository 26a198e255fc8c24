"""One call to a model, from its hold to its settlement.

    entering   the hold is committed (usage.calls.admission)
    iterating  the vendors are asked until one answers (usage.calls.asking); its events pass through
    leaving    the vendor's connection is closed and the call settled, exactly once, whatever ended it

Cleaning up waits for the database through any number of cancellations, for a few seconds at most; a
settlement that the database does not take by then is tried again in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from functools import partial
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.ids import uuid7
from providers.catalogue import ModelSpec
from providers.errors import InterruptedStream
from providers.resilience import Retries
from providers.types import MessageRequest, StreamEvent, Usage
from usage import context
from usage.caller import Caller
from usage.calls.admission import Admitted, Asked
from usage.calls.asking import Asking
from usage.calls.attempt_ends import CallSettled, announce_settled
from usage.calls.attempt_ends import on_attempt_end as on_attempt_end
from usage.calls.attempts import Attempt
from usage.calls.open_calls import OpenCall, open_calls
from usage.calls.outlasting import all_done
from usage.calls.routes import Fallback, Route
from usage.calls.second_asks import Shortened, let
from usage.calls.settlement import Settlement, settle
from usage.catalogue import chains, known_models
from usage.errors import CallRefused, KeyRevoked
from usage.estimates import measure
from usage.models import Hold, Outcome
from usage.writer import writer

log = logging.getLogger(__name__)


class Call(AsyncIterator[StreamEvent]):
    """An asynchronous context manager, and inside it an iterator of the vendor's events.

    Entering raises CallRefused, DuplicateCall, or django.db's OperationalError while the database is away.
    Iterating raises ProviderError; so does leaving: KeyRevoked or TokenEnded, when the credential was revoked
    meanwhile, or the access token that asked.
    `settlement` is there after leaving, unless the database did not answer.

    From the first event on, `route` is where the answer comes from, and `fallbacks` names the models that
    were asked for before and did not answer, or that a budget did not allow; it is empty when the model asked
    for answers. With `may_shorten` the answer may be kept shorter than `max_tokens`, to fit into a budget;
    `shortened` says so, once the call is entered.
    """

    def __init__(
        self,
        caller: Caller,
        request: MessageRequest,
        *,
        purpose: str,
        call_id: UUID,
        retries: Retries,
        only_account: str | None = None,
        without_thinking: MessageRequest | None = None,
        may_shorten: bool = False,
    ) -> None:
        self.settlement: Settlement | None = None
        self.shortened: Shortened | None = None
        self._caller = caller
        self._request = request
        self._purpose = purpose
        self._call_id = call_id
        self._retries = retries
        self._only_account = only_account
        self._without_thinking = without_thinking
        self._may_shorten = may_shorten
        self._instead_of: list[Fallback] = []
        self._events: AsyncGenerator[StreamEvent, None] | None = None
        self._asking: Asking | None = None
        self._admitted: Admitted
        self._open: OpenCall
        self._ended_by: type[InterruptedStream] = KeyRevoked
        self._cut = asyncio.timeout(
            None
        )  # its end is the way to cancel a body of code, and no more than that

    @property
    def route(self) -> Route:
        """Where the call goes; before an answer came it may still go elsewhere. Known once it is entered."""
        if self._asking is None:
            raise RuntimeError("the call was not entered")
        return self._asking.route

    @property
    def fallbacks(self) -> list[Fallback]:
        """The models that were asked for before the one that answers, in order."""
        return self._instead_of + (self._asking.fallbacks if self._asking is not None else [])

    @property
    def whole(self) -> bool:
        """Whether the latest attempt was sent `request`, and not `without_thinking`."""
        if self._instead_of and self._without_thinking is not None:
            return False
        return self._asking is None or self._asking.whole

    @property
    def usage(self) -> Usage:
        """The vendor's latest count; see Settlement for what is billed."""
        attempts = self._attempts
        return attempts[-1].usage if attempts else Usage()

    @property
    def fell_back_from(self) -> str | None:
        """The ref of the model asked for, where another one answers."""
        return self.fallbacks[0].ref if self.fallbacks else None

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
            fallbacks=await self._chain(spec),
            only_account=self._only_account,
            without_thinking=self._without_thinking,
        )
        through = await let(asked, may_shorten=self._may_shorten)
        self._admitted, self._instead_of = through.admitted, through.instead_of
        self.shortened = through.shortened
        self._asking = asking = Asking(
            self._admitted.ways,
            call_id=self._call_id,
            purpose=self._purpose,
            retries=self._retries,
            without_thinking=through.asked.without_thinking,
        )
        self._open = open_calls().add(self._admitted.hold.pk)
        self._open.attempts = asking.attempts
        if through.cancelled:
            await self._leave()
            raise asyncio.CancelledError
        await self._cut.__aenter__()
        self._open.credential = lambda: asking.route.credential_id
        self._open.token = self._caller.token_id
        self._open.cut = self._end
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.cut = None
        if not self._cut.expired():
            self._cut.reschedule(None)
        cancelled = await self._leave()
        try:
            await self._cut.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise self._ended_by from None
        task = asyncio.current_task()
        ours = self._cut.expired() and not (task is not None and task.cancelling())
        if cancelled and not ours and not isinstance(error, asyncio.CancelledError):
            raise asyncio.CancelledError

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[StreamEvent]:
        if self._events is None:
            if self._asking is None:
                raise RuntimeError("the call was not entered")
            self._events = self._asking.events()
        return self._events.__anext__()

    @property
    def _attempts(self) -> list[Attempt]:
        return self._asking.attempts if self._asking is not None else []

    def _end(self, why: type[InterruptedStream]) -> None:
        """Ends the call where it stands: its credential or its token is not to be used any more."""
        self._open.cut, self._ended_by = None, why
        if self._attempts:
            self._attempts[-1].finish(Outcome.STOPPED, why.kind)
        self._cut.reschedule(asyncio.get_running_loop().time())

    async def _chain(self, spec: ModelSpec) -> tuple[ModelSpec, ...]:
        """The models to ask after this one; what is not on offer is left out."""
        found = []
        for ref in chains.of(spec.ref):
            try:
                found.append(await known_models.resolve(self._caller, ref))
            except CallRefused as refusal:
                log.info("The fallback %s is left out: %s", ref, refusal.code)
        return tuple(found)

    async def _leave(self) -> bool:
        """Closes and settles; returns whether a cancellation came meanwhile."""
        attempts = self._attempts or [Attempt(number=1)]
        attempts[-1].leave()
        hold: Hold = self._admitted.hold
        work = partial(settle, hold, attempts)
        settled = writer.submit(work)  # before anything is awaited: from here on nothing can prevent it
        chores = self._asking.chores if self._asking is not None else []
        if self._events is not None:
            chores.append(asyncio.ensure_future(self._events.aclose()))
        cancelled = await all_done([settled, *chores])
        open_calls().remove(self._open)
        for chore in chores:
            _look(chore)
        try:
            self.settlement = settled.result()
            cost = self.settlement.cost_nano
            announce_settled(
                CallSettled(provider=self.route.provider, model=self.route.model, cost_nano=cost)
            )
        except (OperationalError, InterfaceError) as error:
            log.error("Call %s is not settled yet, the database does not answer: %s", self._call_id, error)
            open_calls().settle_later(work)
        except Exception:
            log.exception("Call %s cannot be settled; the sweep will settle it from its hold", self._call_id)
        log.info("Call ended: %s", attempts[-1].outcome)
        context.call.set(None)
        return cancelled


def _look(future: asyncio.Future[Any]) -> None:
    """Logs how a chore failed, for nobody can do anything about it."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("Cleaning up after a call failed", exc_info=error)
