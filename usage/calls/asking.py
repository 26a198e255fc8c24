"""Asks the vendors on behalf of one call until one of them answers: on one way after the other, unseen.

Attempts are made, on the way that the journey names, until one shows content; its events pass through and are
counted. What ends an attempt before that is noted with it, and decides where to go on (usage.calls.journey).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.keys import credentials
from accounts.logins import grants
from providers import registry
from providers.errors import AuthenticationError, ConnectionFailed, InterruptedStream, ProviderError
from providers.heard import Head
from providers.resilience import Permit, Retries
from providers.types import MessageRequest, StreamEvent
from usage.calls.attempt_ends import AttemptEnded, announce
from usage.calls.attempts import Attempt
from usage.calls.journey import PATIENCE, Journey, Step
from usage.calls.routes import Fallback, Route, Way
from usage.errors import KeyRevoked
from usage.models import Outcome
from usage.writer import writer

log = logging.getLogger(__name__)


class Asking:
    """The attempts of one call. `route` is the way of the latest one, `whole` whether all of the request went
    there, `fallbacks` the models that were passed over before it answered. `chores` are pieces of work for
    the database that the call waits for at its end.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        *,
        call_id: UUID,
        purpose: str,
        retries: Retries,
        without_thinking: MessageRequest | None,
    ) -> None:
        self.attempts: list[Attempt] = []
        self.chores: list[asyncio.Future[Any]] = []
        self.fallbacks: list[Fallback] = []
        self.route: Route = _route(ways[0])
        self.whole = ways[0].whole
        self._ways = ways
        self._call_id = call_id
        self._purpose = purpose
        self._retries = retries
        self._without_thinking = without_thinking
        self._renewed: set[int] = set()

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """The events of the answer. To be iterated once. Raises ProviderError, that of the last attempt."""
        journey = Journey(self._ways, self._retries)
        step: Step | None = None
        while True:
            attempt = Attempt(number=len(self.attempts) + 1)
            observe = attempt.observe
            way = step.way if step is not None else self._ways[0]
            permit: Permit | None = None
            # The head of an answer waits for what follows: until then the attempt may be repeated unseen.
            head: StreamEvent | None = None
            shown = False
            try:
                if step is None:
                    way = await self._ready(journey)
                attempt.route = way.index
                way, permit = await self._enter(journey, way)
                self.attempts.append(attempt)
                attempt.set_out()
                heard = partial(self._hear, journey, way)
                stream = registry.adapter(way.spec.provider).stream(
                    way.request, way.choice.access, spec=way.spec, heard=heard
                )
                async with aclosing(stream) as events:
                    async for event in events:
                        observe(event)
                        if not shown:
                            if head is None and event["type"] == "message_start":
                                head = event
                                continue
                            shown = True
                            self._answers(journey, way, permit)
                            if head is not None:
                                yield head
                        yield event
                        if attempt.stopped:
                            break
                if not attempt.stopped:
                    raise InterruptedStream
            except ProviderError as failure:
                step = await self._failed(journey, way, attempt, permit, failure, shown=shown)
                if step is None:
                    raise
                log.info("Asking again after %s: %s/%s", failure.kind, step.way.spec.ref, step.way.index)
            except Exception:
                attempt.finish(Outcome.FAILED, "internal_error")
                raise
            else:
                attempt.leave()
                return
            finally:
                self._over(attempt, way, permit)
            if step.pause > 0:
                await self._retries.sleep(step.pause)

    async def _ready(self, journey: Journey) -> Way:
        """The first way that is ready, after a short wait if none is. Raises ProviderError."""
        waited = 0.0
        while True:
            step = journey.begin()
            if step.pause <= 0:
                return step.way
            waited += step.pause
            if waited > PATIENCE:
                raise journey.not_now(step.way)
            await self._retries.sleep(step.pause)

    async def _enter(self, journey: Journey, way: Way) -> tuple[Way, Permit]:
        """A token that is good, a place in the queue, and leave to ask. Raises ProviderError."""
        journey.tried(way)
        await self._must_still_serve(way)
        choice = await grants.fresh(way.choice)
        if choice is not way.choice:
            way = replace(way, choice=choice)
            journey.replace(way)
        guard = journey.guard(way)
        await guard.lane(way.spec.id).limiter.turn()
        permit = guard.breaker.enter()
        if permit is None:
            raise journey.not_now(way)
        self.route = _route(way, guard.vendor_account)
        if way.index and choice.id is not None:
            self.chores.append(writer.submit(partial(credentials.mark_used, choice.id)))
        return way, permit

    async def _must_still_serve(self, way: Way) -> None:
        """A credential that was revoked since the call was admitted makes no other attempt. Raises
        ProviderError.
        """
        if not self.attempts:
            return
        try:
            serves = await writer.run(partial(credentials.still_serves, way.choice.id))
        except (OperationalError, InterfaceError) as error:
            log.warning("A credential could not be looked at: %s", type(error).__name__)
            return
        if not serves:
            raise AuthenticationError(KeyRevoked.says, kind=KeyRevoked.kind, sent=False)

    def _hear(self, journey: Journey, way: Way, head: Head) -> None:
        journey.guard(way).hear(way.spec.id, head)
        if head.vendor_account:
            self.route = _route(way, head.vendor_account)

    def _answers(self, journey: Journey, way: Way, permit: Permit) -> None:
        """The first content of the call is here: from now on there is no other attempt."""
        journey.guard(way).succeeded(way.spec.id, permit)
        self.fallbacks = journey.passed_over(way)
        self.whole = way.whole

    async def _failed(
        self,
        journey: Journey,
        way: Way,
        attempt: Attempt,
        permit: Permit | None,
        failure: ProviderError,
        *,
        shown: bool,
    ) -> Step | None:
        """Notes how the attempt ended; returns where to go on, None when nowhere."""
        broken = isinstance(failure, InterruptedStream) or (
            isinstance(failure, ConnectionFailed) and attempt.began
        )
        attempt.free = not failure.sent or permit is None
        attempt.request_id = failure.request_id or attempt.request_id
        attempt.finish(Outcome.INTERRUPTED if broken else Outcome.FAILED, failure.kind)
        if permit is None:
            self.attempts.append(attempt)
        else:
            journey.guard(way).failed(way.spec.id, permit, failure)
        if isinstance(failure, AuthenticationError) and permit is not None:
            renewed = await self._renew(way, failure)
            if renewed is not None and not shown:
                journey.replace(renewed)
                return Step(renewed, 0.0)
        if shown or attempt.content_at is not None:
            return None
        if getattr(failure, "thinking_unbound", False) and way.whole and self._without_thinking is not None:
            stripped = replace(self._without_thinking, model=way.spec.id)
            way = replace(way, request=stripped, whole=False)
            journey.replace(way)
            return Step(way, 0.0)
        billed = sum(not made.free for made in self.attempts)
        return journey.after(way, failure, billed=billed)

    async def _renew(self, way: Way, failure: AuthenticationError) -> Way | None:
        """The way with a new token, once for each way. A credential that has no other is marked."""
        if way.index not in self._renewed:
            self._renewed.add(way.index)
            try:
                choice = await grants.refused(way.choice)
            except ProviderError as error:
                log.warning("A refused token could not be renewed now: %s", error.kind)
                return None
            if choice is not None:
                return replace(way, choice=choice)
        mark = partial(credentials.mark_invalid, way.choice.id, failure.safe_message)
        self.chores.append(writer.submit(mark))
        return None

    def _over(self, attempt: Attempt, way: Way, permit: Permit | None) -> None:
        """The attempt is over, however: its place goes back, and who counts is told."""
        if permit is not None:
            permit.leave()
            attempt.leave()
        if attempt.duration_ms is None:  # the caller left before anything was asked
            return
        announce(
            AttemptEnded(
                call_id=self._call_id,
                provider=way.spec.provider,
                model=way.spec.id,
                credential=way.choice.id,
                purpose=self._purpose,
                outcome=attempt.outcome,
                error=attempt.error,
                first_content=attempt.ttft_ms / 1000 if attempt.ttft_ms is not None else None,
                duration=attempt.duration_ms / 1000,
                usage=attempt.usage,
                retries=attempt.number - 1,
                route=way.index,
            )
        )


def _route(way: Way, heard: str = "") -> Route:
    """`heard` is the vendor account that an answer named."""
    return Route(
        provider=way.spec.provider,
        model=way.spec.id,
        label=way.spec.name,
        vendor_account=heard or way.choice.access.vendor_account,
        credential_id=way.choice.id,
    )
