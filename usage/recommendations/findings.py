"""How recommendations are measured: by the database, one day at a time, each line at its own price.

A kind of finding names lines of the ledger and what each adds to the amounts that it is about (`found`, a
SELECT). Lines that are alike in all that prices them are added up there and priced here, together; the same
SELECT lists them one by one, so that a sum and its rows cannot be of different lines. What a kind must know
of models is a plan, made once for all days and kept with the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any, Protocol, Self
from uuid import UUID

from django.db import connection

from providers.types import Usage
from usage.budgets.periods import as_uuid
from usage.catalogue import overrides
from usage.models import LedgerLine, Price
from usage.prices import prices
from usage.prices.pricing import PERCENT, PICO_PER_NANO, Rates, Tariff
from usage.recommendations.sql import KEYS, Plan, Span, Sql, day_span

PAGE = 50  # lines
LISTED = "catalogue "  # how the source of a price of the catalogue begins; its first day follows


@dataclass(frozen=True, slots=True)
class Group:
    """`count` lines that are alike in all that prices them, with the sums of the kind's amounts.

    `tier` says how many of the model's tiers their prompts are above.
    """

    provider: str
    model: str
    price_id: UUID | None
    price_source: str
    geo: str
    tier: int
    count: int
    amounts: Mapping[str, int]

    @property
    def ref(self) -> str:
        return f"{self.provider}/{self.model}"


class Kind(Protocol):
    """`amounts` are the columns of `found` beside `id` and KEYS. `worth` is what a group's amounts come to,
    in nano-dollars; None: its lines do not count.
    """

    @property
    def slug(self) -> str: ...
    @property
    def amounts(self) -> tuple[str, ...]: ...

    def plan(self, refs: Sequence[str], at: datetime) -> Plan: ...

    def found(self, plan: Plan, span: Span) -> Sql: ...

    def worth(self, group: Group, plan: Plan, charged: Charged) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A measuring's result by day and by model, as (which, count, nano-dollars), and the sums of its amounts.
    `whole_input` is all input of these days, in tokens.
    """

    plan: Plan = field(default_factory=Plan)
    by_day: Sequence[tuple[str, int, int]] = ()
    by_model: Sequence[tuple[str, int, int]] = ()
    sums: Mapping[str, int] = field(default_factory=dict)
    whole_input: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(**{**stored, "plan": Plan(**stored["plan"])})


class Charged:
    """The prices at which lines were charged, each looked up once. None: it is not known any more.

    `at` is the moment of the measuring: prices of today are those of then.
    """

    def __init__(self, plan: Plan, at: datetime) -> None:
        self.at = at
        self._tiers = plan.tiers
        self._known: dict[tuple[str, UUID | None, str], Tariff | None] = {}

    def tariff(self, group: Group) -> Tariff | None:
        key = (group.ref, group.price_id, group.price_source)
        if key not in self._known:
            self._known[key] = _tariff(*key)
        return self._known[key]

    def rates(self, group: Group) -> Rates | None:
        """Pico-dollars per token for prompts of this tier."""
        tariff = self.tariff(group)
        if tariff is None:
            return None
        above = self._tiers.get(group.ref, ())[: group.tier]
        return tariff.rates_for(prompt_tokens=above[-1] + 1 if above else 0, speed="")

    def nano(self, group: Group, pico: int) -> int:
        """So many pico-dollars as this group's place of computing prices them, rounded half up."""
        tariff = self.tariff(group)
        _, percent = tariff.percent(Usage(inference_geo=group.geo or None)) if tariff else (0, PERCENT)
        parts = PERCENT * PICO_PER_NANO
        return (2 * pico * percent + parts) // (2 * parts)


