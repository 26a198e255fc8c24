"""What was spent with each credential. The ledger belongs to a higher layer, which registers here how to ask
it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """This month's calls with one credential. `cost` is the sum as people read it, `exact` in full;
    `address` opens the rows behind it, "" where this person may not see them.
    """

    calls: int
    cost: str
    exact: str
    address: str


Figures = Callable[[User, Collection[UUID]], Mapping[UUID, KeyFigure]]
_figures: Figures | None = None


def register(figures: Figures) -> None:
    """From now on this function gives the figures; credentials without calls are left out."""
    global _figures
    _figures = figures


def this_month(person: User, credentials: Collection[UUID]) -> Mapping[UUID, KeyFigure]:
    """The figures of these credentials, as this person may see them."""
    if _figures is None or not credentials:
        return {}
    return _figures(person, credentials)
