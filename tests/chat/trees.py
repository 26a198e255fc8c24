"""What tests of branches share: acts on messages, what the markup says of them, whether a tree is whole."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from uuid import UUID, uuid4

import httpx

from chat.models import Conversation, Message, Run
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.live import Turn, Visitor


def ask(visitor: Visitor, text: str = "Go.", **script: Any) -> tuple[str, list[Turn]]:
    """A conversation of one question and its finished answer, with its title: nothing goes on in it."""
    with visitor.listen() as page:
        conversation, turns = visitor.start(scripted(text, **{"deltas": 1, **script}), CLAUDE)
        finished(visitor, conversation)
        titled = Message.objects.get(id=turns[1].id).status != Message.Status.COMPLETED
        while not titled:
            titled = "title" in page.hear_until("changed", conversation=conversation)["what"]
    return conversation, turns


def follow_up(visitor: Visitor, conversation: str, text: str = "And?", **fields: Any) -> list[UUID]:
    """Another question and its finished answer."""
    answer = visitor.send(conversation, scripted(text, deltas=1), CLAUDE, **fields)
    assert answer.status_code == 200, answer.text
    finished(visitor, conversation)
    return [UUID(turn.id) for turn in visitor.turns(conversation)[-2:]]


def act(visitor: Visitor, conversation: str, message: Any, verb: str, **fields: Any) -> httpx.Response:
    if verb == "edit":
        fields = {"text": scripted("Edited.", deltas=1), "model": CLAUDE, **fields}
    return visitor.post(f"/c/{conversation}/m/{getattr(message, 'id', message)}/{verb}/", **fields)


def done(visitor: Visitor, conversation: str, message: Any, verb: str, **fields: Any) -> httpx.Response:
    """An act that succeeds, after whose answers have ended."""
    answer = act(visitor, conversation, message, verb, **fields)
    assert answer.status_code == 200, answer.text
    finished(visitor, conversation)
    return answer


def show(visitor: Visitor, conversation: str, message: Any) -> httpx.Response:
    return visitor.post(f"/c/{conversation}/head/", message=str(getattr(message, "id", message)))


def once() -> str:
    return str(uuid4())


def ids(turns: list[Turn]) -> list[str]:
    return [turn.id for turn in turns]


def version_of(turn: Turn) -> str:
    """What the pager says: "2 of 3"; empty without one."""
    found = re.search(r'aria-label="Version (\d+ of \d+)"', turn.markup)
    return found[1] if found else ""


def undo(visitor: Visitor, deleted: httpx.Response) -> httpx.Response:
    """Presses the button of a deletion's notice."""
    button = re.search(r'hx-post="([^"]*/restore/)"( hx-vals=\'([^\']*)\')?', deleted.text)
    assert button is not None, deleted.text
    return visitor.post(button[1], **(json.loads(html.unescape(button[3])) if button[3] else {}))


def anatomy(conversation: str) -> dict[str, Any]:
    """Everything of a conversation that people see, whichever branch is shown."""
    found = Conversation.objects.get(id=conversation)
    rows = found.messages.order_by("id").values_list("id", "parent", "blocks_text", "status", "deleted_at")
    return {"head": found.head_id, "model": found.model, "messages": list(rows)}


def all_ended(visitor: Visitor, conversation: str) -> None:
    """Waits for every run of a conversation, shown or not."""
    for run in Run.objects.filter(conversation=conversation, status__in=Run.LIVE):
        with visitor.listen(conversation, {str(run.id): 0}) as page:
            page.hear_until("finished", run=str(run.id))


def must_be_whole(conversation: str) -> None:
    """Every message is reachable or hidden, the head is the end of a visible branch, and runs fit answers."""
    messages = {message.id: message for message in Message.objects.filter(conversation=conversation)}
    head = Conversation.objects.get(id=conversation).head_id
    hidden: dict[UUID, bool] = {}
    for message in sorted(messages.values(), key=lambda one: one.id):
        assert message.parent_id is None or message.parent_id in messages, "a parent of another conversation"
        above = hidden[message.parent_id] if message.parent_id else False
        hidden[message.id] = above or message.deleted_at is not None
    if head is None:
        assert all(hidden.values()), "something visible, and nothing is shown"
    else:
        assert not hidden[head], "the head is hidden"
        assert not [one for one in messages.values() if one.parent_id == head and not hidden[one.id]]
    live = Run.objects.filter(conversation=conversation, status__in=Run.LIVE).values_list(
        "message", flat=True
    )
    running = [one.id for one in messages.values() if one.status == Message.Status.RUNNING]
    assert sorted(live) == sorted(running), "one live run for each answer that is being written"
