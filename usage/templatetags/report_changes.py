"""What each group of a report has become."""

from __future__ import annotations

from typing import Any

from django import template

from ..report_changes import Change, Comparison

register = template.Library()


@register.simple_tag
def change_of(comparison: Comparison | None, key: tuple[Any, ...]) -> Change | None:
    """The change of one group's cost; None where groups are not compared."""
    return comparison.groups.get(key) if comparison else None
