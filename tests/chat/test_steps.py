"""Answers in several steps: what the vendor paused is gone on with, as one message."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from accounts.ids import uuid7
from accounts.models import User
from chat import journal, pages, reading, records, recovery, steps
from chat.models import JournalEntry, Message, Run
from chat.origins import Answered
from chat.steps import Joint
from providers.fold import Fold
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_recovery import lost, said
from tests.chat.test_runs import finished, scripted
from tests.live import Visitor
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

SEARCHED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tide"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
SEALED = {"type": "thinking", "thinking": "Where to look?", "signature": "c2VhbGVk"}
WAITING = {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_search", "input": {"query": "moon"}}


def asked_of(vendor: ThreadServer) -> list[dict[str, Any]]:
    """The bodies of the calls for answers, oldest first."""
    recent = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    bodies = [json.loads(one["body"]) for one in recent if one["path"] == "/v1/messages"]
    return [body for body in bodies if "Write a title" not in json.dumps(body.get("system", ""))]


def without_markers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_markers(inner) for key, inner in value.items() if key != "cache_control"}
    return [without_markers(inner) for inner in value] if isinstance(value, list) else value


def pausing(times: int = 1, **then: Any) -> dict[str, Any]:
    """A script that pauses so many times, and then answers."""
    paused = {"blocks": [SEALED, SEARCHED, FOUND, WAITING], "stop_reason": "pause_turn", "thinking": False}
    answered = then or {"text": "The tide is high at noon."}
    return {**paused, "times": times, "then": {"thinking": False, **answered}}


def test_a_paused_answer_is_gone_on_with_as_one_message(
    visitor: Visitor, vendor: ThreadServer, owner: User
) -> None:
    conversation, (_question, answer) = visitor.start(scripted(**pausing(), gates={"listening": 1}), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        httpx.post(f"{vendor.base_url}/_simulator/gates/listening")
        page.hear_until("finished")
    turn = visitor.turns(conversation)[-1]
    assert [block["type"] for block in turn.blocks] == [
        "thinking",
        "server_tool_use",
        "web_search_tool_result",
        "server_tool_use",
        "text",
    ]
    assert (turn.status, turn.text) == ("completed", "The tide is high at noon.")
    shown = Fold()
    for event in page.events:
        shown.apply(event)
    assert shown.blocks() == turn.blocks, "a page that followed has what a fresh page has"

    first, second = asked_of(vendor)
    assert without_markers(second["messages"][:-1]) == without_markers(first["messages"])
    sent_back = second["messages"][-1]
    assert sent_back["role"] == "assistant", "no word of the person's"
    assert without_markers(sent_back["content"]) == [SEALED, SEARCHED, FOUND, WAITING]
    assert {name for name in first if name != "messages"} == {name for name in second if name != "messages"}

    lines = LedgerLine.objects.filter(purpose="chat", run=answer.run)
    assert len({line.call_id for line in lines}) == 2, "each step is a call of its own"
    message = Message.objects.get(id=answer.id)
    [shown_turn] = pages.turns_of([message], message.conversation, owner)
    assert shown_turn.cost is not None
    assert shown_turn.cost.cost_nano == sum(line.cost_nano for line in lines)
    assert Run.objects.get(id=answer.run).step == 2
    assert not Hold.objects.filter(state="open", run=answer.run).exists()  # the title's may be open


def test_an_answer_has_so_many_steps_and_no_more(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, _turns = visitor.start(scripted(**pausing(times=50)), CLAUDE)
    finished(visitor, conversation)
    turn = visitor.turns(conversation)[-1]
    assert turn.status == "completed"
    assert len(asked_of(vendor)) == steps.MOST
    assert "Paused." in turn.markup
    assert ">Continue<" in turn.markup
    assert len(turn.blocks) == steps.MOST * 4


def test_a_later_turn_sends_the_whole_answer_back(visitor: Visitor, vendor: ThreadServer) -> None:
    script = pausing() | {"blocks": [SEARCHED, FOUND]}
    conversation, _turns = visitor.start(scripted(**script), CLAUDE)
    finished(visitor, conversation)
    assert visitor.send(conversation, scripted(text="And low at six."), CLAUDE).status_code == 200
    finished(visitor, conversation)
    sent = asked_of(vendor)[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert [block["type"] for block in sent[1]["content"]] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]


async def test_a_host_that_is_lost_between_two_steps_leaves_an_honest_turn(owner: User) -> None:
    run = await reading.read(lambda: lost(owner, *said("Half an ans"), step=1, call_id=uuid7()))
    assert await reading.read(lambda: records.next_step(run.id, run.fence, uuid7(), 1, Answered("org-1")))
    await reading.read(lambda: run.refresh_from_db())
    assert (run.step, run.step_seq, run.vendor_account) == (2, 1, "org-1")
    await recovery.recover(run)
    message = await reading.read(lambda: Message.objects.get(runs=run))
    assert (message.status, message.text) == ("interrupted", "Half an ans")
    after = await reading.read(lambda: Run.objects.get(id=run.id))
    assert (after.vendor_account, after.step) == ("org-1", 2), "what is known of its origin is kept"


def test_a_host_without_its_run_begins_no_step(owner: User) -> None:
    run = lost(owner, *said("Half"), step=1, call_id=uuid7())
    assert not records.next_step(run.id, run.fence + 1, uuid7(), 1, Answered())
    assert Run.objects.get(id=run.id).step == 1


def test_a_step_is_begun_once_however_often_it_is_written(owner: User) -> None:
    run, call = lost(owner, *said("Half"), step=1, call_id=uuid7()), uuid7()
    assert records.next_step(run.id, run.fence, call, 1, Answered())
    assert records.next_step(run.id, run.fence, call, 1, Answered())
    assert Run.objects.get(id=run.id).step == 2


def test_what_was_seen_of_a_step_is_told_apart_from_the_steps_before(owner: User) -> None:
    run = lost(owner, *said("The first step wrote all of this."))
    assert journal.fold_step(run.id, 1) is None, "nothing of the second step has come"
    JournalEntry.objects.create(
        run=run,
        seq=2,
        events=json.dumps(
            [
                {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 70, "output_tokens": 1}},
                {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
                {
                    "type": "content_block_delta",
                    "index": 1,
                    "delta": {"type": "text_delta", "text": "Second."},
                },
            ]
        ),
    )
    step = journal.fold_step(run.id, 1)
    assert step is not None
    assert "".join(block.get("text", "") for block in step.blocks()) == "Second."
    assert step.usage.input_tokens == 70


# The joint alone


def joined(*streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    joint = Joint()
    events: list[dict[str, Any]] = []
    for stream in streams:
        for event in stream:
            events += joint.events(event)
        if not joint.goes_on:
            break
        joint.next_step()
    return events


def stream(*blocks: dict[str, Any], reason: str, start: list[Any] | None = None) -> list[dict[str, Any]]:
    first = len(start or [])
    return [
        {"type": "message_start", "message": {"content": start or [], "usage": {"input_tokens": 5}}},
        *[
            event
            for index, block in enumerate(blocks, first)
            for event in (
                {"type": "content_block_start", "index": index, "content_block": block},
                {"type": "content_block_stop", "index": index},
            )
        ],
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


def test_indexes_go_on_and_only_the_last_step_ends_the_message() -> None:
    events = joined(
        stream(SEARCHED, FOUND, reason="pause_turn"),
        stream(WAITING, reason="pause_turn"),
        stream({"type": "text", "text": "So."}, reason="end_turn"),
    )
    whole = Fold()
    for event in events:
        whole.apply(event)
    assert whole.blocks() == [SEARCHED, FOUND, WAITING, {"type": "text", "text": "So."}]
    assert [event["type"] for event in events].count("message_start") == 1
    assert [event["type"] for event in events].count("message_stop") == 1
    assert whole.message["stop_reason"] == "end_turn"


def test_a_step_that_begins_with_blocks_keeps_them() -> None:
    events = joined(
        stream(SEARCHED, reason="pause_turn"),
        stream({"type": "text", "text": "So."}, reason="end_turn", start=[FOUND]),
    )
    whole = Fold()
    for event in events:
        whole.apply(event)
    assert [block["type"] for block in whole.blocks()] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]


def test_an_answer_of_one_step_passes_through_untouched() -> None:
    events = stream({"type": "text", "text": "So."}, reason="end_turn")
    assert all(given is event for given, event in zip(joined(events), events, strict=True))
