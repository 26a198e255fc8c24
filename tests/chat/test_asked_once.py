"""What is asked for twice under one client id is made once: one message, one hold, one call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from chat.models import Conversation, Message, Run
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.chat.trees import act, all_ended, anatomy, ask, done, ids, must_be_whole, once
from tests.live import Turn, Visitor, turns_in
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

CLICKS = 6


def asked(
    visitor: Visitor, conversation: str, turns: list[Turn], verb: str, client_id: str
) -> httpx.Response:
    question, answer = turns
    if verb == "send":
        return visitor.send(
            conversation, scripted("More.", deltas=1), CLAUDE, parent=answer.id, client_id=client_id
        )
    return act(visitor, conversation, question if verb == "edit" else answer, verb, client_id=client_id)


def figures() -> tuple[int, ...]:
    return (
        Message.objects.filter(role="assistant").count(),
        Run.objects.count(),
        Hold.objects.exclude(run=None).count(),
        LedgerLine.objects.filter(purpose="chat").count(),
    )


@pytest.mark.parametrize("verb", ["send", "edit", "retry", "continue"])
def test_many_clicks_at_once_are_one(visitor: Visitor, vendor: ThreadServer, verb: str) -> None:
    conversation, turns = ask(visitor)
    before, client_id, begin = figures(), once(), Barrier(CLICKS)

    def click(_number: int) -> httpx.Response:
        begin.wait()
        return asked(visitor, conversation, turns, verb, client_id)

    with ThreadPoolExecutor(CLICKS) as pool:
        answers = list(pool.map(click, range(CLICKS)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({tuple(ids(turns_in(answer.text))) for answer in answers}) == 1
    all_ended(visitor, conversation)
    late = asked(visitor, conversation, turns, verb, client_id)
    assert ids(turns_in(late.text)) == ids(turns_in(answers[0].text))
    assert "X-Parley-After" in late.headers
    assert figures() == tuple(number + 1 for number in before)
    must_be_whole(conversation)


def test_a_late_second_try_gets_what_stands_there_now(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    client_id, text = once(), scripted("More.", deltas=1)
    visitor.send(conversation, text, CLAUDE, parent=answer.id, client_id=client_id)
    finished(visitor, conversation)
    visitor.send(conversation, scripted("And more.", deltas=1), CLAUDE)
    finished(visitor, conversation)
    late = visitor.send(conversation, text, CLAUDE, parent=answer.id, client_id=client_id)
    assert late.headers["X-Parley-After"] == answer.id
    assert ids(turns_in(late.text)) == ids(visitor.turns(conversation))[2:]
    assert late.headers["X-Parley-Version"] == str(Conversation.objects.get().version)
    assert question.id not in late.text


@pytest.mark.parametrize(
    ("verb", "changed"),
    [
        ("edit", {"text": "Other words."}),
        ("edit", {"model": "anthropic/claude-haiku-5-5"}),
        ("retry", {"model": "anthropic/claude-haiku-5-5"}),
    ],
    ids=str,
)
def test_another_body_under_the_same_client_id_is_a_conflict(
    visitor: Visitor, verb: str, changed: dict[str, Any]
) -> None:
    conversation, (question, answer) = ask(visitor)
    client_id, message = once(), question if verb == "edit" else answer
    done(visitor, conversation, message, verb, client_id=client_id)
    before = anatomy(conversation)
    refused = act(visitor, conversation, message, verb, client_id=client_id, **changed)
    assert refused.status_code == 409
    assert "before" in refused.text
    assert anatomy(conversation) == before


def test_a_client_id_does_not_pass_from_one_act_or_place_to_another(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    text, client_id = scripted("Same.", deltas=1), once()
    visitor.send(conversation, text, CLAUDE, client_id=client_id)
    finished(visitor, conversation)
    elsewhere, (other_question, other_answer) = ask(visitor)
    before = [anatomy(conversation), anatomy(elsewhere)]
    for refused in (
        act(visitor, conversation, question, "edit", text=text, client_id=client_id),
        act(visitor, conversation, answer, "retry", client_id=client_id),
        act(visitor, conversation, answer, "continue", client_id=client_id),
        act(visitor, conversation, answer, "fork", client_id=client_id),
        act(visitor, elsewhere, other_question, "edit", text=text, client_id=client_id),
        act(visitor, elsewhere, other_answer, "retry", client_id=client_id),
        visitor.send(elsewhere, text, CLAUDE, client_id=client_id),
    ):
        assert refused.status_code == 409
    assert [anatomy(conversation), anatomy(elsewhere)] == before


def test_a_retry_is_kept_under_who_asked_for_it(visitor: Visitor, owner: Any) -> None:
    conversation, (_question, answer) = ask(visitor)
    client_id = once()
    again = turns_in(done(visitor, conversation, answer, "retry", client_id=client_id).text)[0]
    kept = Message.objects.get(id=again.id)
    assert (kept.author, str(kept.client_id)) == (owner, client_id)
