"""Budgets made by hand, and the law that their counters keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from usage.budgets import periods as budget_periods
from usage.models import NOBODY, Budget, BudgetPeriod

DOLLAR = 1_000_000_000  # nano-dollars


def budget(**fields: Any) -> Budget:
    """One of the whole organisation: $100 a month, strict, refusing."""
    values: dict[str, Any] = {"name": "Everything", "scope": "organisation", "limit": 100 * DOLLAR}
    return Budget.objects.create(**values | fields)


def row(of: Budget, subject: UUID = NOBODY) -> BudgetPeriod:
    """The newest row of a budget."""
    return BudgetPeriod.objects.filter(budget=of, subject=subject).latest("begins_at")


def counters(of: Budget, subject: UUID = NOBODY) -> tuple[int, int]:
    """Settled and held."""
    found = row(of, subject)
    return found.settled, found.held


def counters_are_true() -> None:
    """Every counter is what a query over the ledger and the holds says."""
    for period in BudgetPeriod.objects.select_related("budget"):
        span = budget_periods.Window(period.begins_at, period.ends_at)
        assert period.settled == budget_periods.spent(period.budget, period.subject, span), period
        assert period.held == budget_periods.held(period.pk), period
        assert period.held >= 0
        assert period.settled >= 0


def span(of: Budget, moment: datetime) -> tuple[str, str | None]:
    """The borders of a period as text, UTC."""
    begins_at, ends_at = budget_periods.window(of, moment)
    return f"{begins_at:%Y-%m-%d %H:%M}", f"{ends_at:%Y-%m-%d %H:%M}" if ends_at else None
