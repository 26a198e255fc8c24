"""Sending, following, stopping: through HTTP and the socket, against scripted models."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import httpx
import pytest

from accounts.models import User
from chat import actions, pages
from chat.host import host
from chat.models import Conversation, JournalEntry, Message, Run
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.live import Visitor
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def scripted(prompt: str = "Go.", **script: object) -> str:
    return f"{prompt}\n[[simulate {json.dumps(script)}]]"


def finished(visitor: Visitor, conversation: str) -> None:
    with visitor.listen(conversation) as page:
        for turn in visitor.turns(conversation):
            if turn.status == "running":
                page.say(type="follow", conversation=conversation, after={turn.run: turn.seq})
                page.hear_until("finished", run=turn.run)


def test_an_answer_is_streamed_stored_and_billed(visitor: Visitor, vendor: ThreadServer) -> None:
    script = {"text": "Hello there, friend.", "deltas": 4, "gates": {"listening": 1}}
    conversation, (_question, answer) = visitor.start(scripted(**script), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        httpx.post(f"{vendor.base_url}/_simulator/gates/listening")
        frame = page.hear_until("finished")
    assert frame["status"] == "completed"
    turn = visitor.turns(conversation)[-1]
    assert (turn.status, turn.text) == ("completed", "Hello there, friend.")
    assert page.text == "Hello there, friend."
    line = LedgerLine.objects.get(purpose="chat")
    assert (line.source, line.outcome, str(line.run)) == ("reported", "completed", answer.run)
    assert line.cost_nano > 0
    assert not JournalEntry.objects.exists()
    assert not Hold.objects.filter(state="open", purpose="chat").exists()


def test_a_page_loaded_in_the_middle_goes_on_without_gap(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=60, rate=100), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as first:
        while len(first.text) < 40:
            first.hear()
        late = visitor.turns(conversation)[-1]
        assert late.status == "running"
        assert late.seq > 0
        with visitor.listen(conversation, {late.run: late.seq}) as second:
            second.numbers[late.run] = late.seq
            second.hear_until("finished")
        first.hear_until("finished")
    whole = visitor.turns(conversation)[-1].text
    assert first.text == whole
    assert late.text + second.text == whole


def test_leaving_the_page_is_not_stopping(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=40, rate=200), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear()
    finished(visitor, conversation)
    assert visitor.turns(conversation)[-1].status == "completed"


@pytest.mark.parametrize("way", ["socket", "http"])
def test_stop_keeps_what_came_and_bills_it(visitor: Visitor, way: str) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=2000, rate=50), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        while len(page.text) < 20:
            page.hear()
        for _ in range(2):  # stopping twice is stopping once
            if way == "socket":
                page.say(type="stop", message=answer.id)
            else:
                assert visitor.post(f"/c/{conversation}/m/{answer.id}/stop/").status_code == 204
        frame = page.hear_until("finished")
    assert frame["status"] == "stopped"
    turn = visitor.turns(conversation)[-1]
    assert turn.text == page.text
    line = LedgerLine.objects.get()
    assert (line.source, line.outcome) == ("estimated", "stopped")
    assert line.cost_nano > 0
    assert not Hold.objects.filter(state="open").exists()


def test_a_stop_that_arrives_with_the_launch_ends_the_run(visitor: Visitor, owner: User) -> None:
    go = Event()
    host.call(go.wait, 20)  # the loop is busy: it finds the launch and the stop in one turn
    sent = actions.start(
        user=owner, text=scripted(deltas=2000, rate=50), model=CLAUDE, settings={}, client_id=None
    )
    assert actions.stop(conversation=sent.conversation, message=sent.answer.id)
    go.set()
    finished(visitor, str(sent.conversation.id))
    assert visitor.turns(str(sent.conversation.id))[-1].status == "stopped"
    assert not LedgerLine.objects.exists()


def test_a_double_click_makes_one_message(visitor: Visitor) -> None:
    client_id = str(uuid4())
    fields = {"text": scripted(deltas=1), "model": CLAUDE, "client_id": client_id}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: visitor.post("/c/", **fields), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["HX-Push-Url"] for answer in answers}) == 1
    assert Message.objects.filter(role="user").count() == 1
    assert Run.objects.count() == 1


def test_the_same_client_id_for_another_text_is_a_conflict(visitor: Visitor) -> None:
    client_id = str(uuid4())
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    assert (
        visitor.send(conversation, scripted("One", deltas=1), CLAUDE, client_id=client_id).status_code == 200
    )
    finished(visitor, conversation)
    refused = visitor.send(conversation, "Two", CLAUDE, client_id=client_id)
    assert refused.status_code == 409
    assert Message.objects.filter(role="user").count() == 2


def test_a_send_from_a_stale_page_becomes_a_sibling(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    for text in ("one", "two"):
        sent = visitor.send(conversation, scripted(text, deltas=1), CLAUDE, parent=answer.id)
        assert sent.status_code == 200
        finished(visitor, conversation)
    assert Message.objects.filter(parent=answer.id).count() == 2
    assert [turn.text[:3] for turn in visitor.turns(conversation) if turn.role == "user"][-1] == "two"


def test_nothing_is_sent_below_an_answer_that_is_being_written(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=500, rate=50), CLAUDE)
    assert visitor.send(conversation, "And?", CLAUDE, parent=answer.id).status_code == 409
    visitor.post(f"/c/{conversation}/m/{answer.id}/stop/")
    finished(visitor, conversation)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ({"status": 401}, "failed"),
        ({"status": 400}, "failed"),
        ({"error_event_after": 3}, "failed"),
        ({"deltas": 8, "cut_after": 6}, "interrupted"),
        ({"deltas": 8, "reset_after": 6}, "interrupted"),
        ({"garbage": "html_200"}, "failed"),
        ({"garbage": "empty_200"}, "failed"),
        ({"garbage": "bad_json"}, "failed"),
    ],
    ids=str,
)
def test_a_vendor_that_fails_leaves_a_message_with_a_reason(
    visitor: Visitor, script: dict[str, object], status: str
) -> None:
    conversation, (_question, answer) = visitor.start(scripted(**script), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        assert page.hear_until("finished")["status"] == status
    turn = visitor.turns(conversation)[-1]
    assert turn.text == page.text
    run = Run.objects.get()
    assert run.error["message"]
    assert "sk-ant-test-key" not in json.dumps(run.error)
    assert not Hold.objects.filter(state="open").exists()
    again = visitor.send(conversation, scripted("Again", deltas=1), CLAUDE)
    assert again.status_code == 200, "the next send works"
    finished(visitor, conversation)


def test_continue_asks_the_model_to_go_on_with_the_kept_text(visitor: Visitor, vendor: object) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=8, cut_after=6), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear_until("finished")
    assert visitor.post(f"/c/{conversation}/m/{answer.id}/continue/").status_code == 200
    finished(visitor, conversation)
    kept = visitor.turns(conversation)
    assert len(kept) == 4
    assert kept[1].text == page.text


def test_the_other_tab_hears_of_a_new_message_and_follows_it_unasked(visitor: Visitor) -> None:
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    with visitor.listen(conversation) as other:
        other.say(type="follow", conversation=conversation, after={})
        visitor.send(conversation, scripted("Next", text="For both tabs.", deltas=3), CLAUDE)
        while "turns" not in other.hear_until("changed", conversation=conversation)["what"]:
            continue  # the first answer's title comes when it comes
        other.hear_until("finished")
    assert other.text == "For both tabs."


def test_a_strangers_conversation_does_not_exist(
    sign_in: Callable[[str], Visitor], visitor: Visitor, stranger: User
) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=300, rate=50), CLAUDE)
    sam = sign_in("stranger@example.org")
    unknown = str(uuid4())
    for path in ("/c/{}/", "/c/{}/turns/", f"/c/{{}}/m/{answer.id}/"):
        theirs, nobodys = sam.http.get(path.format(conversation)), sam.http.get(path.format(unknown))
        assert (theirs.status_code, theirs.text) == (404, nobodys.text)
    for path in ("messages/", "settings/", f"m/{answer.id}/stop/", f"m/{answer.id}/continue/"):
        assert sam.post(f"/c/{conversation}/{path}", text="x", model=CLAUDE).status_code == 404
    with sam.listen(conversation, {answer.run: 0}) as page:
        assert page.hear()["code"] == "not_found"
        page.say(type="stop", message=answer.id)
        assert page.hear()["code"] == "not_found"
    assert Run.objects.get().status == "running"
    visitor.post(f"/c/{conversation}/m/{answer.id}/stop/")
    finished(visitor, conversation)


def titled(visitor: Visitor, vendor: ThreadServer) -> None:
    """A conversation that has its title; the page was listening before the answer ended."""
    question = scripted("What is a fence?", text="A number.", gates={"listening": 1})
    conversation, (_question, answer) = visitor.start(question, CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        httpx.post(f"{vendor.base_url}/_simulator/gates/listening")
        while "title" not in page.hear_until("changed")["what"]:
            pass


def test_a_conversation_gets_a_title_by_a_metered_call(visitor: Visitor, vendor: ThreadServer) -> None:
    titled(visitor, vendor)
    assert Conversation.objects.get().title
    assert LedgerLine.objects.filter(purpose="title").count() == 1


@pytest.mark.parametrize(("reason", "words"), [("max_tokens", "Cut off."), ("refusal", "Declined.")])
def test_an_answer_that_the_vendor_ended_early_says_so(visitor: Visitor, reason: str, words: str) -> None:
    conversation, _turns = visitor.start(scripted(text="Half", stop_reason=reason), CLAUDE)
    finished(visitor, conversation)
    turn = visitor.turns(conversation)[-1]
    assert (turn.status, turn.text) == ("completed", "Half")
    assert words in turn.markup
    assert ("/continue/" in turn.markup) == (reason == "max_tokens")


def test_folded_blocks_keep_how_long_they_took(visitor: Visitor) -> None:
    conversation, _turns = visitor.start(scripted(thinking="Hm.", text="So."), CLAUDE)
    finished(visitor, conversation)
    assert set(visitor.turns(conversation)[-1].payload["seconds"]) == {"0"}


def test_a_turn_that_ends_while_it_is_read_has_its_cost(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, (_question, answer) = visitor.start(scripted(text="Yes.", gates={"read": 1}), CLAUDE)
    before = Message.objects.get(id=answer.id)
    run = Run.objects.get(message=before)
    httpx.post(f"{vendor.base_url}/_simulator/gates/read")
    finished(visitor, conversation)
    turn = pages._turn(before, run, {}, {}, before.id)  # the totals were read before it ended
    assert (turn.status, turn.text) == ("completed", "Yes.")
    assert turn.cost is not None
