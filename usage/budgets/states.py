"""How full budgets are now, for pages, the chat's meter and commands. Nothing here is locked or written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import Membership, Team, User
from usage.budgets.periods import Window, all_spent, window
from usage.clock import database_now
from usage.models import NOBODY, Budget, BudgetPeriod, LimitRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """One row of a budget in its present period. `settled`, `held` and `limit` are in the budget's measure.

    `subject` is the person of a `member` budget, else NOBODY. `resets_at` is None for a total.
    """

    budget: Budget
    subject: UUID
    settled: int
    held: int
    begins_at: datetime
    resets_at: datetime | None

    @property
    def limit(self) -> int:
        return self.budget.limit

    @property
    def left(self) -> int:
        """In the budget's measure; never below zero."""
        return max(0, self.limit - self.settled - self.held)

    @property
    def share(self) -> float:
        """How much of the limit is settled or held: 1.0 is all of it, and it may be more."""
        return (self.settled + self.held) / self.limit if self.limit else 1.0


def states(user: User, team: Team | None = None) -> list[BudgetState]:
    """What limits this person's own calls, the fullest first: of the organisation, the person and the team
    that pays, or of all their teams.
    """
    teams = (
        [team.pk]
        if team is not None
        else list(Membership.objects.filter(user=user).values_list("team", flat=True))
    )
    mine = Budget.objects.filter(
        Q(scope=Budget.Scope.ORGANISATION)
        | Q(scope=Budget.Scope.PERSON, scope_id=user.pk)
        | Q(scope__in=(Budget.Scope.TEAM, Budget.Scope.MEMBER), scope_id__in=teams),
        enabled=True,
    )
    return _states((budget, user.pk if budget.scope == Budget.Scope.MEMBER else NOBODY) for budget in mine)


def every_state() -> list[BudgetState]:
    """That of every budget, switched off or not, the fullest first; a `member` budget has one for each person
    who called in its present period.
    """
    now, wanted = database_now(), []
    for budget in Budget.objects.all():
        if budget.scope != Budget.Scope.MEMBER:
            wanted.append((budget, NOBODY))
            continue
        rows = budget.periods.filter(begins_at__lte=now).exclude(ends_at__lte=now)
        wanted += [(budget, subject) for subject in rows.values_list("subject", flat=True)]
    return _states(wanted)


def requests_open() -> QuerySet[LimitRequest]:
    """Who waits for more, the oldest first."""
    return (
        LimitRequest.objects.filter(state=LimitRequest.State.OPEN)
        .select_related("budget")
        .order_by("created_at", "id")
    )


def _states(wanted: Iterable[tuple[Budget, UUID]]) -> list[BudgetState]:
    now, pairs = database_now(), list(wanted)
    budgets = [budget.pk for budget, _ in pairs]
    rows = {
        (row.budget_id, row.subject): row
        for row in BudgetPeriod.objects.filter(budget__in=budgets, begins_at__lte=now).exclude(
            ends_at__lte=now
        )
    }
    spans = {budget.pk: window(budget, now) for budget, _ in pairs}
    # Without a row nobody has called since the period began, or since the budget was made.
    without = [
        (budget, subject, spans[budget.pk]) for budget, subject in pairs if (budget.pk, subject) not in rows
    ]
    spent = {
        (budget.pk, subject): amount
        for (budget, subject, _), amount in zip(without, all_spent(without), strict=True)
    }
    found = [
        _state(budget, subject, rows.get((budget.pk, subject)), spans[budget.pk], spent)
        for budget, subject in pairs
    ]
    return sorted(found, key=lambda state: (-state.share, state.budget.name))


def _state(
    budget: Budget,
    subject: UUID,
    row: BudgetPeriod | None,
    span: Window,
    spent: Mapping[tuple[UUID, UUID], int],
) -> BudgetState:
    return BudgetState(
        budget=budget,
        subject=subject,
        settled=row.settled if row is not None else spent[budget.pk, subject],
        held=row.held if row is not None else 0,
        begins_at=span.begins_at,
        resets_at=span.ends_at,
    )
