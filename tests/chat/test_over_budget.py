"""What a person sees in the chat whose budget is full."""

from __future__ import annotations

import pytest

from accounts.models import User
from chat.models import Run
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.live import Visitor
from tests.usage.budgeting import budget, counters, counters_are_true
from tests.usage.moving_on import HAIKU
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def test_the_notice_says_which_limit_and_keeps_its_id(visitor: Visitor, owner: User) -> None:
    mine = budget(name="Only for Ada", scope="person", scope_id=owner.pk, limit=1)
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    run = Run.objects.get()
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["type"] == "over_budget"
    assert run.error["budget"]["budget"] == str(mine.pk)
    page = visitor.page(conversation)
    assert "Only for Ada" in page
    assert "has no room for this call" in page
    assert "It resets on 1 " in page
    assert not Hold.objects.exists()
    assert not LedgerLine.objects.exists()


def test_an_answer_is_kept_short_enough_for_the_budget(visitor: Visitor) -> None:
    mine = budget(limit=10_000_000_000)
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    whole = Hold.objects.filter(purpose="chat").latest("opened_at")
    mine.limit = counters(mine)[0] + whole.amount_nano // 2
    mine.save()
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    short = Hold.objects.filter(purpose="chat").latest("opened_at")
    assert 1024 <= short.max_tokens < whole.max_tokens
    assert short.amount_nano <= whole.amount_nano // 2
    counters_are_true()


def test_the_cheaper_model_is_named_with_the_reason(visitor: Visitor) -> None:
    budget(name="Team money", mode="cheaper", cheaper_model=HAIKU, limit=1)
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    assert Run.objects.get().status == "completed"
    page = visitor.page(conversation)
    assert "Haiku" in page
    assert "The budget “Team money” is used up" in page
