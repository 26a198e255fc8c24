"""What was paid for and hardly used: answers stopped late or cut at their limit, and failed attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from usage import rows
from usage.models import Hold, Outcome
from usage.recommendations.findings import Charged, Group, tiers_of
from usage.recommendations.sql import LEDGER, Plan, Span, Sql, select

LATE = 1_000  # tokens
HOLDS = rows.quoted(Hold._meta.db_table)


def with_corrections(column: str) -> str:
    """A column's sum over all lines of the attempt that a first line begins."""
    return (
        f"(SELECT SUM(o.{column}) FROM {LEDGER} o "  # noqa: S608 - our own table
        "WHERE o.call_id = l.call_id AND o.attempt = l.attempt)"
    )


@dataclass(frozen=True, slots=True)
class Written:
    """Answers of which what was written after `free` tokens may have been for nothing, at the output price.

    `only` (SQL) says which; `output` how many tokens they have.
    """

    slug: str
    only: tuple[str, ...]
    output: str
    free: int
    join: str = ""
    amounts: tuple[str, ...] = ("late",)

    def plan(self, refs: Sequence[str], at: datetime) -> Plan:
        return Plan(tiers=tiers_of(refs))

    def found(self, plan: Plan, span: Span) -> Sql:
        return select(
            plan,
            span,
            {"late": f"{self.output} - {self.free}"},
            *self.only,
            f"{self.output} > {self.free}",
            join=self.join,
        )

    def worth(self, group: Group, plan: Plan, charged: Charged) -> int | None:
        rates = charged.rates(group)
        return charged.nano(group, group.amounts["late"] * rates.output) if rates is not None else None


class Failed:
    """Attempts that ended with an error or broke off, and were charged for what came before."""

    slug = "failed"
    amounts = ("cost",)

    def plan(self, refs: Sequence[str], at: datetime) -> Plan:
        return Plan()

    def found(self, plan: Plan, span: Span) -> Sql:
        cost = with_corrections("cost_nano")
        return select(plan, span, {"cost": cost}, _ended(Outcome.FAILED, Outcome.INTERRUPTED), f"{cost} > 0")

    def worth(self, group: Group, plan: Plan, charged: Charged) -> int | None:
        return group.amounts["cost"]


def _ended(*outcomes: Outcome) -> str:
    """The second condition lets the index of unfinished lines be used."""
    names = ", ".join(f"'{outcome}'" for outcome in outcomes)
    return f"l.outcome IN ({names}) AND NOT (l.outcome = '{Outcome.COMPLETED}')"


STOPPED = Written("stopped", (_ended(Outcome.STOPPED),), with_corrections("output_tokens"), LATE)
CUT = Written(
    "cut",
    (
        f"l.outcome = '{Outcome.COMPLETED}' AND l.purpose NOT IN ('title', 'benchmark')",
        "l.output_tokens >= h.max_tokens",
    ),
    "l.output_tokens",
    0,
    join=f"JOIN {HOLDS} h ON h.call_id = l.call_id",
)
FAILED = Failed()
