"""A branch copied into a conversation of its own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from accounts.models import User
from chat import forks
from chat.models import Conversation, Message
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.chat.trees import act, anatomy, ask, done, follow_up, must_be_whole, once
from tests.live import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

COPIED = (
    "role",
    "author",
    "blocks_text",
    "cut_input",
    "stop_reason",
    "seconds",
    "model",
    "status",
    "created_at",
)


def forked(visitor: Visitor, conversation: str, message: object, **fields: str) -> str:
    answer = act(visitor, conversation, message, "fork", **fields)
    assert (answer.status_code, answer.text) == (204, "")
    return answer.headers["HX-Redirect"].removeprefix("/c/").removesuffix("/")


def branch(conversation: str, *columns: str) -> list[tuple[object, ...]]:
    rows = Conversation.objects.get(id=conversation).path()
    return [tuple(getattr(message, column) for column in columns) for message in rows]


def test_a_fork_has_copies_of_the_branch_and_is_on_its_own(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, (question, answer) = ask(visitor, "First.", thinking="Hm.", deltas=2)
    visitor.post(f"/c/{conversation}/settings/", system="Be brief.")
    more = follow_up(visitor, conversation, "Second.")
    follow_up(visitor, conversation, "Beyond the fork.")
    done(visitor, conversation, answer, "retry")  # another branch, which is not copied
    before = anatomy(conversation)
    copy = forked(visitor, conversation, more[1])
    assert anatomy(conversation) == before
    kept = Message.objects.path_to(more[1])
    assert branch(copy, *COPIED) == [tuple(getattr(one, column) for column in COPIED) for one in kept]
    assert [message.id for message in Conversation.objects.get(id=copy).path()] == sorted(
        Message.objects.filter(conversation=copy).values_list("id", flat=True)
    )
    made, source = Conversation.objects.get(id=copy), Conversation.objects.get(id=conversation)
    assert (made.title, made.settings, made.model) == (source.title, {"system": "Be brief."}, source.model)
    assert made.version == 1
    assert visitor.turns(copy)[0].text == question.text
    follow_up(visitor, copy, "Going another way.")
    assert len(visitor.turns(copy)) == 6
    assert anatomy(conversation) == before
    recent = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    bodies = [json.loads(request["body"]) for request in recent if "another way" in (request["body"] or "")]
    sent = [block["text"] for turn in bodies[0]["messages"] for block in turn["content"]]
    assert [turn.text for turn in visitor.turns(copy)][:5] == sent, (
        "the copies are the context of what follows"
    )
    must_be_whole(copy)
    must_be_whole(conversation)


def test_a_fork_keeps_how_an_answer_ended_and_can_be_gone_on_with(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor, deltas=8, cut_after=6)
    copy = forked(visitor, conversation, answer)
    old, new = visitor.turns(conversation)[-1], visitor.turns(copy)[-1]
    assert (new.status, new.text) == ("interrupted", old.text)
    assert done(visitor, copy, new, "continue").status_code == 200
    must_be_whole(copy)


def test_a_fork_can_end_with_a_question(visitor: Visitor) -> None:
    conversation, (question, _answer) = ask(visitor)
    copy = forked(visitor, conversation, question)
    (only,) = visitor.turns(copy)
    assert only.text == question.text
    done(visitor, copy, only, "edit")
    must_be_whole(copy)


def test_other_pages_hear_of_a_fork_once(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    with visitor.listen() as page:
        copy = forked(visitor, conversation, answer)
        frame = page.hear_until("changed", conversation=copy)
    assert (frame["version"], frame["what"]) == (1, ["sidebar"])
    assert copy in visitor.http.get("/sidebar/").text


def test_the_same_client_id_forks_once(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    client_id, begin = once(), Barrier(6)

    def click(_number: int) -> str:
        begin.wait()
        return forked(visitor, conversation, answer, client_id=client_id)

    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(click, range(6)))
    assert len(made) == 1
    assert {str(one) for one in Conversation.objects.values_list("id", flat=True)} == {conversation, *made}
    assert Message.objects.count() == 4
    assert forked(visitor, conversation, answer, client_id=client_id) in made
    other = act(visitor, conversation, question, "fork", client_id=client_id)
    assert other.status_code == 409
    assert Conversation.objects.count() == 2


def test_an_unfinished_copy_is_seen_by_nobody_and_goes_with_the_next_fork(
    visitor: Visitor, owner: User
) -> None:
    conversation, (_question, answer) = ask(visitor)
    left = Conversation.objects.create(owner=owner, title="Half a copy", model=CLAUDE, version=0)
    parent = None
    for _ in range(3):
        parent = Message.objects.create(conversation=left, parent=parent, role="user", author=owner)
    assert "Half a copy" not in visitor.http.get("/sidebar/").text
    assert visitor.http.get(f"/c/{left.id}/").status_code == 404
    forked(visitor, conversation, answer)
    assert Conversation.objects.filter(id=left.id).exists(), "another process may be writing it"
    Conversation.objects.filter(id=left.id).update(changed_at=left.changed_at - 2 * forks.ABANDONED_AFTER)
    forked(visitor, conversation, answer)
    assert not Conversation.objects.filter(id=left.id).exists()
    assert not Message.objects.filter(conversation=left.id).exists()


def test_a_long_branch_is_copied_in_short_transactions(visitor: Visitor, owner: User) -> None:
    conversation, (_question, answer) = ask(visitor)
    parent = Message.objects.get(id=answer.id)
    for number in range(2 * forks.BATCH_ROWS):
        text = "x" * (600_000 if number < 2 else 10)  # each fills a batch by itself
        parent = Message.objects.create(
            conversation_id=conversation,
            parent=parent,
            role="user" if number % 2 == 0 else "assistant",
            author=owner,
            blocks_text=json.dumps([{"type": "text", "text": text}]),
        )
    copy = forked(visitor, conversation, parent.id)
    kept = [tuple(getattr(one, column) for column in COPIED) for one in Message.objects.path_to(parent.id)]
    assert branch(copy, *COPIED) == kept
    must_be_whole(copy)


def test_a_fork_of_a_fork_is_like_any_other(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    copy = forked(visitor, conversation, answer, client_id=once())
    again = forked(visitor, copy, visitor.turns(copy)[-1], client_id=once())
    assert branch(again, *COPIED[2:]) == branch(conversation, *COPIED[2:])
    answer = visitor.send(again, scripted(deltas=1), CLAUDE)
    assert answer.status_code == 200
    finished(visitor, again)
