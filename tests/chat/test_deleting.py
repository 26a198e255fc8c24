"""A branch that is deleted is hidden, and comes back as it was."""

from __future__ import annotations

import httpx
import pytest

from chat.models import Conversation, Message, Run
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.chat.trees import (
    act,
    all_ended,
    anatomy,
    ask,
    done,
    follow_up,
    ids,
    must_be_whole,
    once,
    show,
    undo,
    version_of,
)
from tests.live import Visitor, turns_in
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def test_a_deletion_shows_the_nearest_sibling_and_at_last_what_is_above(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    one, two, three = (follow_up(visitor, conversation, text, parent=answer.id) for text in ("1", "2", "3"))
    show(visitor, conversation, two[0])
    for gone, shown in ((two, one), (one, three), (three, [])):
        deleted = act(visitor, conversation, gone[0], "delete")
        assert deleted.status_code == 200
        assert deleted.headers["X-Parley-After"] == answer.id
        assert "Deleted 2 messages." in deleted.text
        assert ids(turns_in(deleted.text)) == [str(message) for message in shown]
        assert ids(visitor.turns(conversation)) == [question.id, answer.id, *map(str, shown)]
        must_be_whole(conversation)
    assert Conversation.objects.get().head_id is not None
    emptied = act(visitor, conversation, question, "delete")
    assert (emptied.headers["X-Parley-After"], turns_in(emptied.text)) == ("", [])
    assert "Deleted 2 messages." in emptied.text
    assert Conversation.objects.get().head_id is None
    assert visitor.turns(conversation) == []
    assert conversation in visitor.page(conversation)
    assert Message.objects.filter(conversation=conversation).count() == 8, "no row goes"
    must_be_whole(conversation)


def test_what_is_deleted_is_not_counted_among_the_siblings(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    _one, two, three = (follow_up(visitor, conversation, text, parent=answer.id) for text in ("1", "2", "3"))
    assert version_of(visitor.turns(conversation)[-2]) == "3 of 3"
    act(visitor, conversation, two[0], "delete")
    assert version_of(visitor.turns(conversation)[-2]) == "2 of 2"
    act(visitor, conversation, three[0], "delete")
    assert version_of(visitor.turns(conversation)[-2]) == ""


def test_an_emptied_conversation_can_be_begun_again(visitor: Visitor) -> None:
    conversation, (question, _answer) = ask(visitor)
    act(visitor, conversation, question, "delete")
    begun = visitor.send(conversation, scripted("Anew.", deltas=1), CLAUDE)
    assert begun.status_code == 200
    assert "X-Parley-After" not in begun.headers
    finished(visitor, conversation)
    assert ids(visitor.turns(conversation)) == ids(turns_in(begun.text))
    must_be_whole(conversation)


def test_deleted_and_undone_is_as_before(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    old = follow_up(visitor, conversation, "Old.")
    follow_up(visitor, conversation, "New.", parent=answer.id)
    show(visitor, conversation, old[0])  # not the latest branch below the question
    before = anatomy(conversation)
    shown = ids(visitor.turns(conversation))
    deleted = act(visitor, conversation, question, "delete")
    assert "Deleted 6 messages." in deleted.text
    undone = undo(visitor, deleted)
    assert undone.status_code == 200
    assert undone.headers["X-Parley-After"] == ""
    assert ids(turns_in(undone.text)) == shown
    assert anatomy(conversation) == before
    must_be_whole(conversation)


def test_undo_brings_back_the_turns_from_the_deleted_one_on(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    more = follow_up(visitor, conversation)
    undone = undo(visitor, act(visitor, conversation, more[0], "delete"))
    assert undone.headers["X-Parley-After"] == answer.id
    assert ids(turns_in(undone.text)) == [str(one) for one in more]
    assert ids(visitor.turns(conversation)) == [question.id, answer.id, *map(str, more)]


def test_twice_is_once(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    more = follow_up(visitor, conversation)
    for verb in ("delete", "restore"):
        first = act(visitor, conversation, more[0], verb)
        version = Conversation.objects.get().version
        second = act(visitor, conversation, more[0], verb)
        assert (second.status_code, ids(turns_in(second.text))) == (200, ids(turns_in(first.text)))
        assert second.headers["X-Parley-After"] == answer.id
        assert Conversation.objects.get().version == version


def test_a_branch_that_is_not_shown_goes_without_moving_the_page(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    old = follow_up(visitor, conversation, "Old.")
    new = follow_up(visitor, conversation, "New.", parent=answer.id)
    deleted = act(visitor, conversation, old[0], "delete")
    assert ids(turns_in(deleted.text)) == [str(one) for one in new]
    assert ids(visitor.turns(conversation)) == [question.id, answer.id, *map(str, new)]


def test_an_answer_that_is_deleted_while_it_is_written_stops_and_stays_hidden(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    asked = visitor.send(conversation, scripted("Long.", deltas=2000, rate=50), CLAUDE)
    question, long = turns_in(asked.text)
    with visitor.listen(conversation, {long.run: 0}) as page:
        while len(page.text) < 20:
            page.hear()
        deleted = act(visitor, conversation, question, "delete")
        assert "Deleted 2 messages." in deleted.text
        assert page.hear_until("finished", run=long.run)["status"] == "stopped"
    assert str(Conversation.objects.get().head_id) == answer.id
    assert visitor.turns(conversation)[-1].id == answer.id
    line = LedgerLine.objects.get(run=long.run)
    assert (line.outcome, line.cost_nano > 0) == ("stopped", True)
    assert not Hold.objects.filter(state="open").exists()
    undo(visitor, deleted)
    kept = visitor.turns(conversation)[-1]
    assert (kept.id, kept.status, kept.text) == (long.id, "stopped", page.text)
    must_be_whole(conversation)


def test_only_answers_below_the_deleted_message_are_stopped(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, (question, answer) = ask(visitor)
    held = scripted("Held.", text="To its end.", gates={"held": 1})
    elsewhere = turns_in(act(visitor, conversation, question, "edit", text=held).text)[1]
    act(visitor, conversation, answer, "delete")
    assert not Run.objects.exclude(stop_requested_at=None).exists()
    httpx.post(f"{vendor.base_url}/_simulator/gates/held")
    all_ended(visitor, conversation)
    assert Message.objects.get(id=elsewhere.id).text == "To its end."


def test_nothing_is_written_into_a_deleted_branch(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    gone = follow_up(visitor, conversation)
    deeper = follow_up(visitor, conversation)
    act(visitor, conversation, gone[0], "delete")
    before = anatomy(conversation)
    for refused in (
        visitor.send(conversation, "Hello", CLAUDE, parent=str(gone[1])),
        visitor.send(conversation, "Hello", CLAUDE, parent=str(deeper[1])),
        act(visitor, conversation, gone[0], "edit"),
        act(visitor, conversation, deeper[0], "edit"),
        act(visitor, conversation, gone[1], "retry"),
        act(visitor, conversation, gone[1], "continue"),
        act(visitor, conversation, deeper[1], "fork"),
        act(visitor, conversation, deeper[0], "delete"),
        act(visitor, conversation, deeper[0], "restore"),
        show(visitor, conversation, gone[0]),
        show(visitor, conversation, deeper[1]),
    ):
        assert refused.status_code == 409
        assert "deleted" in refused.text
    assert anatomy(conversation) == before
    assert visitor.turns(conversation)[-1].id == answer.id


def test_the_first_result_of_a_client_id_is_not_shown_again_when_it_is_deleted(visitor: Visitor) -> None:
    conversation, _turns = ask(visitor)
    client_id = once()
    sent = visitor.send(conversation, scripted(deltas=1), CLAUDE, client_id=client_id)
    finished(visitor, conversation)
    act(visitor, conversation, turns_in(sent.text)[0], "delete")
    again = visitor.send(conversation, scripted(deltas=1), CLAUDE, client_id=client_id)
    assert again.status_code == 409
    assert "deleted since" in again.text
    assert visitor.turns(conversation)[-1].id != turns_in(sent.text)[1].id


def test_deletions_in_each_other_are_undone_from_the_outer_one(visitor: Visitor) -> None:
    conversation, (question, _answer) = ask(visitor)
    more = follow_up(visitor, conversation)
    inner = act(visitor, conversation, more[1], "delete")
    assert "Deleted 1 message." in inner.text
    outer = act(visitor, conversation, question, "delete")
    assert "Deleted 3 messages." in outer.text
    assert undo(visitor, inner).status_code == 409
    assert undo(visitor, outer).status_code == 200
    assert Conversation.objects.get().head_id == more[0]
    assert undo(visitor, inner).status_code == 200
    assert Conversation.objects.get().head_id == more[1]
    must_be_whole(conversation)


def test_an_answer_can_be_written_beside_a_deleted_one(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    again = turns_in(done(visitor, conversation, answer, "retry").text)[0]
    deleted = act(visitor, conversation, again, "delete")
    assert ids(visitor.turns(conversation)) == [question.id, answer.id]
    third = turns_in(done(visitor, conversation, answer, "retry").text)[0]
    assert version_of(third) == "2 of 2"
    undo(visitor, deleted)
    assert version_of(visitor.turns(conversation)[-1]) == "2 of 3"
