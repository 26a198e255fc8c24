"""The calls of a benchmark: every prompt to every model, a few at a time, each one a Row.

What a call cost and how long it took is read from the ledger, where it was settled; a refusal or an error is
a row like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.ids import uuid7
from providers.catalogue import ModelSpec
from providers.errors import ProviderError
from providers.fold import Fold
from providers.types import MessageRequest
from usage import metering
from usage.benchmark.prompts import Prompt
from usage.benchmark.purse import Purse, PurseEmpty
from usage.caller import Caller
from usage.catalogue import chains, overrides
from usage.clock import database_now
from usage.errors import CallRefused
from usage.estimates import measure
from usage.models import LedgerLine, Outcome, Source
from usage.prices import prices
from usage.prices.pricing import upper_bound_nano
from usage.writer import writer

# Beside the outcomes of the ledger: Parley declined the call; it was not begun.
DECLINED, NOT_RUN = "declined", "not run"
Purpose = Literal["benchmark"]
PURPOSE: Purpose = "benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run. `max_tokens` is for prompts that name none; `max_cost_nano` None: no limit."""

    caller: Caller
    models: tuple[ModelSpec, ...]
    prompts: tuple[Prompt, ...]
    runs: int = 1
    concurrency: int = 4
    max_tokens: int = 1024
    max_cost_nano: int | None = None

    @property
    def calls(self) -> int:
        return len(self.models) * len(self.prompts) * self.runs

    def request(self, spec: ModelSpec, prompt: Prompt) -> MessageRequest:
        return MessageRequest(
            model=spec.ref,
            messages=prompt.messages,
            system=prompt.system,
            max_tokens=min(prompt.max_tokens or self.max_tokens, spec.max_output),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call of a benchmark. Times are milliseconds, None where there is none; `input` is the whole prompt.

    `first_ms`, `total_ms` are those of the last attempt. `error` names why there is no whole answer.
    """

    model: str
    prompt: str
    run: int
    outcome: str
    error: str = ""
    message: str = ""
    call_id: UUID | None = None
    served: str = ""
    attempts: int = 0
    fell_back: bool = False
    first_ms: int | None = None
    total_ms: int | None = None
    input: int = 0
    cached: int = 0
    output: int = 0
    cost_nano: int = 0
    estimated: bool = False
    answer: str = ""
    expected_found: bool | None = None  # None: nothing was expected

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second from the first content on, where the vendor counted them."""
        if self.outcome != Outcome.COMPLETED or self.estimated or not self.output:
            return None
        took = (self.total_ms or 0) - (self.first_ms or 0)
        return self.output * 1000 / took if took > 0 else None


@dataclass(slots=True)
class Benchmark:
    """Runs a plan. `rows` grows as calls end; `finished` hears of each row."""

    plan: Plan
    purse: Purse
    finished: Callable[[Row], None] = lambda _row: None
    rows: list[Row] = field(default_factory=list)

    async def run(self) -> None:
        """Makes every call. Cancelled, it settles those under way, whose rows say so, and begins no more."""
        waiting = iter(
            [
                (spec, prompt, number)
                for number in range(1, self.plan.runs + 1)
                for prompt in self.plan.prompts
                for spec in self.plan.models
            ]
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.plan.concurrency, self.plan.calls)):
                group.create_task(self._work(waiting))

    async def _work(self, waiting: Any) -> None:
        for spec, prompt, number in waiting:
            await self._one(spec, prompt, number)

    async def _one(self, spec: ModelSpec, prompt: Prompt, number: int) -> None:
        request = self.plan.request(spec, prompt)
        row = Row(model=spec.ref, prompt=prompt.id, run=number, outcome=NOT_RUN)
        try:
            bound = await writer.run(partial(bound_nano, spec, request))
        except CallRefused as refusal:
            self._add(replace(row, outcome=DECLINED, error=refusal.code, message=refusal.message))
            return
        try:
            async with self.purse.taking(bound) as taken:
                made = Made(self.plan.caller, request)
                facts: dict[str, Any] = {}
                try:
                    await made.make()
                    facts = await made.told(prompt.expected)
                except asyncio.CancelledError:
                    facts = made.seen()
                    raise
                finally:
                    if made.cost_nano is not None:
                        taken.cost_nano = made.cost_nano
                    if facts:
                        self._add(replace(row, **facts))
        except PurseEmpty:
            self._add(replace(row, error="max_cost", message="The limit of cost is reached."))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self.finished(row)


