"""The fullest limit of a person's calls in one look: what the chat's meter says."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from usage.budgets.meter import Meter
from usage.models import NOBODY, Budget, BudgetPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One budget. `until` is when it begins anew, in words that follow an amount; "" where it never does."""

    name: str
    meter: Meter
    until: str

    @property
    def is_near(self) -> bool:
        """Whether it is worth a line where one writes."""
        return self.meter.state != "ok"

    @property
    def left(self) -> str:
        """What is left, in words: "$1.20 left of $20.00 until Monday"."""
        return f"{self.meter.left} left of {self.meter.limit_words}{' ' if self.until else ''}{self.until}"

    @property
    def used(self) -> str:
        """ "$18.80 of $20.00"."""
        return f"{self.meter.used} of {self.meter.limit_words}"


def fullest(user: UUID, team: UUID | None) -> Glance | None:
    """Of the budgets that limit calls of this person for which this team pays, the fullest; None without one
    that somebody called in. One query, and nothing of the ledger is read.

    What is shown is not what is enforced: this machine's clock will do.
    """
    now = timezone.now()
    of_team = Q(budget__scope__in=(Budget.Scope.TEAM, Budget.Scope.MEMBER), budget__scope_id=team)
    rows = BudgetPeriod.objects.filter(
        Q(budget__scope=Budget.Scope.ORGANISATION)
        | Q(budget__scope=Budget.Scope.PERSON, budget__scope_id=user)
        | (of_team if team is not None else Q(pk__in=())),
        Q(ends_at__isnull=True) | Q(ends_at__gt=now),
        budget__enabled=True,
        begins_at__lte=now,
        subject__in=(NOBODY, user),
    ).select_related("budget")
    row = max(rows, key=lambda row: (row.settled + row.held) / max(1, row.budget.limit), default=None)
    if row is None:
        return None
    budget = row.budget
    return Glance(
        name=budget.name,
        meter=Meter(measure=budget.measure, limit=budget.limit, settled=row.settled, held=row.held),
        until=_until(row),
    )


def _until(row: BudgetPeriod) -> str:
    if row.ends_at is None:
        return ""
    if row.budget.period == Budget.Period.DAY:
        return "today"
    ends = row.ends_at.astimezone(ZoneInfo(row.budget.timezone))
    return f"until {ends:%A}" if row.budget.period == Budget.Period.WEEK else f"until {ends.day} {ends:%B}"
