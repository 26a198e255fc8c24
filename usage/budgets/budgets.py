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

from usage import rows
from usage.budgets import periods
from usage.budgets.periods import Payee, window
from usage.budgets.refusals import refusal
from usage.budgets.states import BudgetState, every_state, requests_open, states
from usage.caller import Caller
from usage.models import NOBODY, Budget, BudgetPeriod, Hold, LedgerLine

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call needs of one budget; uncapped: the limit may be passed."""

    found: _Matching
    amount: int
    capped: bool


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
    asked = []
    for found in _matching(caller, moment):
        amount = needed(found.measure, found.admission)
        if amount:  # a free model is what is left when the money is spent
            capped = found.mode != Budget.Mode.WARN and found.budget not in past
            asked.append(_Asked(found, amount, capped))
    taken = _take(asked)
    lines: list[Line] = []
    full: list[_Asked] = []
    for one in sorted(asked, key=lambda one: one.found.period):
        used = taken.get(one.found.period)
        if used is None:
            full.append(one)
        else:
            over = {"over": True} if used > one.found.limit else {}
            lines.append({"period": str(one.found.period), "amount": one.amount, **over})
    if full:
        give_back(lines)
        # One that has an answer to being full comes first: the others are asked again with that answer.
        first = min(full, key=lambda one: one.found.mode != Budget.Mode.CHEAPER)
        raise refusal(first.found.budget, first.found.period, first.amount)
    return lines


def give_back(lines: Iterable[Line]) -> None:
    """Undoes `admit`, for a hold that is not written after all."""
    _move({UUID(line["period"]): (0, -line["amount"]) for line in lines})


Counted = Sequence[tuple[UUID, str]]
"""The periods that a call counts in, each with its budget's measure."""


def settle(closed: Sequence[Hold], written: Sequence[tuple[Sequence[LedgerLine], Counted]]) -> None:
    """Gives back what the closed holds had taken, and counts the written lines of each call.

    To be called after `periods.share_ledger` and the lines, once in a transaction.
    """
    moves: dict[UUID, tuple[int, int]] = {}

    def move(period: UUID, *, settled: int = 0, held: int = 0) -> None:
        before = moves.get(period, (0, 0))
        moves[period] = (before[0] + settled, before[1] + held)

    for hold in closed:
        for taken in hold.budget_lines:
            move(UUID(taken["period"]), held=-taken["amount"])
    for lines, counted in written:
        for period, measure in counted:
            move(period, settled=sum(periods.amount_of(line, measure) for line in lines))
    _move(moves)


def counting(hold: Hold) -> rows.Statement:
    """Finds the periods that this call counts in (`periods.counted`)."""
    payee = Payee(user=hold.user, team=hold.team, project=hold.project, token=hold.token)
    return periods.counting(payee, hold.opened_at)


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


def _take(asked: Sequence[_Asked]) -> dict[UUID, int]:
    """What is settled and held of each row that took its amount: within its limit, or uncapped. One
    statement.
    """
    if not asked:
        return {}
    changes = [
        (rows.prepared(BudgetPeriod, "id", one.found.period), one.amount, one.found.limit, one.capped)
        for one in asked
    ]
    with connection.cursor() as cursor:
        cursor.execute(_taking(len(changes)), [value for change in changes for value in change])
        return {periods.as_uuid(period): settled + held for period, settled, held in cursor.fetchall()}


def _move(moves: dict[UUID, tuple[int, int]]) -> None:
    changes = [
        (rows.prepared(BudgetPeriod, "id", period), settled, held)
        for period, (settled, held) in moves.items()
        if settled or held
    ]
    if changes:
        rows.run(_moving(len(changes)), *(value for change in changes for value in change))


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
def _taking(count: int) -> str:
    """Its values, for each row: the id, what it is to take, its limit, and whether that caps it."""
    return (
        f"{_changing(('amount', 'most', 'capped'), count, 'held = p.held + w.amount')} "
        "AND (NOT w.capped OR p.settled + p.held + w.amount <= w.most) RETURNING id, settled, held"
    )


@cache
def _moving(count: int) -> str:
    """Its values, for each row: the id, what is added to what is settled, and to what is held."""
    return _changing(("spent", "taken"), count, "settled = p.settled + w.spent, held = p.held + w.taken")


def _changing(names: Sequence[str], count: int, change: str) -> str:
    """Changes all rows that `w` names, locked in the order of their ids: a row is joined with its lock, and
    the locks are taken in that order. SQLite has one writer and no locks of rows.
    """
    table = rows.quoted(BudgetPeriod._meta.db_table)
    columns = ", ".join(f"%s AS {name}" for name in ("period", *names))
    wanted = " UNION ALL ".join([f"SELECT {columns}"] * count)
    if connection.vendor != "postgresql":
        return f"UPDATE {table} AS p SET {change} FROM ({wanted}) AS w WHERE p.id = w.period"  # noqa: S608
    return (
        f"WITH w AS ({wanted}), locked AS (SELECT b.id AS period FROM {table} b JOIN w ON w.period = b.id "  # noqa: S608
        f"ORDER BY b.id FOR UPDATE OF b) UPDATE {table} AS p SET {change} FROM w, locked "
        "WHERE locked.period = p.id AND w.period = p.id"
    )
