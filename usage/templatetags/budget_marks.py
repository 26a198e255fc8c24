"""What the navigation of Manage says of budgets and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django import template

from .. import rows
from ..models import Alert, LimitRequest

register = template.Library()


@dataclass(frozen=True, slots=True)
class Marks:
    """How many requests for more wait, and how many alerts nobody has seen."""

    waiting: int
    unseen: int


@register.simple_tag
def manage_marks() -> Marks:
    """For the navigation alone. One query."""
    return Marks(*rows.first(_counts()) or (0, 0))


@cache
def _counts() -> str:
    requests, alerts = (rows.quoted(model._meta.db_table) for model in (LimitRequest, Alert))
    waiting = f"SELECT COUNT(*) FROM {requests} WHERE state = 'open'"  # noqa: S608 - names from the models
    unseen = f"SELECT COUNT(*) FROM {alerts} WHERE seen_at IS NULL"  # noqa: S608
    return f"SELECT ({waiting}), ({unseen})"