def measure(kind: Kind, plan: Plan, days: Iterable[date], at: datetime) -> tuple[int, int, Facts]:
    """How many lines there are, what they are worth in nano-dollars, and the rest. One query for each day."""
    charged = Charged(plan, at)
    by_day: dict[str, tuple[int, int]] = {}
    by_model: dict[str, tuple[int, int]] = {}
    sums = dict.fromkeys(kind.amounts, 0)
    for day in days:
        for group in _groups(kind, plan, day_span(day)):
            worth = kind.worth(group, plan, charged)
            if worth is None:
                continue
            for table, key in ((by_day, day.isoformat()), (by_model, group.ref)):
                count, nano = table.get(key, (0, 0))
                table[key] = (count + group.count, nano + worth)
            for name, amount in group.amounts.items():
                sums[name] += amount
    facts = Facts(
        plan=plan,
        by_day=[(key, *found) for key, found in by_day.items()],
        by_model=[
            (key, *found) for key, found in sorted(by_model.items(), key=lambda item: (-item[1][1], item[0]))
        ],
        sums=sums,
    )
    return sum(count for count, _ in by_day.values()), sum(nano for _, nano in by_day.values()), facts


@dataclass(frozen=True, slots=True)
class Found:
    """A line that a finding stands on; `worth_nano` None: it was counted with others and is worth nothing."""

    line: LedgerLine
    amounts: Mapping[str, int]
    worth_nano: int | None


def lines(
    kind: Kind, plan: Plan, day: date, at: datetime, below: int | None = None
) -> tuple[list[Found], int | None]:
    """Some lines of a day, those written last first, and the id below which the others are, None at the end.

    `below` is such an id, `at` the moment of the measuring. Two queries.
    """
    found = kind.found(plan, day_span(day))
    # Ids are disguised, lest SQLite walks the whole table by them.
    where, values = ("WHERE f.id + 0 < %s", (below,)) if below is not None else ("", ())
    statement = f"SELECT * FROM ({found.text}) f {where} ORDER BY f.id + 0 DESC LIMIT {PAGE + 1}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, (*found.values, *values))
        names = [column[0] for column in cursor.description]
        some = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    known = LedgerLine.objects.in_bulk([row["id"] for row in some[:PAGE]])
    charged, listed = Charged(plan, at), []
    for row in some[:PAGE]:
        group = _group(kind, row, count=1)
        listed.append(Found(known[row["id"]], group.amounts, kind.worth(group, plan, charged)))
    return listed, some[PAGE - 1]["id"] if len(some) > PAGE else None


def tiers_of(refs: Iterable[str]) -> dict[str, list[int]]:
    """The sizes of prompts above which any price of these models changes, those of admins too."""
    found: dict[str, set[int]] = {}
    for ref in refs:
        spec = overrides.spec(ref)
        for price in spec.prices if spec is not None else ():
            if price.long_context is not None:
                found.setdefault(ref, set()).add(price.long_context.threshold)
    for row in Price.objects.filter(long_context_above__isnull=False):
        if (ref := f"{row.provider}/{row.model}") in refs and row.long_context_above is not None:
            found.setdefault(ref, set()).add(row.long_context_above)
    return {ref: sorted(sizes) for ref, sizes in found.items()}


def plain(tariff: Tariff) -> Tariff:
    """The tariff without its second tier and modes: for sums of many prompts that are all below the tier."""
    return replace(tariff, long_context=None, long_context_above=None, fast=None)


def _groups(kind: Kind, plan: Plan, span: Span) -> list[Group]:
    found = kind.found(plan, span)
    sums = ", ".join(f"SUM(f.{name}) AS {name}" for name in kind.amounts)
    keys = ", ".join(f"f.{key}" for key in KEYS)
    statement = f"SELECT {keys}, COUNT(*) AS count, {sums} FROM ({found.text}) f GROUP BY {keys}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, found.values)
        names = [column[0] for column in cursor.description]
        return [_group(kind, dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _group(kind: Kind, row: Mapping[str, Any], count: int | None = None) -> Group:
    price_id = row["price_id"]
    return Group(
        row["provider"],
        row["model_asked"],
        as_uuid(price_id) if price_id else None,
        row["price_source"],
        row["inference_geo"],
        row["tier"],
        row["count"] if count is None else count,
        {name: int(row[name]) for name in kind.amounts},
    )


def _tariff(ref: str, price_id: UUID | None, source: str) -> Tariff | None:
    if price_id is not None:
        row = Price.objects.filter(pk=price_id).first()
        return prices.of_row(row) if row is not None else None
    spec = overrides.spec(ref)
    first = source.removeprefix(LISTED)
    if spec is None or first == source:
        return None
    listed = next((price for price in spec.prices if price.valid_from.isoformat() == first), None)
    return prices.of_catalogue(listed, source=source) if listed is not None else None
