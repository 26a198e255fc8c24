"""Admission of a call, with what is tried where a budget does not let it through as it was asked:

    shortened   with an answer that fits, where the caller allows it
    cheaper     of the budget's cheaper model, past the limit; where that would cost as much, as it was

Each full budget is worth one more try, MOST_TRIES in all; then the refusal stands.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from functools import partial

from providers.fitting import fitted
from providers.types import MessageRequest
from usage.calls.admission import Admitted, Asked, NotCheaper, admit_or_refuse
from usage.calls.outlasting import outlast
from usage.calls.routes import Fallback
from usage.catalogue import known_models
from usage.errors import CallRefused, OverBudget
from usage.estimates import measure
from usage.writer import writer

MOST_TRIES = 6

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shortened:
    """An answer may have so many tokens and no more, because a budget, named here, has no room for more."""

    max_tokens: int
    budget: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Let:
    """A call that was let through, as `asked` says. `instead_of` are the models that a budget did not allow,
    `shortened` what the answer was kept to; `cancelled` says that the caller was cancelled meanwhile.
    """

    asked: Asked
    admitted: Admitted
    instead_of: list[Fallback] = field(default_factory=list)
    shortened: Shortened | None = None
    cancelled: bool = False


async def let(asked: Asked, *, may_shorten: bool = False) -> Let:
    """Raises as admission.admit does, but for NotCheaper; and CancelledError where nothing was held."""
    instead_of: list[Fallback] = []
    kept: Shortened | None = None
    before, over, tries = asked, None, 0
    while True:
        tries += 1
        try:
            result, cancelled = await outlast(writer.submit(partial(admit_or_refuse, asked)))
            if isinstance(result, CallRefused):
                if cancelled:
                    raise asyncio.CancelledError
                raise result
        except NotCheaper:
            asked = replace(before, past=asked.past)
            instead_of.pop()
        except CallRefused as refusal:
            full = refusal.detail
            if full is None or tries == MOST_TRIES:
                # That the cheaper model cannot be asked is no news to the person: the limit is.
                raise over or refusal from None
            over = refusal
            again = shortened(asked, full) if may_shorten else None
            if again is not None:
                kept = Shortened(again.request.max_tokens, full.name)
            elif full.cheaper_model:
                again = await cheaper(asked, full)
                if again is not None and again.spec.ref != asked.spec.ref:
                    before = asked
                    reason = f"The budget “{full.name}” is used up."
                    instead_of.append(Fallback(asked.spec.ref, asked.spec.name, reason))
            if again is None:
                raise
            asked = again
        else:
            return Let(
                asked=asked, admitted=result, instead_of=instead_of, shortened=kept, cancelled=cancelled
            )


def shortened(asked: Asked, full: OverBudget) -> Asked | None:
    """The call with an answer that fits into the budget; None where none does."""
    if full.cheaper_model or full.fits is None:
        return None
    return replace(
        asked,
        request=_within(asked.request, full.fits),
        without_thinking=_within(asked.without_thinking, full.fits) if asked.without_thinking else None,
    )


async def cheaper(asked: Asked, full: OverBudget) -> Asked | None:
    """The call as the budget's cheaper model is asked it; as it was, where it is for that model already; None
    where it cannot be asked. Either way it may pass this limit.
    """
    past = asked.past | {full.budget}
    try:
        spec = await known_models.resolve(asked.caller, full.cheaper_model)
    except CallRefused as refusal:
        log.warning("A budget's cheaper model %s cannot be used: %s", full.cheaper_model, refusal.code)
        return None
    if spec.ref == asked.spec.ref:
        return replace(asked, past=past)
    if asked.without_thinking is None and asked.only_account is not None:
        return None
    request = fitted(replace(asked.without_thinking or asked.request, model=spec.ref), spec)
    size = measure(request)
    if size.likely > spec.context:
        return None
    return replace(
        asked,
        spec=spec,
        request=request,
        size=size,
        fallbacks=(),
        only_account=None,
        without_thinking=None,
        past=past,
        cheaper_than=full.bound_nano,
    )


def _within(request: MessageRequest, max_tokens: int) -> MessageRequest:
    return replace(request, max_tokens=min(request.max_tokens, max_tokens))
