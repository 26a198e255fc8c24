"""How much a call asks of a budget before it is made.

- strict: the most that it can cost on the dearest of its ways (pricing.upper_bound_nano); in tokens the bound
  of the prompt, the longest answer, and one context for each web search.
- estimated: the likely size of the prompt, and of the answer what 95 of 100 recent answers of the model
  stayed within, if that is less than the longest. Searches are not foreseen. A call may cost more than that,
  up to its strict amount: by so much an estimated budget can be overshot.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from providers.catalogue import ModelSpec
from usage.estimates import Size
from usage.models import Budget, LedgerLine, Outcome, Source
from usage.prices.pricing import Tariff, upper_bound_nano

SAMPLE = 200  # answers
LEAST_SAMPLE = 20  # with fewer the longest answer counts
LOOK_BACK = 5_000  # lines of the ledger, so that a rare model costs no long scan
REMEMBERED = 60.0  # seconds
PERCENTILE = 0.95
HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way of a call, as far as it matters for what it costs. `max_tokens` bounds the answer."""

    spec: ModelSpec
    tariff: Tariff
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Demand:
    """That of one call, in every measure; the dearest of its options counts."""

    size: Size
    options: tuple[Option, ...]

    def amount(self, measure: str, admission: str) -> int:
        """In the measure's unit: nano-dollars, requests or tokens."""
        if measure == Budget.Measure.REQUESTS:
            return 1
        strict = admission == Budget.Admission.STRICT
        if measure == Budget.Measure.TOKENS:
            return max(map(self._tokens if strict else self._likely_tokens, self.options))
        return self.bound_nano if strict else max(map(self._likely_nano, self.options))

    @property
    def bound_nano(self) -> int:
        """The most that an attempt can cost, in nano-dollars."""
        return max(map(self._bound_nano, self.options))

    def answering(self, max_tokens: int) -> Self:
        """The same call with an answer of at most so many tokens."""
        shorter = (replace(option, max_tokens=min(option.max_tokens, max_tokens)) for option in self.options)
        return replace(self, options=tuple(shorter))

    def longest_within(self, room: int, measure: str, *, least: int, most: int) -> int | None:
        """The longest answer, of `least` to `most` tokens, with which the strict amount is within `room`."""

        def fits(max_tokens: int) -> bool:
            return self.answering(max_tokens).amount(measure, Budget.Admission.STRICT) <= room

        if measure == Budget.Measure.REQUESTS or least > most or not fits(least):
            return None
        while least < most:
            middle = (least + most + 1) // 2
            if fits(middle):
                least = middle
            else:
                most = middle - 1
        return least

    def _bound_nano(self, option: Option) -> int:
        size, spec = self.size, option.spec
        return upper_bound_nano(
            option.tariff,
            prompt_tokens=min(size.bound, spec.context),
            max_tokens=option.max_tokens,
            # Adapters ask for caching where the model has it (providers.caching).
            cached=_cached(size, spec),
            searches=size.searches,
            context=spec.context,
        )

    def _likely_nano(self, option: Option) -> int:
        size, spec = self.size, option.spec
        return upper_bound_nano(
            option.tariff,
            prompt_tokens=min(size.likely, spec.context),
            max_tokens=_likely_answer(option),
            cached=_cached(size, spec),
            searches=0,
            context=spec.context,
        )

    def _tokens(self, option: Option) -> int:
        size, context = self.size, option.spec.context
        return min(size.bound, context) + size.searches * context + option.max_tokens

    def _likely_tokens(self, option: Option) -> int:
        return min(self.size.likely, option.spec.context) + _likely_answer(option)


class UsualOutput:
    """How long recent answers of a model were, from the ledger; remembered for a minute.

    In tokens; None while too few answers are known. Asks the database.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, list[int]]] = {}

    def of(self, provider: str, model: str) -> int | None:
        """What 95 of 100 answers stayed within."""
        return _within(PERCENTILE, self._sample(provider, model))

    def middle(self, provider: str, model: str) -> int | None:
        """What half of the answers stayed within."""
        return _within(HALF, self._sample(provider, model))

    def _sample(self, provider: str, model: str) -> list[int]:
        until, known = self._known.get((provider, model), (0.0, []))
        if self._clock() >= until:
            known = _outputs(provider, model)
            self._known[provider, model] = (self._clock() + REMEMBERED, known)
        return known

    def forget(self) -> None:
        """For tests, whose databases differ."""
        self._known.clear()


usual_output = UsualOutput()


def _likely_answer(option: Option) -> int:
    usual = usual_output.of(option.spec.provider, option.spec.id)
    return option.max_tokens if usual is None else min(usual, option.max_tokens)


def _within(share: float, outputs: list[int]) -> int | None:
    """The least number of tokens that this share of the answers stayed within; of enough answers only."""
    return outputs[math.ceil(share * len(outputs)) - 1] if len(outputs) >= LEAST_SAMPLE else None


def _outputs(provider: str, model: str) -> list[int]:
    """The lengths of recent complete answers, shortest first."""
    newest = LedgerLine.objects.order_by("-id").values_list("id", flat=True).first() or 0
    lines = LedgerLine.objects.filter(
        id__gt=newest - LOOK_BACK,
        provider=provider,
        model_asked=model,
        outcome=Outcome.COMPLETED,
        source=Source.REPORTED,
    ).order_by("-id")
    return sorted(lines.values_list("output_tokens", flat=True)[:SAMPLE])


def _cached(size: Size, spec: ModelSpec) -> bool:
    return size.cached or "caching" in spec.capabilities
