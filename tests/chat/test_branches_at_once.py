"""Many hands on one conversation at once: somebody wins, nobody breaks the tree."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from chat.models import Conversation, Message, Run
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import scripted
from tests.chat.trees import act, all_ended, ask, follow_up, must_be_whole, show
from tests.live import Visitor
from usage.models import Hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

ROUNDS = 4


def at_once(*acts: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """What the server answers to requests that begin together."""
    begin = Barrier(len(acts))

    def run(one: Callable[[], httpx.Response]) -> httpx.Response:
        begin.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_send_edit_retry_and_delete_at_once_leave_the_tree_whole(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    short = scripted("At once.", deltas=1)
    for _ in range(ROUNDS):
        more = follow_up(visitor, conversation, parent=answer.id)
        answers = at_once(
            lambda more=more: visitor.send(conversation, short, CLAUDE, parent=str(more[1])),
            lambda more=more: visitor.send(conversation, short, CLAUDE, parent=str(more[1])),
            lambda more=more: act(visitor, conversation, more[0], "edit"),
            lambda more=more: act(visitor, conversation, more[1], "retry"),
            lambda more=more: act(visitor, conversation, more[0], "delete"),
            lambda: act(visitor, conversation, answer, "retry"),
            lambda: show(visitor, conversation, question),
        )
        assert {one.status_code for one in answers} <= {200, 409}
        assert [one.status_code for one in answers[4:]] == [200, 200, 200]
        all_ended(visitor, conversation)
        must_be_whole(conversation)
    assert not Hold.objects.filter(state="open").exclude(run=None).exists()
    assert Run.objects.values("message").distinct().count() == Run.objects.count()
    assert visitor.turns(conversation)


def test_a_send_below_what_is_being_deleted_is_refused_or_goes_with_it(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    endless = scripted("Endless.", deltas=2000, rate=50)
    for _ in range(ROUNDS):
        more = follow_up(visitor, conversation, parent=answer.id)
        sent, deleted = at_once(
            lambda more=more: visitor.send(conversation, endless, CLAUDE, parent=str(more[1])),
            lambda more=more: act(visitor, conversation, more[0], "delete"),
        )
        assert deleted.status_code == 200
        gone = 4 if sent.status_code == 200 else 2
        assert (sent.status_code, f"Deleted {gone} messages." in deleted.text) in {(200, True), (409, True)}
        all_ended(visitor, conversation)  # nobody stopped it but the deletion
        must_be_whole(conversation)
        assert str(Conversation.objects.get().head_id) == answer.id


def test_deleting_and_undoing_at_once_ends_with_one_of_both(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    one = follow_up(visitor, conversation)
    two = follow_up(visitor, conversation, parent=answer.id)
    for _ in range(ROUNDS):
        answers = at_once(
            *[
                lambda message=message, verb=verb: act(visitor, conversation, message, verb)
                for message in (one[0], two[0], two[1], answer.id)
                for verb in ("delete", "restore")
            ]
        )
        assert {made.status_code for made in answers} <= {200, 409}
        must_be_whole(conversation)


def test_siblings_made_at_once_are_all_kept_and_the_last_is_shown(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    answers = at_once(*[lambda: act(visitor, conversation, answer, "retry") for _ in range(5)])
    assert {one.status_code for one in answers} == {200}
    latest = max(answers, key=lambda one: int(one.headers["X-Parley-Version"]))
    assert str(Conversation.objects.get().head_id) in latest.text
    assert Message.objects.filter(parent=question.id).count() == 6
    all_ended(visitor, conversation)
    must_be_whole(conversation)
