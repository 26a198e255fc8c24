"""What an invitation brings along: a budget of the person's own, made with the account."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from usage.models import Budget


def budget_grant(limit_nano: int) -> dict[str, Any]:
    """So much each month, in nano-dollars."""
    return {"budget": {"limit_nano": limit_nano}}


def redeem(person: User, grant: dict[str, Any]) -> None:
    """Makes the budget; runs in the transaction that makes the account. What it does not know it leaves."""
    limit = grant.get("budget", {}).get("limit_nano")
    if isinstance(limit, int) and limit >= 0:
        Budget.objects.create(
            name=f"{person.display}, each month"[:80],
            scope=Budget.Scope.PERSON,
            scope_id=person.pk,
            measure=Budget.Measure.MONEY,
            period=Budget.Period.MONTH,
            timezone=person.timezone,
            limit=limit,
        )
