"""The place of budgets in the flow of a call: asked in the hold's transaction, before the hold is written."""

from __future__ import annotations

from typing import Any

from .caller import Caller


def admit(caller: Caller, amount_nano: int) -> list[dict[str, Any]]:
    """Takes the amount out of every budget that pays for this caller, and returns a line for each one taken.

    The lines are stored with the hold, so that settling gives back to the same periods. There are no budgets
    in this version: nothing limits, and there are no lines. Raises CallRefused ("over_budget") where one
    is full.
    """
    return []
