"""Runs that another process hosts: what it stores and decides reaches the pages of this one, bell or no bell.

The other process is played by what it leaves in the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from chat.models import Conversation, JournalEntry, Message, Run
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import scripted
from tests.live import Listener, LiveServer, Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


class Elsewhere:
    """Another process that hosts one run."""

    def __init__(self, owner: User) -> None:
        self.conversation = Conversation.objects.create(owner=owner, title="T", model=CLAUDE)
        question = Message.objects.create(
            conversation=self.conversation,
            role="user",
            author=owner,
            blocks_text='[{"type":"text","text":"Hi"}]',
        )
        self.answer = Message.objects.create(
            conversation=self.conversation, parent=question, role="assistant", status="running", model=CLAUDE
        )
        Conversation.objects.filter(id=self.conversation.id).update(head=self.answer)
        self.run = Run.objects.create(
            message=self.answer,
            conversation=self.conversation,
            status="running",
            host="elsewhere",
            lease_until=timezone.now(),
        )
        self.seq = 0
        self.said = ""
        self.store(
            {
                "type": "message_start",
                "message": {
                    "role": "assistant",
                    "content": [],
                    "usage": {"input_tokens": 1, "output_tokens": 1},
                },
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        )

    def store(self, *events: dict[str, Any]) -> None:
        self.seq += 1
        JournalEntry.objects.create(run=self.run, seq=self.seq, events=json.dumps(events))

    def say(self, text: str) -> None:
        self.said += text
        self.store({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})

    def end(self, status: str = "completed") -> None:
        blocks = json.dumps([{"type": "text", "text": self.said}])
        Message.objects.filter(id=self.answer.id).update(status=status, blocks_text=blocks)
        Run.objects.filter(id=self.run.id).update(status=status, lease_until=None)
        JournalEntry.objects.filter(run=self.run).delete()


@pytest.fixture
def elsewhere(owner: User) -> Elsewhere:
    return Elsewhere(owner)


def hear_text(page: Listener, text: str) -> None:
    while page.text != text:
        assert text.startswith(page.text)
        page.hear()


def hear_all(page: Listener, elsewhere: Elsewhere, shown: int) -> None:
    """Hears the rest of what was said, as events or as the whole state; so many characters were known."""
    frame = page.hear()
    if frame["type"] == "state":
        text = frame["state"]["message"]["content"][0]["text"]
        assert elsewhere.said.startswith(text)
        shown = len(text)
    hear_text(page, elsewhere.said[shown:])


def test_its_words_and_its_end_reach_a_page_here(visitor: Visitor, elsewhere: Elsewhere) -> None:
    conversation, run = str(elsewhere.conversation.id), str(elsewhere.run.id)
    elsewhere.say("One ")
    turn = visitor.turns(conversation)[-1]
    assert (turn.text, turn.seq) == ("One ", 2)
    with visitor.listen(conversation, {run: turn.seq}) as page:
        elsewhere.say("two ")
        hear_text(page, "two ")
        elsewhere.say("three")
        elsewhere.end()
        assert page.hear_until("finished")["status"] == "completed"
    assert visitor.turns(conversation)[-1].text == "One two three"


def test_a_page_that_is_behind_gets_the_rest_in_one_frame(visitor: Visitor, elsewhere: Elsewhere) -> None:
    for number in range(10):
        elsewhere.say(f"{number} ")
    with visitor.listen(str(elsewhere.conversation.id), {str(elsewhere.run.id): 3}) as page:
        frame = page.hear()
        assert (frame["type"], frame["after"], frame["seq"]) == ("events", 3, 11)
        assert page.text == "2 3 4 5 6 7 8 9 "


def test_a_page_that_is_far_behind_gets_the_state(visitor: Visitor, elsewhere: Elsewhere) -> None:
    for number in range(200):
        elsewhere.say(f"{number} ")
    with visitor.listen(str(elsewhere.conversation.id), {str(elsewhere.run.id): 3}) as page:
        frame = page.hear_until("state")
        assert frame["seq"] == 201
        assert frame["state"]["message"]["content"][0]["text"] == elsewhere.said


def test_two_pages_at_different_numbers_are_both_shown_everything(
    visitor: Visitor, elsewhere: Elsewhere
) -> None:
    conversation, run = str(elsewhere.conversation.id), str(elsewhere.run.id)
    for number in range(5):
        elsewhere.say(f"{number} ")
    with visitor.listen(conversation, {run: 6}) as ahead, visitor.listen(conversation, {run: 2}) as behind:
        elsewhere.say("end")
        hear_text(ahead, "end")
        hear_all(behind, elsewhere, len("0 "))
        elsewhere.end()
        for page in (ahead, behind):
            page.hear_until("finished")


def test_a_page_that_claims_to_be_ahead_keeps_nothing_from_others(
    visitor: Visitor, elsewhere: Elsewhere
) -> None:
    conversation, run = str(elsewhere.conversation.id), str(elsewhere.run.id)
    with visitor.listen(conversation, {run: 1_000_000}), visitor.listen(conversation, {run: 1}) as honest:
        elsewhere.say("Hello")
        hear_all(honest, elsewhere, 0)


def test_a_run_that_begins_elsewhere_is_shown_without_asking(
    visitor: Visitor, owner: User, elsewhere: Elsewhere
) -> None:
    elsewhere.end()
    conversation = elsewhere.conversation
    with visitor.listen(str(conversation.id)) as page:
        page.say(type="follow", conversation=str(conversation.id), after={})
        answer = Message.objects.create(
            conversation=conversation, parent=elsewhere.answer, role="assistant", status="running"
        )
        run = Run.objects.create(
            message=answer,
            conversation=conversation,
            status="running",
            host="elsewhere",
            lease_until=timezone.now(),
        )
        JournalEntry.objects.create(run=run, seq=1, events='[{"type":"ping"}]')
        Conversation.objects.filter(id=conversation.id).update(
            head=answer, version=F("version") + 1, changed_at=timezone.now()
        )
        heard = [page.hear(), page.hear()]  # in either order
        assert {frame["type"] for frame in heard} == {"changed", "events"}
        assert page.numbers == {str(run.id): 1}


def test_a_change_elsewhere_is_told_once_and_to_its_owner_alone(
    visitor: Visitor, sign_in: Callable[[str], Visitor], stranger: User, elsewhere: Elsewhere
) -> None:
    changed = Conversation.objects.filter(id=elsewhere.conversation.id)
    with visitor.listen() as mine, sign_in(stranger.email).listen() as theirs:
        changed.update(title="New", version=F("version") + 1, changed_at=timezone.now())
        first = mine.hear_until("changed", version=2)
        changed.update(title="Newer", version=F("version") + 1, changed_at=timezone.now())
        assert mine.hear() == {**first, "version": 3}
        theirs.say(type="follow", conversation=str(elsewhere.conversation.id))
        assert theirs.hear()["type"] == "notice", "the first frame that the stranger hears"


def test_a_stop_that_was_asked_for_elsewhere_ends_the_run_here(visitor: Visitor, server: LiveServer) -> None:
    script = json.dumps({"deltas": 5000, "rate": 50})
    conversation, (_question, answer) = visitor.start(f"Go.\n[[simulate {script}]]", CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear()
        Run.objects.filter(id=answer.run).update(stop_requested_at=timezone.now())
        assert page.hear_until("finished")["status"] == "stopped"


def test_a_run_of_a_person_who_is_deactivated_is_stopped(
    visitor: Visitor, server: LiveServer, owner: User
) -> None:
    script = json.dumps({"deltas": 5000, "rate": 50})
    conversation, (_question, answer) = visitor.start(f"Go.\n[[simulate {script}]]", CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear()
        User.objects.filter(id=owner.id).update(is_active=False)
        assert page.hear_until("finished")["status"] == "stopped"


def test_a_stop_pressed_here_is_written_for_the_host_elsewhere(
    visitor: Visitor, elsewhere: Elsewhere
) -> None:
    with visitor.listen(str(elsewhere.conversation.id), {str(elsewhere.run.id): 1}) as page:
        page.say(type="stop", message=str(elsewhere.answer.id))
        page.say(type="follow", conversation=str(uuid4()))
        page.hear_until("notice")  # commands are answered in order
    assert Run.objects.get(id=elsewhere.run.id).stop_requested_at is not None


def test_a_conversation_deleted_elsewhere_ends_the_following(visitor: Visitor, elsewhere: Elsewhere) -> None:
    with visitor.listen(str(elsewhere.conversation.id), {str(elsewhere.run.id): 1}) as page:
        elsewhere.say("x")
        hear_text(page, "x")
        Conversation.objects.filter(id=elsewhere.conversation.id).update(head=None)
        Conversation.objects.get(id=elsewhere.conversation.id).delete()
        assert page.hear_until("finished")["status"] == "gone"


def test_a_run_that_is_taken_over_is_followed_where_it_goes_on(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=5000, rate=50), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        while len(page.text) < 20:
            page.hear()
        Run.objects.filter(id=answer.run).update(fence=F("fence") + 1, host="elsewhere")
        last = JournalEntry.objects.filter(run=answer.run).latest("seq").seq
        said = {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": " Elsewhere."},
        }
        JournalEntry.objects.create(run_id=answer.run, seq=last + 1, events=json.dumps([said]))
        while not page.text.endswith(" Elsewhere."):
            page.hear()
        Message.objects.filter(id=answer.id).update(status="interrupted")
        Run.objects.filter(id=answer.run).update(status="interrupted", lease_until=None)
        assert page.hear_until("finished")["status"] == "interrupted"
