"""How a kind of finding names lines of the ledger: SELECTs over one day, the same on both databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from usage import rows
from usage.models import LedgerLine

ONE_DAY = timedelta(days=1)
LEDGER = rows.quoted(LedgerLine._meta.db_table)
REF = "l.provider || '/' || l.model_asked"
PROMPT = "(l.input_tokens + l.cache_read_input_tokens + l.cache_creation_input_tokens)"
KEYS = ("provider", "model_asked", "price_id", "price_source", "inference_geo", "tier")
# Left out everywhere: batches and the fast mode, whose prices are others; the demo, which is free; and what a
# stand-in priced, for that price is not kept.
COMPARABLE = (
    "l.line = 0 AND l.service_tier <> 'batch' AND l.speed IN ('', 'standard') "
    "AND l.price_source NOT IN ('demo', 'stand-in')"
)


@dataclass(frozen=True, slots=True)
class Sql:
    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Moments from `begin` to before `end`."""

    begin: datetime
    end: datetime

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(rows.prepared(LedgerLine, "accounted_at", moment) for moment in (self.begin, self.end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a kind knows of the models that it looks at, by their refs.

    `tokens` holds a bound for the size of prompts, `instead` the model to compare with, `tiers` the sizes of
    prompts above which another price holds, ascending.
    """

    tokens: Mapping[str, int] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, Sequence[int]] = field(default_factory=dict)


def day_span(day: date) -> Span:
    """The day of the organisation."""
    zone = timezone.get_default_timezone()
    return Span(*(datetime.combine(one, time(), zone) for one in (day, day + ONE_DAY)))


def select(
    plan: Plan, span: Span, columns: Mapping[str, Sql | str], *where: Sql | str, join: str = ""
) -> Sql:
    """The comparable lines `l` of a span that fulfil `where`, with KEYS and these columns."""
    named: dict[str, Sql | str] = {name: f"l.{name}" for name in ("id", *KEYS[:-1])}
    named |= {"tier": _tier(plan.tiers), **columns}
    columns_sql, conditions = [_sql(one) for one in named.values()], [_sql(one) for one in where]
    texts = ", ".join(f"{one.text} AS {name}" for name, one in zip(named, columns_sql, strict=True))
    return Sql(
        f"SELECT {texts} FROM {LEDGER} l {join} "  # noqa: S608 - names and numbers of ours
        "WHERE l.accounted_at >= %s AND l.accounted_at < %s "
        f"AND {' AND '.join([COMPARABLE, *(one.text for one in conditions)])}",
        (*_values(columns_sql), *span.values, *_values(conditions)),
    )


def of_models(plan: Plan) -> Sql:
    """Whether a line is of one of the plan's models."""
    refs = tuple(plan.tokens)
    return Sql(f"{REF} IN ({', '.join(['%s'] * len(refs))})" if refs else "1 = 0", refs)


def bound_of_model(plan: Plan) -> Sql:
    """The plan's bound for the line's model, in tokens."""
    cases = " ".join(f"WHEN %s THEN {tokens:d}" for tokens in plan.tokens.values())
    return Sql(f"CASE {REF} {cases} END", tuple(plan.tokens)) if cases else Sql("0")


def _sql(one: Sql | str) -> Sql:
    return Sql(one) if isinstance(one, str) else one


def _values(parts: Iterable[Sql]) -> tuple[Any, ...]:
    return tuple(value for part in parts for value in part.values)


def _tier(tiers: Mapping[str, Sequence[int]]) -> Sql:
    """How many of its model's tiers a line's prompt is above."""
    if not tiers:
        return Sql("0")
    cases = [
        f"WHEN %s THEN {' + '.join(f'CASE WHEN {PROMPT} > {size:d} THEN 1 ELSE 0 END' for size in sizes)}"
        for sizes in tiers.values()
    ]
    return Sql(f"CASE {REF} {' '.join(cases)} ELSE 0 END", tuple(tiers))
