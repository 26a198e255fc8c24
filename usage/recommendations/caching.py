"""Input that was sent again at the full price although a cache could have held it.

A call counts where the call before it in the same conversation (or run), to the same model and with the same
credential, was made within the life of a cache: of its uncached input at most as much as that call had sent
beyond what was read from the cache or written to it now. The ledger knows sizes, not texts, so that this is
an upper bound. What is newly sent again must have been written once before, at its premium; what was sent
again last time already is only read once more. Pieces shorter than what the model caches are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from providers.caching import LEAST_TOKENS
from providers.catalogue import ModelSpec
from usage.catalogue import overrides
from usage.models import Source
from usage.prices.prices import price_of
from usage.recommendations.findings import Charged, Group, tiers_of
from usage.recommendations.sql import PROMPT, Plan, Span, Sql, bound_of_model, of_models, select

LIFE = timedelta(minutes=5)  # of what was written to the cache, from its last use on
# A cache holds the beginning of a prompt: what is neither read nor written comes after both.
CACHED = "(l.cache_read_input_tokens + l.cache_creation_input_tokens)"
# Each call looks back one call, and that one looks back once more.
MARGIN = 2 * LIFE


class Caching:
    slug = "caching"
    amounts = ("resent", "written")

    def plan(self, refs: Sequence[str], at: datetime) -> Plan:
        """`tokens`: the shortest piece that the model caches."""
        specs = {ref: spec for ref in refs if (spec := overrides.spec(ref)) is not None}
        tokens = {
            ref: max(spec.min_cache_tokens or 0, LEAST_TOKENS)
            for ref, spec in specs.items()
            if "caching" in spec.capabilities and _reads_for_less(spec, at)
        }
        return Plan(tokens=tokens, tiers=tiers_of(tokens))

    def found(self, plan: Plan, span: Span) -> Sql:
        return _statement(plan, span)

    def worth(self, group: Group, plan: Plan, charged: Charged) -> int | None:
        """What reading instead of sending would have saved, less the premium of writing."""
        rates = charged.rates(group)
        if rates is None or rates.cache_read >= rates.input:
            return None
        saved = group.amounts["resent"] * (rates.input - rates.cache_read)
        premium = group.amounts["written"] * max(0, rates.cache_write_5m - rates.input)
        return charged.nano(group, saved - premium)


def _reads_for_less(spec: ModelSpec, at: datetime) -> bool:
    """Whether the cache is cheaper than sending again; where no price is known, each line says."""
    tariff = price_of(spec, at)
    return tariff is None or tariff.rates.cache_read < tariff.rates.input


def _statement(plan: Plan, span: Span) -> Sql:
    """Two layers: each call beside the two before it, then what it sent again and what the one before did."""
    chain = "COALESCE(l.conversation, l.run), l.provider, l.model_asked, l.purpose, l.credential"
    before = f"OVER (PARTITION BY {chain} ORDER BY l.accounted_at, l.id)"
    calls = select(
        plan,
        Span(span.begin - MARGIN, span.end),
        {
            "accounted_at": "l.accounted_at",
            "source": "l.source",
            "least": bound_of_model(plan),
            "uncached": "l.input_tokens",
            "cached": CACHED,
            "uncached_1": f"LAG(l.input_tokens) {before}",
            "cached_1": f"LAG({CACHED}) {before}",
            "sent_1": f"LAG({PROMPT}) {before}",
            "sent_2": f"LAG({PROMPT}, 2) {before}",
            "at_1": f"LAG(l.accounted_at) {before}",
            "at_2": f"LAG(l.accounted_at, 2) {before}",
        },
        "l.outcome <> 'failed'",
        "COALESCE(l.conversation, l.run) IS NOT NULL",
        of_models(plan),
    )
    again = _sent_again("uncached", "cached", "sent_1", "accounted_at", "at_1")
    again_before = _sent_again("uncached_1", "cached_1", "sent_2", "at_1", "at_2")
    text = (
        f"SELECT s.*, {_most(0, 's.resent - s.resent_1')} AS written FROM ("  # noqa: S608
        f"SELECT c.*, {again} AS resent, {again_before} AS resent_1 FROM ({calls.text}) c "
        f"WHERE c.source = '{Source.REPORTED}' AND c.accounted_at >= %s) s WHERE s.resent > 0"
    )
    return Sql(text, (*calls.values, span.values[0]))


def _sent_again(uncached: str, cached: str, sent_before: str, at: str, at_before: str) -> str:
    """The tokens of a call that were sent at the full price and that the call before had sent as well."""
    likely = _least(f"c.{uncached}", f"c.{sent_before} - c.{cached}")
    young = _within_life(f"c.{at}", f"c.{at_before}")
    return f"CASE WHEN {likely} >= c.least AND {young} THEN {likely} ELSE 0 END"


def _within_life(at: str, before: str) -> str:
    """Whether the call before is young enough, in the words of the database."""
    seconds = int(LIFE.total_seconds())
    if connection.vendor == "postgresql":
        return f"{at} - {before} < INTERVAL '{seconds} seconds'"
    # To the millisecond: days as fractions are not exact.
    return f"ROUND((JULIANDAY({at}) - JULIANDAY({before})) * 86400, 3) < {seconds}"


def _least(*texts: object) -> str:
    return f"{'LEAST' if connection.vendor == 'postgresql' else 'MIN'}({', '.join(map(str, texts))})"


def _most(*texts: object) -> str:
    return f"{'GREATEST' if connection.vendor == 'postgresql' else 'MAX'}({', '.join(map(str, texts))})"
