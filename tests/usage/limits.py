"""Budgets for the tests of their pages: made, filled, and read as a person reads them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from accounts import actions as accounts_actions
from accounts.models import Membership, Team, User
from usage.budgets import actions as budget_actions
from usage.models import Budget, BudgetPeriod

from .managing import PASSWORD

LIST = "/manage/budgets/"
NEW = "/manage/budgets/new/"
REQUESTS = "/manage/budgets/requests/"
ASK = "/usage/more/"
DOLLAR = 1_000_000_000


@pytest.fixture
def support(owner: User, member: User) -> Team:
    """A team with Mo in it."""
    team = Team.objects.create(name="Support")
    Membership.objects.create(team=team, user=member)
    return team


@pytest.fixture
def stranger(owner: User) -> User:
    """Has an account, and is in no team."""
    return accounts_actions.create_user(email="sam@example.org", password=PASSWORD, display_name="Sam")


def values(**more: Any) -> dict[str, Any]:
    return {
        "scope": "organisation",
        "measure": "money",
        "period": "month",
        "timezone": "Europe/Lisbon",
        "limit": "400",
        "mode": "block",
        "admission": "strict",
        **more,
    }


def budget(owner: User, **more: Any) -> Budget:
    return budget_actions.make(
        **{
            "by": owner.pk,
            "name": "Everyone",
            "scope": "organisation",
            "scope_id": None,
            "measure": "money",
            "period": "month",
            "timezone_name": "UTC",
            "limit": 20 * DOLLAR,
            "mode": "block",
            **more,
        }
    )


def used(of: Budget, settled: int, held: int = 0, subject: UUID | None = None) -> None:
    """Fills the counter of the present period."""
    rows = BudgetPeriod.objects.filter(budget=of)
    if subject is not None:
        rows = rows.filter(subject=subject)
    assert rows.update(settled=settled, held=held) == 1


def words(markup: str) -> str:
    """What a person reads of it."""
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())
