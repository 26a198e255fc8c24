"""What a call would cost whose text is still being written: figures that a page computes with as one types.

What is sent already is measured as admission measures it, so that "at most" is what would be held. The likely
cost takes what the vendor counted before, the cache as far as it is warm, and the middle of the model's
recent answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.keys import credentials
from providers.catalogue import ModelSpec
from providers.types import MessageRequest, Usage
from usage.budgets.demands import usual_output
from usage.clock import database_now
from usage.errors import CallRefused
from usage.estimates import Size, measure
from usage.models import LedgerLine, Source
from usage.prices import prices
from usage.prices.pricing import Tariff, cost_nano

FIVE_MINUTES, ONE_HOUR = timedelta(minutes=5), timedelta(hours=1)
LEAST_CACHED = 1024  # tokens: the shortest prompt that most models cache
ASSUMED_ANSWER = 500  # tokens, until enough answers of a model are known


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """The last attempt of a call, as the ledger has it. Sizes in tokens.

    `cached` is what the vendor's cache held of its prompt afterwards, until `cached_until` (the cache is
    renewed by use, and the call may have read it as soon as it was asked for). `model` is the ref of the one
    that was asked.
    """

    model: str
    prompt: int
    output: int
    cached: int
    cached_until: datetime
    searches: int
    credential: UUID | None
    credential_scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEstimate:
    """The figures of one call. Sizes in tokens, rates in pico-dollars per token.

    `prompt` is what is sent before the text, likely, and `bound` at most; `usual` is the likely answer
    (assumed where too few are known), `longest` the longest. `caches`: the model caches prompts of
    `least_cached` tokens on. `searches` is the most web searches that are allowed.
    """

    spec: ModelSpec
    tariff: Tariff
    prompt: int
    bound: int
    longest: int
    usual: int
    usual_is_known: bool
    caches: bool
    least_cached: int
    searches: int

    def to_json(self, cached: int, cached_seconds: float) -> dict[str, Any]:
        """As the page takes them; so many tokens are in the cache, for so many more seconds."""
        tariff = self.tariff
        return {
            "model": self.spec.ref,
            "prompt": self.prompt,
            "bound": self.bound,
            "context": self.spec.context,
            "longest": self.longest,
            "usual": self.usual,
            "usualIsKnown": self.usual_is_known,
            "caches": self.caches,
            "leastCached": self.least_cached,
            "cached": cached if cached_seconds > 0 else 0,
            "cachedFor": max(0, round(cached_seconds * 1000)),
            "searches": self.searches,
            "searchesNano": tariff.searches_nano,
            "rates": asdict(tariff.rates),
            "longContextAbove": tariff.long_context_above if tariff.long_context else None,
            "longContext": asdict(tariff.long_context) if tariff.long_context else None,
        }


def of_request(spec: ModelSpec, request: MessageRequest, *, counted: int | None) -> SendEstimate | None:
    """That of a request whose last text is empty so far; None where its price is not known.

    `counted` is the size of all before that text as the vendor counted it, None where it did not.
    """
    size = measure(request)
    try:
        tariff = prices.tariff(spec, request, size, database_now())
    except CallRefused:
        return None
    usual = usual_output.middle(spec.provider, spec.id)
    return SendEstimate(
        spec=spec,
        tariff=tariff,
        prompt=min(size.likely if counted is None else counted, spec.context),
        bound=min(_bound(size, counted), spec.context),
        longest=request.max_tokens,
        usual=min(ASSUMED_ANSWER if usual is None else usual, request.max_tokens),
        usual_is_known=usual is not None,
        caches="caching" in spec.capabilities,
        least_cached=spec.min_cache_tokens or LEAST_CACHED,
        searches=size.searches,
    )


def past_calls(call_ids: Iterable[UUID]) -> dict[UUID, PastCall]:
    """Those of these calls that have lines; one query."""
    lines: dict[UUID, list[LedgerLine]] = {}
    for line in LedgerLine.objects.filter(call_id__in=list(call_ids)).order_by("attempt", "line"):
        lines.setdefault(line.call_id, []).append(line)
    return {call_id: _past_call(own) for call_id, own in lines.items()}


def same_account(user: UUID, team: UUID | None, past: PastCall, vendor_account: str) -> bool:
    """Whether the next call to that provider would begin with the account, or the key, of this one. One
    query. `vendor_account` is that of the past call, "" where unknown.
    """
    choices = credentials.for_call(user, team, past.model.partition("/")[0])
    if not choices:
        return False
    first = choices[0]
    if vendor_account and first.access.vendor_account:
        return vendor_account == first.access.vendor_account
    return (first.id, first.scope) == (past.credential, past.credential_scope)


def lost_cache_nano(tokens: int, before: Tariff, then: Tariff) -> int:
    """How much more so many tokens cost, in nano-dollars, that are sent anew at the price `then` instead of
    being read from the cache at the price `before`; below zero where it is less.
    """
    anew = cost_nano(Usage(cache_creation_input_tokens=tokens), then)
    return anew - cost_nano(Usage(cache_read_input_tokens=tokens), before)


def rates_of(spec: ModelSpec, at: datetime) -> Tariff | None:
    """The plain price of a model; None where it is not known."""
    return prices.override(spec.provider, spec.id, at) or prices.listed(spec, at) or prices.standin()


def _bound(size: Size, counted: int | None) -> int:
    return size.bound if counted is None else max(size.bound, counted)


def _past_call(lines: list[LedgerLine]) -> PastCall:
    last = [line for line in lines if line.attempt == lines[-1].attempt]
    first = next((line for line in last if line.source != Source.CORRECTED), last[0])

    def total(column: str) -> int:
        return sum(getattr(line, column) for line in last)

    kept = ONE_HOUR if total("cache_creation_1h") else FIVE_MINUTES
    return PastCall(
        model=f"{first.provider}/{first.model_asked}",
        prompt=total("prompt_tokens"),
        output=total("output_tokens"),
        cached=total("cache_read_input_tokens") + total("cache_creation_input_tokens"),
        cached_until=first.accounted_at + kept,
        searches=total("web_search_requests"),
        credential=first.credential,
        credential_scope=first.credential_scope,
    )
