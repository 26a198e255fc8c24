"""What the details of a conversation say that it has cost, against the ledger's own lines."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.ids import uuid7
from accounts.models import User
from chat import costs
from chat.costs import ConversationCosts
from chat.models import Conversation, Run
from tests.chat.conftest import CLAUDE
from tests.chat.test_forks import forked
from tests.chat.trees import ask, done, follow_up
from tests.live import Visitor
from tests.usage.lines import line
from usage.models import LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

HOST = {"host": "localhost"}


def of(conversation: Any, **more: Any) -> ConversationCosts:
    return costs.of(Conversation.objects.get(id=conversation), **more)


def cost(**wanted: Any) -> int:
    """By the ledger, line by line."""
    whole = 0
    for one in LedgerLine.objects.filter(**wanted):
        whole += one.cost_nano
    return whole


def panel(client: Client, conversation: Any, query: str = "") -> str:
    answer = client.get(f"/c/{conversation}/details/{query}", headers=HOST)
    assert answer.status_code == 200
    return answer.content.decode()


def sums(markup: str) -> dict[str, str]:
    """The sums of a panel by their names."""
    found = re.findall(r"<summary><span>(.*?)</span><data[^>]*>(.*?)</data>", markup, re.S)
    return {html.unescape(re.sub(r"<[^>]+>", "", name)).strip(): amount for name, amount in found}


@pytest.fixture
def signed_in(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def test_branches_titles_and_models_add_up_to_the_ledger(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    follow_up(visitor, conversation)
    done(visitor, conversation, answer, "retry")  # another branch, which is shown from now on
    found = of(conversation)
    shown = Run.objects.get(message=Conversation.objects.get(id=conversation).head_id)
    assert found.branch.cost_nano == cost(run=shown.id) > 0
    assert found.others.count == 2
    assert [(name, sum.cost_nano) for name, sum in found.background] == [("title", cost(purpose="title"))]
    assert found.whole.cost_nano == cost(conversation=conversation) == cost()
    parts = [found.branch, found.others, *(sum for _name, sum in found.background)]
    for figure in ("cost_nano", "input", "cached", "output", "count"):
        assert sum(getattr(part, figure) for part in parts) == getattr(found.whole, figure)
        assert sum(getattr(part, figure) for _ref, part in found.models) == getattr(found.whole, figure)


def test_a_deleted_branch_stays_in_the_sum(visitor: Visitor) -> None:
    conversation, (question, _answer) = ask(visitor)
    before = of(conversation).whole.cost_nano
    done(visitor, conversation, question, "delete")
    found = of(conversation)
    assert (found.whole.cost_nano, found.branch.calls) == (before, [])
    assert found.others.cost_nano == cost(purpose="chat") > 0


def test_a_fork_counts_only_its_own(visitor: Visitor, signed_in: Client) -> None:
    conversation, (_question, answer) = ask(visitor)
    copy = forked(visitor, conversation, answer)
    assert of(copy).whole.calls == []
    assert "begins at zero" in panel(signed_in, copy)
    follow_up(visitor, copy)
    assert of(copy).whole.cost_nano == cost(conversation=copy) > 0
    assert of(conversation).whole.cost_nano == cost(conversation=conversation)


def test_failed_attempts_and_corrections_count(owner: User) -> None:
    conversation = Conversation.objects.create(owner=owner, title="T", model=CLAUDE)
    call, facts = uuid7(), {"conversation": conversation.id, "user": owner.pk, "run": uuid7()}
    line(call_id=call, outcome="failed", source="estimated", cost_nano=300, **facts)
    line(call_id=call, attempt=2, source="estimated", cost_nano=1_000, **facts)
    assert (of(conversation.id).whole.cost_nano, of(conversation.id).whole.estimated) == (1_300, 1)
    line(call_id=call, line=1, source="corrected", cost_nano=-300, **facts)
    line(call_id=call, attempt=2, line=1, source="corrected", cost_nano=-100, **facts)
    found = of(conversation.id).whole
    assert (found.cost_nano, found.count, found.estimated) == (900, 1, 0)


def test_each_sum_opens_its_calls(visitor: Visitor, signed_in: Client) -> None:
    conversation, _turns = ask(visitor)
    markup = panel(signed_in, conversation)
    assert list(sums(markup))[:2] == ["This branch", "Titles in the background"]
    for path in set(re.findall(r'href="(/usage/calls/[^"]+)"', markup)):
        assert signed_in.get(path, headers=HOST).status_code == 200
    for call in LedgerLine.objects.values_list("call_id", flat=True):
        assert markup.count(f"/usage/calls/{call}/") == 2, "in its branch or purpose, and by its model"


def test_all_calls_can_be_listed_in_two_queries(
    owner: User, signed_in: Client, django_assert_num_queries: Callable[[int], Any]
) -> None:
    conversation = Conversation.objects.create(owner=owner, title="T", model=CLAUDE)
    for number in range(costs.SHOWN + 3):
        line(conversation=conversation.id, user=owner.pk, cost_nano=number)
    markup = panel(signed_in, conversation.id)
    assert "3 more" in markup
    assert panel(signed_in, conversation.id, "?all=1").count("/usage/calls/") == 2 * (costs.SHOWN + 3)
    with django_assert_num_queries(1):  # nothing is shown, so nothing is asked about the branch
        costs.of(conversation)
    with django_assert_num_queries(4):  # session, person, conversation, sums
        panel(signed_in, conversation.id)
