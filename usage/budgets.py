"""Budgets in the flow of a call: asked in the hold's transaction, moved by its settlement.

    admit    held += amount     if settled + held + amount <= limit, else refused (or marked, see Budget.mode)
    settle   held -= amount, settled += what the ledger's lines say, in the transaction that writes them

Rows of several budgets are always locked in the order of their ids, so that two calls cannot wait for each
other. Limits are read by every admission and remembered by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection

from . import budget_periods as periods
from . import rows
from .budget_periods import Payee, window
from .budget_refusals import refusal
from .budget_states import BudgetState, every_state, requests_open, states
from .caller import Caller
from .models import NOBODY, Budget, BudgetPeriod, Hold, LedgerLine

__all__ = [
    "BudgetState",
    "Line",
    "admit",
    "every_state",
    "give_back",
    "requests_open",
    "settle",
    "states",
    "window",
]

Line = dict[str, Any]
"""What a hold stores of one budget: {"period": id, "amount": n}, and {"over": true} where it is past the
limit and was let through."""


@dataclass(frozen=True, slots=True)
class _Matching:
    """A budget that pays for a call, as it is in the database now, and the row of its period."""

    budget: UUID
    measure: str
    limit: int
    mode: str
    admission: str
    subject: UUID
    period: UUID


def admit(
    caller: Caller,
    needed: Callable[[str, str], int],
    moment: datetime,
    *,
    past: Collection[UUID] = (),
) -> list[Line]:
    """Takes what the call needs out of every budget that pays for this caller; returns a line for each.

    `needed` says how much, by measure and admission (demands.Demand.amount). The lines are stored with the
    hold, so that settling gives back to the same rows. Budgets in `past` may be overrun. Raises CallRefused
    ("over_budget", with its detail) where one is full; nothing is then taken, and the transaction may be
    committed, which keeps the rows that it opened.
    """
    lines: list[Line] = []
    full: list[tuple[_Matching, int]] = []
    for found in sorted(_matching(caller, moment), key=lambda found: found.period):
        amount = needed(found.measure, found.admission)
        if amount == 0:  # a free model is what is left when the money is spent
            continue
        if _take(found, amount, within=True):
            lines.append({"period": str(found.period), "amount": amount})
        elif found.mode == Budget.Mode.WARN or found.budget in past:
            _take(found, amount, within=False)
            lines.append({"period": str(found.period), "amount": amount, "over": True})
        else:
            full.append((found, amount))
    if full:
        give_back(lines)
        # One that has an answer to being full comes first: the others are asked again with that answer.
        first, amount = min(full, key=lambda each: each[0].mode != Budget.Mode.CHEAPER)
        raise refusal(first.budget, first.period, amount)
    return lines


def give_back(lines: Iterable[Line]) -> None:
    """Undoes `admit`, for a hold that is not written after all."""
    _move({UUID(line["period"]): (0, -line["amount"]) for line in lines})


def settle(closed: Sequence[Hold], written: Sequence[tuple[Hold, Sequence[LedgerLine]]]) -> None:
    """Gives back what the closed holds had taken, and counts the written lines of each hold.

    To be called after `budget_periods.share_ledger` and the lines, once in a transaction.
    """
    moves: dict[UUID, tuple[int, int]] = {}

    def move(period: UUID, *, settled: int = 0, held: int = 0) -> None:
        before = moves.get(period, (0, 0))
        moves[period] = (before[0] + settled, before[1] + held)

    for hold in closed:
        for taken in hold.budget_lines:
            move(UUID(taken["period"]), held=-taken["amount"])
    for hold, lines in written:
        if not lines:
            continue
        payee = Payee(user=hold.user, team=hold.team, project=hold.project, token=hold.token)
        for period, measure in periods.counted_in(payee, hold.opened_at):
            move(period, settled=sum(periods.amount_of(line, measure) for line in lines))
    _move(moves)


def _matching(caller: Caller, moment: datetime) -> list[_Matching]:
    """The budgets in force for this caller. Opens the rows that are missing, before any row is locked."""
    payee = Payee(user=caller.user_id, team=caller.team_id, project=caller.project_id, token=caller.token_id)
    at = rows.prepared(BudgetPeriod, "begins_at", moment)
    nobody, user = (rows.prepared(BudgetPeriod, "subject", found) for found in (NOBODY, payee.user))
    with connection.cursor() as cursor:
        cursor.execute(_in_force(), (user, nobody, at, at, *payee.scope))
        found = cursor.fetchall()
    matching = []
    for budget, scope, measure, limit, mode, admission, period in found:
        budget_id = periods.as_uuid(budget)
        subject = payee.user if scope == Budget.Scope.MEMBER else NOBODY
        row = periods.as_uuid(period) if period else periods.opened(budget_id, subject, moment)
        matching.append(_Matching(budget_id, measure, limit, mode, admission, subject, row))
    return matching


def _take(found: _Matching, amount: int, *, within: bool) -> bool:
    """Whether the row took it: within the limit, or in any case."""
    key = rows.prepared(BudgetPeriod, "id", found.period)
    if not within:
        return rows.run(_taking(), amount, key) == 1
    return rows.run(f"{_taking()} AND settled + held + %s <= %s", amount, key, amount, found.limit) == 1


def _move(moves: dict[UUID, tuple[int, int]]) -> None:
    for period in sorted(moves):
        settled, held = moves[period]
        if settled or held:
            rows.run(_moving(), settled, held, rows.prepared(BudgetPeriod, "id", period))


@cache
def _in_force() -> str:
    budgets, of_periods = (rows.quoted(model._meta.db_table) for model in (Budget, BudgetPeriod))
    columns = ", ".join(
        f"b.{rows.quoted(name)}" for name in ("id", "scope", "measure", "limit", "mode", "admission")
    )
    return (
        f"SELECT {columns}, p.id FROM {budgets} b "  # noqa: S608 - names from the models
        f"LEFT JOIN {of_periods} p ON {periods.in_force()} WHERE b.enabled AND {periods.scopes()}"
    )


@cache
def _taking() -> str:
    return f"UPDATE {rows.quoted(BudgetPeriod._meta.db_table)} SET held = held + %s WHERE id = %s"  # noqa: S608


@cache
def _moving() -> str:
    table = rows.quoted(BudgetPeriod._meta.db_table)
    return f"UPDATE {table} SET settled = settled + %s, held = held + %s WHERE id = %s"  # noqa: S608
