"""What a cheaper model of the same provider could have answered: short answers, and titles.

The ledger says how large a call was and that it needed neither thinking nor the vendor's tools; it does not
say what was asked. So the cheaper model must be able to do all that the dear one can (NEEDED), and whether
its answers would have been as good stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from providers.catalogue import Capability, ModelSpec
from providers.types import Usage
from usage.catalogue import known_models, overrides
from usage.models import Outcome, Source
from usage.prices.prices import price_of
from usage.prices.pricing import Tariff, cost_nano
from usage.recommendations.findings import Charged, Group, plain
from usage.recommendations.sql import LEDGER, PROMPT, Plan, Span, Sql, bound_of_model, of_models, select

SHORT = 200  # tokens of an answer
# What a request may hold or ask for, and the ledger does not tell. The vendor's own tools it does tell.
NEEDED: frozenset[Capability] = frozenset(
    {"tools", "vision", "pdf", "citations", "structured_output", "stop_sequences", "caching"}
)
TOKENS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_5m",
    "cache_creation_1h",
    "output_tokens",
)
# Steps of a run with tools are several calls; then none of them is an answer of its own.
ALONE = (
    f"(l.run IS NULL OR NOT EXISTS (SELECT 1 FROM {LEDGER} o "  # noqa: S608 - our own table
    "WHERE o.run = l.run AND o.call_id <> l.call_id))"
)
PLAIN = "l.thinking_tokens = 0 AND l.web_search_requests = 0 AND l.web_fetch_requests = 0"


@dataclass(frozen=True, slots=True)
class Cheaper:
    """The calls of one purpose that fulfil `only` (SQL), and what the cheaper model must do as the dear one
    does.
    """

    slug: str
    purpose: str
    only: tuple[str, ...]
    needed: frozenset[Capability]
    amounts: tuple[str, ...] = ("cost_nano", *TOKENS)

    def plan(self, refs: Sequence[str], at: datetime) -> Plan:
        """`instead`: the cheaper model. `tokens`: the largest prompt that it takes at its plain price."""
        instead: dict[str, str] = {}
        tokens: dict[str, int] = {}
        for ref in refs:
            spec = overrides.spec(ref)
            found = cheaper(spec, at, self.needed) if spec is not None and spec.ref == ref else None
            if found is not None:
                other, tariff = found
                instead[ref] = other.ref
                sizes = (other.max_input or other.context - SHORT, tariff.long_context_above)
                tokens[ref] = min(size for size in sizes if size is not None)
        return Plan(tokens=tokens, instead=instead)

    def found(self, plan: Plan, span: Span) -> Sql:
        bound = bound_of_model(plan)
        return select(
            plan,
            span,
            {name: f"l.{name}" for name in self.amounts},
            f"l.purpose = '{self.purpose}'",
            f"l.outcome = '{Outcome.COMPLETED}' AND l.source = '{Source.REPORTED}'",
            of_models(plan),
            *self.only,
            Sql(f"{PROMPT} <= {bound.text}", bound.values),
        )

    def worth(self, group: Group, plan: Plan, charged: Charged) -> int | None:
        """What the calls cost, less what the same tokens cost today with the cheaper model."""
        spec = overrides.spec(plan.instead.get(group.ref, ""))
        tariff = price_of(spec, charged.at) if spec is not None else None
        if tariff is None:
            return None
        counts: dict[str, Any] = {name: group.amounts[name] for name in TOKENS}
        usage = Usage(**counts, inference_geo=group.geo or None)
        return group.amounts["cost_nano"] - cost_nano(usage, plain(tariff))


SHORT_ANSWERS = Cheaper(
    "short-answers", "chat", (f"l.output_tokens BETWEEN 1 AND {SHORT}", PLAIN, ALONE), NEEDED
)
TITLES = Cheaper("titles", "title", (PLAIN,), frozenset())


def cheaper(spec: ModelSpec, at: datetime, needed: frozenset[Capability]) -> tuple[ModelSpec, Tariff] | None:
    """The cheapest model of the same provider that is on offer to everybody, costs less and can do what is
    needed where this one can; with its price.
    """
    own = price_of(spec, at)
    if own is None:
        return None
    best, least = None, own.rates.input + own.rates.output
    for other in overrides.specs(spec.provider):
        tariff = price_of(other, at)
        if tariff is None or not _is_offered(other) or not other.capabilities >= spec.capabilities & needed:
            continue
        if (both := tariff.rates.input + tariff.rates.output) < least:
            best, least = (other, tariff), both
    return best


def _is_offered(spec: ModelSpec) -> bool:
    enabled = overrides.known().override(spec.ref).enabled
    return (
        spec.status in ("active", "legacy")
        and not spec.demo
        and not spec.is_retired(known_models.today())
        and (enabled is True or (enabled is None and not spec.restricted))
    )
