"""What a person is told whose call does not fit into a budget: which, how full, whose, and until when."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.models import Team
from usage.budgets.words import NANO, PER, limit_words, places, unit, written
from usage.errors import CallRefused, OverBudget
from usage.models import NOBODY, Budget, BudgetPeriod


def refusal(budget_id: UUID, period_id: UUID, needed: int) -> CallRefused:
    """The refusal of a call that needs so much of this row, in the budget's measure."""
    row = BudgetPeriod.objects.select_related("budget").get(pk=period_id, budget=budget_id)
    budget = row.budget
    detail = OverBudget(
        budget=budget.pk,
        subject=row.subject,
        name=budget.name,
        inherited_from=whose(budget),
        measure=budget.measure,
        period=budget.period,
        limit=budget.limit,
        used=row.settled + row.held,
        needed=needed,
        resets_at=row.ends_at,
        cheaper_model=budget.cheaper_model if budget.mode == Budget.Mode.CHEAPER else "",
    )
    return CallRefused("over_budget", sentence(detail, budget.timezone), detail)


def sentence(full: OverBudget, timezone: str) -> str:
    """For the person whose call it was."""
    used = written(full.measure, full.used, places(full.measure, full.limit))
    limit = limit_words(full.measure, full.limit)
    return (
        f"The budget “{full.name}” has no room for this call: {used} of {limit} {PER[full.period]} are spent "
        f"or held, and the call may need {_needs(full)}. The limit applies to {full.inherited_from}. "
        f"{_resets(full, timezone)} Ask an admin for more."
    )


def whose(budget: Budget, *, person: str = "you") -> str:
    """Whom a limit applies to, and so where it comes from: "the organisation", "the team “Blue”"."""
    match budget.scope:
        case Budget.Scope.ORGANISATION:
            return "the organisation"
        case Budget.Scope.TEAM:
            return f"the team {_team(budget.scope_id)}"
        case Budget.Scope.MEMBER:
            return f"each member of the team {_team(budget.scope_id)}"
        case Budget.Scope.PERSON:
            return person
        case Budget.Scope.PROJECT:
            return "this project"
    return "this access token"


def _team(team_id: UUID | None) -> str:
    name = Team.objects.filter(pk=team_id or NOBODY).values_list("name", flat=True).first()
    return f"“{name}”" if name else "that was removed"


def _needs(full: OverBudget) -> str:
    if full.measure == Budget.Measure.REQUESTS:
        return "one more"
    return f"{written(full.measure, full.needed, 2 if full.needed >= NANO else 4)}{unit(full.measure)}"


def _resets(full: OverBudget, timezone: str) -> str:
    if full.resets_at is None:
        return "It is a total and does not reset."
    there = full.resets_at.astimezone(ZoneInfo(timezone))
    return f"It resets on {there.day} {there:%B %Y} at {there:%H:%M} ({timezone})."
