"""How full a limit is, where one writes; and that an answer which a budget kept short says so."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.ids import uuid7
from accounts.models import Team, User
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.chat.trees import ask
from tests.live import Visitor
from tests.usage.budgeting import DOLLAR, budget, counters, row
from usage.budgets import glance as budget_glance
from usage.models import NOBODY, Budget, BudgetPeriod, Hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

HOST = {"host": "localhost"}
FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def signed_in(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def filled(percent: int, *, subject: Any = NOBODY, **fields: Any) -> Budget:
    """A budget that is so full, in a period that has no end before everything here."""
    made = budget(**{"limit": 20 * DOLLAR, "period": "total", **fields})
    settled = made.limit * percent // 100
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    BudgetPeriod.objects.create(budget=made, subject=subject, begins_at=begins, settled=settled)
    return made


def words(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def near(client: Client, path: str = "/") -> str:
    """What stands by the composer, in words."""
    markup = client.get(path, {"model": CLAUDE}, headers=HOST).content.decode()
    found = re.search(r'<div id="budget-meter">(.*?)</div>', markup, re.S)
    assert found is not None
    return words(found[1])


@pytest.mark.parametrize(
    ("percent", "said"),
    [(79, ""), (80, "Everything $4.00 left of $20.00"), (120, "Everything $0.00 left of $20.00")],
)
@pytest.mark.parametrize("path", ["/", "/c/estimate/"], ids=["page", "refreshed"])
def test_it_speaks_up_when_a_limit_is_nearly_reached(
    signed_in: Client, vendor: ThreadServer, path: str, percent: int, said: str
) -> None:
    filled(percent)
    assert near(signed_in, path) == said
    assert "of $20.00 used" in words(signed_in.get("/", headers=HOST).content.decode())


@pytest.mark.parametrize(
    ("period", "zone", "ends", "until"),
    [
        ("day", "UTC", datetime(2026, 11, 21, tzinfo=UTC), "today"),
        ("week", "UTC", datetime(2026, 11, 23, tzinfo=UTC), "until Monday"),
        ("month", "Asia/Tokyo", datetime(2026, 11, 30, 15, tzinfo=UTC), "until 1 December"),
        ("total", "UTC", None, ""),
    ],
)
def test_it_says_until_when(owner: User, period: str, zone: str, ends: datetime | None, until: str) -> None:
    made = budget(limit=20 * DOLLAR, period=period, timezone=zone)
    begins = datetime(2026, 11, 1, tzinfo=UTC)
    BudgetPeriod.objects.create(budget=made, begins_at=begins, ends_at=ends, settled=19 * DOLLAR)
    with time_machine.travel(FRIDAY, tick=False):
        found = budget_glance.fullest(owner.pk, None)
    assert found is not None
    assert found.left == f"$1.00 left of $20.00 {until}".strip()


def test_the_fullest_of_those_that_limit_this_person_counts(owner: User, stranger: User) -> None:
    team = Team.objects.create(name="Blue")
    filled(30, name="Everyone")
    filled(99, name="Sam", scope="person", scope_id=stranger.pk)
    filled(98, name="Off", enabled=False)
    filled(97, name="Of the team", scope="team", scope_id=team.pk)
    filled(96, name="Sam in the team", scope="member", scope_id=team.pk, subject=stranger.pk)
    filled(40, name="Olga", scope="person", scope_id=owner.pk)
    past = filled(95, name="Last month", period="month")
    BudgetPeriod.objects.filter(budget=past).update(ends_at=datetime(2020, 2, 1, tzinfo=UTC))

    def fullest(team_id: Any) -> str:
        found = budget_glance.fullest(owner.pk, team_id)
        return found.name if found is not None else ""

    assert (fullest(None), fullest(team.pk)) == ("Olga", "Of the team")


def test_it_moves_with_each_answer_and_is_the_row_that_limits(visitor: Visitor, signed_in: Client) -> None:
    mine = budget(limit=100 * DOLLAR)
    conversation, _turns = ask(visitor)
    settled, _held = counters(mine)
    mine.limit = settled * 5 // 4 + 1
    mine.save()
    assert "Everything" not in near(signed_in, f"/c/{conversation}/estimate/")
    mine.limit = settled * 5 // 4
    mine.save()
    assert near(signed_in, f"/c/{conversation}/estimate/").startswith("Everything")
    assert row(mine).settled == settled


def test_it_is_one_query_and_reads_nothing_of_the_ledger(
    owner: User, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for percent in (10, 20, 85):
        filled(percent)
    with django_assert_num_queries(1) as seen:
        assert budget_glance.fullest(owner.pk, uuid7()) is not None
    assert "ledger" not in seen.captured_queries[0]["sql"]


@pytest.mark.parametrize("cut", [False, True], ids=["it fitted", "it was cut"])
def test_an_answer_that_was_kept_short_says_so(visitor: Visitor, cut: bool) -> None:
    mine = budget(limit=10 * DOLLAR)
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    assert "had no room for more" not in visitor.page(conversation)
    whole = Hold.objects.filter(purpose="chat").latest("opened_at")
    mine.limit = counters(mine)[0] + whole.amount_nano // 2
    mine.save()
    script = {"deltas": 1, **({"stop_reason": "max_tokens"} if cut else {})}
    conversation, _turns = visitor.start(scripted(**script), CLAUDE)
    finished(visitor, conversation)
    short = Hold.objects.filter(purpose="chat").latest("opened_at")
    said = words(visitor.page(conversation))
    assert (
        f"Kept to {short.max_tokens:,} tokens at most: the budget “Everything” had no room for more." in said
    )
    assert ("the length for which the budget “ Everything ” had room" in said) is cut
    assert "The settings of this conversation can allow more" not in said
