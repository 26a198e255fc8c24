"""How full budgets are: those without a row are counted from the ledger, all with one query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from usage.budgets import budgets
from usage.models import Budget

from .budgeting import budget
from .lines import line
from .spent import id_of

pytestmark = [pytest.mark.django_db, pytest.mark.services]
ADA, HOUSE = id_of(1), id_of(2)


def limits() -> list[Budget]:
    return [
        budget(name="Dollars", limit=10**12),
        budget(name="Ada's calls", scope="person", scope_id=ADA, measure="requests", limit=1000),
        budget(name="The house's tokens", scope="team", scope_id=HOUSE, measure="tokens", limit=10**6),
        budget(name="Nobody's", scope="person", scope_id=id_of(9)),
    ]


def settled() -> dict[str, int]:
    return {state.budget.name: state.settled for state in budgets.every_state()}


def asked(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as found:
        work()
    return len(found)


def made(person: UUID, **fields: Any) -> None:
    line(user=person, team=HOUSE, cost_nano=7, input_tokens=5, output_tokens=2, **fields)


def test_each_budget_counts_in_its_own_measure_and_scope() -> None:
    limits()
    made(ADA)
    made(ADA, attempt=2)
    made(id_of(3), cache_read_input_tokens=100)
    assert settled() == {"Dollars": 21, "Ada's calls": 1, "The house's tokens": 121, "Nobody's": 0}


def test_many_budgets_without_rows_need_as_many_queries_as_one() -> None:
    made(ADA)
    limits()[0].delete()
    few = asked(settled)
    limits()
    assert asked(settled) == few