class Made:
    """One metered call, folded to its end, whatever that is."""

    def __init__(self, caller: Caller, request: MessageRequest) -> None:
        self.call_id = uuid7()
        self._caller = caller
        self._request = request
        self._fold = Fold()
        self._call: metering.Call | None = None
        self._failure: tuple[str, str] = ("", "")
        self._declined = False

    async def make(self) -> None:
        """Raises nothing but CancelledError, and what would be a mistake of ours."""
        try:
            async with metering.call(
                self._caller, self._request, purpose=PURPOSE, call_id=self.call_id
            ) as self._call:
                async for event in self._call:
                    self._fold.apply(event)
        except CallRefused as refusal:
            self._declined = True
            self._failure = (refusal.code, refusal.message)
        except ProviderError as error:
            self._failure = (error.kind, error.safe_message)
        except (OperationalError, InterfaceError):
            self._failure = ("database_away", "The database did not answer.")

    @property
    def cost_nano(self) -> int | None:
        """None while it is not settled."""
        if self._call is None:
            return 0
        settled = self._call.settlement
        return settled.cost_nano if settled is not None else None

    @property
    def answer(self) -> str:
        content = self._fold.message.get("content") or () if self._fold.message else ()
        return "".join(str(block.get("text", "")) for block in content if block.get("type") == "text")

    def seen(self) -> dict[str, Any]:
        """What a Row says of a call that was cut short, without asking the database."""
        settled = self._call.settlement if self._call is not None else None
        if settled is None:
            return {"outcome": Outcome.STOPPED, "error": "stopped"}
        usage = settled.usage
        return {
            "call_id": self.call_id,
            "outcome": settled.outcome,
            "error": "" if settled.outcome == Outcome.COMPLETED else "stopped",
            "input": usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
            "cached": usage.cache_read_input_tokens,
            "output": usage.output_tokens,
            "cost_nano": settled.cost_nano,
            "estimated": settled.source == "estimated",
            "answer": self.answer,
        }

    async def told(self, expected: str = "") -> dict[str, Any]:
        """What a Row says of the call, by its lines in the ledger."""
        error, message = self._failure
        if self._declined:
            return {"outcome": DECLINED, "error": error, "message": message}
        lines: list[LedgerLine] = await writer.run(partial(_lines, self.call_id))
        if not lines:
            return {"outcome": Outcome.FAILED, "error": error or "unsettled", "message": message}
        last = max(lines, key=lambda line: (line.attempt, -line.line))
        asked = self._request.model
        return {
            "call_id": self.call_id,
            "outcome": last.outcome,
            "error": error,
            "message": message,
            "served": last.model_served,
            "attempts": len({line.attempt for line in lines}),
            "fell_back": f"{last.provider}/{last.model_asked}" != asked,
            "first_ms": last.ttft_ms,
            "total_ms": last.duration_ms,
            "input": sum(line.prompt_tokens for line in lines),
            "cached": sum(line.cache_read_input_tokens for line in lines),
            "output": sum(line.output_tokens for line in lines),
            "cost_nano": sum(line.cost_nano for line in lines),
            "estimated": any(line.source == Source.ESTIMATED for line in lines),
            "answer": self.answer,
            "expected_found": _holds(self.answer, expected) if expected else None,
        }


def bound_nano(spec: ModelSpec, request: MessageRequest) -> int:
    """The most that one attempt at this call can cost, in nano-dollars, also where it falls back.

    Raises CallRefused. Asks the database: not to be called on an event loop.
    """
    dearest = _bound_nano(spec, request)
    for ref in chains.of(spec.ref):
        other = overrides.spec(ref)
        if other is not None:
            with contextlib.suppress(CallRefused):  # then no call falls back to it
                dearest = max(dearest, _bound_nano(other, request))
    return dearest


def _bound_nano(spec: ModelSpec, request: MessageRequest) -> int:
    size = measure(request)
    return upper_bound_nano(
        prices.tariff(spec, request, size, database_now()),
        prompt_tokens=min(size.bound, spec.context),
        max_tokens=min(request.max_tokens, spec.max_output),
        cached=size.cached,
        searches=size.searches,
        context=spec.context,
    )


def bounds_nano(plan: Plan, specs: Sequence[ModelSpec]) -> int:
    """The most that the plan's calls to these models can cost when each takes one attempt. As bound_nano."""
    one = sum(bound_nano(spec, plan.request(spec, prompt)) for spec in specs for prompt in plan.prompts)
    return one * plan.runs


def _lines(call_id: UUID) -> list[LedgerLine]:
    return list(LedgerLine.objects.filter(call_id=call_id).order_by("attempt", "line"))


def _holds(answer: str, expected: str) -> bool:
    return " ".join(expected.split()).casefold() in " ".join(answer.split()).casefold()
