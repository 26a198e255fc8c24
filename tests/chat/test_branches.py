"""Siblings: edited, asked again, gone on with, and which of them is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.test import Client

from accounts.models import User
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
    show,
    version_of,
)
from tests.live import Visitor, turns_in

HAIKU = "anthropic/claude-haiku-5-5"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def test_an_edit_stands_beside_the_question_with_an_answer_of_its_own(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    old = follow_up(visitor, conversation, "Old.")
    before = anatomy(conversation)["messages"]
    edited = act(visitor, conversation, old[0], "edit", text=scripted("New.", text="Yes.", deltas=1))
    assert edited.status_code == 200
    assert edited.headers["X-Parley-After"] == answer.id
    question, fresh = turns_in(edited.text)
    assert question.text.startswith("New.")
    assert (version_of(question), version_of(fresh)) == ("2 of 2", "")
    finished(visitor, conversation)
    assert ids(visitor.turns(conversation))[2:] == [question.id, fresh.id]
    assert visitor.turns(conversation)[-1].text == "Yes."
    assert anatomy(conversation)["messages"][:4] == before, "nothing is overwritten"
    must_be_whole(conversation)


def test_an_edit_of_the_first_question_replaces_the_whole_page(visitor: Visitor) -> None:
    conversation, (question, _answer) = ask(visitor)
    edited = done(visitor, conversation, question, "edit")
    assert edited.headers["X-Parley-After"] == ""
    assert version_of(turns_in(edited.text)[0]) == "2 of 2"
    assert ids(visitor.turns(conversation)) == ids(turns_in(edited.text))
    assert Message.objects.filter(conversation=conversation, parent=None).count() == 2


def test_the_edited_question_is_asked_without_the_old_one(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, (question, _answer) = ask(visitor, "The old words.")
    done(visitor, conversation, question, "edit", text=scripted("The new words.", deltas=1))
    recent = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    asked = [request["body"] for request in recent if "The new words." in (request["body"] or "")]
    assert asked
    assert not [body for body in asked if "The old words." in body]


@pytest.mark.parametrize("model", ["", HAIKU])
def test_retry_stands_beside_the_answer_by_the_same_or_another_model(visitor: Visitor, model: str) -> None:
    conversation, (question, answer) = ask(visitor)
    again = done(visitor, conversation, answer, "retry", model=model)
    assert again.headers["X-Parley-After"] == question.id
    (fresh,) = turns_in(again.text)
    assert version_of(fresh) == "2 of 2"
    kept = Message.objects.get(id=fresh.id)
    assert (str(kept.parent_id), kept.model) == (question.id, model or CLAUDE)
    assert Conversation.objects.get().model == (model or CLAUDE)
    assert ids(visitor.turns(conversation)) == [question.id, fresh.id]


def test_an_answer_that_is_being_written_is_not_asked_for_again(
    visitor: Visitor, vendor: ThreadServer
) -> None:
    conversation, (_question, answer) = visitor.start(scripted(gates={"held": 1}), CLAUDE)
    before = anatomy(conversation)
    for verb in ("retry", "continue", "fork"):
        refused = act(visitor, conversation, answer, verb)
        assert refused.status_code == 409
        assert "still being written" in refused.text
    assert anatomy(conversation) == before
    httpx.post(f"{vendor.base_url}/_simulator/gates/held")
    finished(visitor, conversation)


def test_an_edit_and_a_retry_do_not_wait_for_answers_elsewhere(
    visitor: Visitor, vendor: ThreadServer
) -> None:
    conversation, (question, answer) = ask(visitor)
    asked = visitor.send(conversation, scripted("Slow.", text="Slowly.", gates={"held": 1}), CLAUDE)
    slow, slow_answer = turns_in(asked.text)
    assert act(visitor, conversation, answer, "retry").status_code == 200
    assert act(visitor, conversation, slow, "edit").status_code == 200
    assert act(visitor, conversation, question, "edit").status_code == 200
    httpx.post(f"{vendor.base_url}/_simulator/gates/held")
    all_ended(visitor, conversation)
    assert Message.objects.get(id=slow_answer.id).text == "Slowly."
    assert (
        Run.objects.filter(status="completed").count()
        == Message.objects.filter(role="assistant").count()
        == 5
    )
    must_be_whole(conversation)


def test_a_send_below_an_older_answer_says_where_it_stands(visitor: Visitor) -> None:
    conversation, (_question, answer) = ask(visitor)
    appended = visitor.send(conversation, scripted(deltas=1), CLAUDE, parent=answer.id)
    assert "X-Parley-After" not in appended.headers
    finished(visitor, conversation)
    sibling = visitor.send(conversation, scripted(deltas=1), CLAUDE, parent=answer.id)
    assert sibling.headers["X-Parley-After"] == answer.id
    assert version_of(turns_in(sibling.text)[0]) == "2 of 2"
    finished(visitor, conversation)


def test_showing_a_branch_takes_the_page_to_its_latest_end(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    first = follow_up(visitor, conversation, "First.")
    first += follow_up(visitor, conversation, "Deeper.")
    second = follow_up(visitor, conversation, "Second.", parent=answer.id)
    assert Conversation.objects.get().head_id == second[-1]
    shown = show(visitor, conversation, first[0])
    assert shown.status_code == 200
    assert shown.headers["X-Parley-After"] == answer.id
    assert ids(turns_in(shown.text)) == [str(one) for one in first]
    assert version_of(turns_in(shown.text)[0]) == "1 of 2"
    assert ids(visitor.turns(conversation)) == [question.id, answer.id, *map(str, first)]
    whole = show(visitor, conversation, question)
    assert whole.headers["X-Parley-After"] == ""
    assert ids(turns_in(whole.text))[2:] == [str(one) for one in second], "the latest of both"


def test_what_follows_a_turn_is_told_by_its_branch(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    old = follow_up(visitor, conversation, "Old.")
    new = follow_up(visitor, conversation, "New.", parent=answer.id)
    at = f"/c/{conversation}/turns/?after="
    after = visitor.http.get(at + answer.id)
    assert after.headers["X-Parley-After"] == answer.id
    assert ids(turns_in(after.text)) == [str(one) for one in new]
    nothing_new = visitor.http.get(at + str(new[-1]))
    assert (nothing_new.headers["X-Parley-After"], turns_in(nothing_new.text)) == (str(new[-1]), [])
    for elsewhere in (str(old[-1]), "", "not-an-id", conversation):
        whole = visitor.http.get(at + elsewhere)
        assert whole.headers["X-Parley-After"] == ""
        assert ids(turns_in(whole.text)) == [question.id, answer.id, *map(str, new)]


def test_an_act_raises_the_version_by_one_and_rings_once(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, (question, answer) = ask(visitor)
    held = scripted("Held.", gates={"held": 1})
    with visitor.listen(conversation) as page:
        version = Conversation.objects.get().version
        for told, request in [
            (["settings"], lambda: visitor.post(f"/c/{conversation}/settings/", system="Be brief.")),
            (["turns", "sidebar"], lambda: act(visitor, conversation, question, "edit", text=held)),
            (["turns"], lambda: show(visitor, conversation, question)),
            (["turns", "sidebar"], lambda: act(visitor, conversation, question, "delete")),
            (["turns", "sidebar"], lambda: act(visitor, conversation, question, "restore")),
        ]:
            made = request()
            assert made.status_code == 200, made.text
            version += 1
            assert made.headers.get("X-Parley-Version", str(version)) == str(version)
            frame = page.hear_until("changed", version=version)
            assert (frame["conversation"], frame["what"]) == (conversation, told)
        assert Conversation.objects.get().version == version
    httpx.post(f"{vendor.base_url}/_simulator/gates/held")
    all_ended(visitor, conversation)
    assert answer.id in ids(visitor.turns(conversation))


def test_settings_are_shown_as_they_are(visitor: Visitor) -> None:
    conversation, _turns = ask(visitor)
    visitor.post(f"/c/{conversation}/settings/", system="Be <brief>.", max_tokens="77")
    shown = visitor.http.get(f"/c/{conversation}/settings/")
    assert shown.status_code == 200
    assert "Be &lt;brief&gt;." in shown.text
    assert 'value="77"' in shown.text
    assert "data-saved" not in shown.text


def test_a_continued_answer_goes_on_below_itself(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, (_question, answer) = ask(visitor, deltas=8, cut_after=6)
    other = follow_up(visitor, conversation, parent=answer.id)
    went_on = done(visitor, conversation, answer, "continue")
    assert went_on.headers["X-Parley-After"] == answer.id
    assert version_of(turns_in(went_on.text)[0]) == "2 of 2"
    assert Message.objects.filter(parent=answer.id).count() == 2
    assert Message.objects.filter(id=other[0]).exists()
    recent = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    bodies = [json.loads(request["body"]) for request in recent if request["body"]]
    assert [body for body in bodies if "go on exactly" in str(body["messages"][-1]["content"])]


def test_a_plain_send_asks_nothing_about_siblings(
    owner: User, client: Client, vendor: ThreadServer, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client.force_login(owner)
    host, fields = {"host": "localhost"}, {"text": "Hello", "model": CLAUDE}
    client.post("/c/", fields, headers=host)
    conversation, answer = Conversation.objects.get(), Message.objects.get(role="assistant")
    Message.objects.filter(id=answer.id).update(status="completed")
    where = f"/c/{conversation.id}/messages/"
    with django_assert_max_num_queries(11) as plain:
        assert client.post(where, {**fields, "parent": str(answer.id)}, headers=host).status_code == 200
    read = [query["sql"] for query in plain.captured_queries if query["sql"].lstrip().startswith("SELECT")]
    assert not [query for query in read if "chat_message" in query]
    with django_assert_max_num_queries(12):
        beside = client.post(where, {**fields, "parent": str(answer.id)}, headers=host)
    assert version_of(turns_in(beside.content.decode())[0]) == "2 of 2"
