"""What the navigation of Manage says of budgets."""

from __future__ import annotations

from django import template

from ..budget_actions import waiting_count

register = template.Library()


@register.simple_tag
def waiting_requests() -> int:
    """How many requests for more wait. One query, for the navigation alone."""
    return waiting_count()
