"""What a send accepts, refuses and ignores."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from accounts.models import User
from chat import drain
from chat.models import Conversation, Message, Run
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.live import LiveServer, Visitor
from usage.models import LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": ""}, 400),
        ({"text": " \n\t"}, 400),
        ({"text": "x" * 1_000_001}, 400),
        ({"client_id": "not an id"}, 400),
        ({"model": ""}, 400),
        ({"model": "anthropic/claude-unheard-of"}, 409),
        ({"model": "anthropic/claude-mythos-5-2"}, 409),
        ({"model": "../../etc/passwd"}, 409),
        ({"max_tokens": "-1"}, 400),
        ({"max_tokens": "1e9"}, 400),
        ({"thinking": "sideways"}, 400),
        ({"system": "x" * 100_001}, 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_made(
    visitor: Visitor, fields: dict[str, str], status: int
) -> None:
    sent = {"text": "Hello", "model": CLAUDE, "client_id": str(uuid4())} | fields
    answer = visitor.post("/c/", **sent)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert not Conversation.objects.exists()
    assert not LedgerLine.objects.exists()


def test_fields_that_are_not_the_senders_are_ignored(visitor: Visitor, owner: User, stranger: User) -> None:
    conversation, _turns = visitor.start(
        scripted(deltas=1),
        CLAUDE,
        owner=str(stranger.id),
        id=str(uuid4()),
        cost="0",
        role="assistant",
        version="99",
    )
    finished(visitor, conversation)
    made = Conversation.objects.get()
    assert (made.owner_id, str(made.id)) == (owner.id, conversation)
    assert Message.objects.get(parent=None).role == "user"


def test_text_that_no_database_takes_is_cleaned_and_the_rest_kept(visitor: Visitor) -> None:
    conversation, _turns = visitor.start("a\x00b\r\nc\u2028d\ufeffe\n" + scripted("", deltas=1), CLAUDE)
    finished(visitor, conversation)
    assert Message.objects.get(parent=None).text.startswith("ab\nc\u2028d\ufeffe\n")
    assert visitor.http.get(f"/c/{conversation}/").status_code == 200


def test_a_message_id_under_another_conversation_is_not_found(visitor: Visitor) -> None:
    one, (_question, answer) = visitor.start(scripted(deltas=1), CLAUDE)
    other, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, one)
    finished(visitor, other)
    assert visitor.http.get(f"/c/{other}/m/{answer.id}/").status_code == 404
    assert visitor.post(f"/c/{other}/m/{answer.id}/continue/").status_code == 404
    refused = visitor.send(other, "Hello", CLAUDE, parent=answer.id)
    assert refused.status_code == 409
    assert Message.objects.filter(conversation=other).count() == 2


def test_without_a_csrf_token_nothing_is_sent(visitor: Visitor) -> None:
    plain = {"text": "Hello", "model": CLAUDE}
    assert visitor.http.post("/c/", data=plain).status_code == 403
    as_text = {"content-type": "text/plain"}
    assert visitor.http.post("/c/", content='{"text":"Hello"}', headers=as_text).status_code == 403
    assert not Conversation.objects.exists()


def test_get_sends_and_stops_nothing(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    for path in ("/c/", f"/c/{conversation}/messages/", f"/c/{conversation}/m/{answer.id}/stop/"):
        assert visitor.http.get(path).status_code == 405
    assert Message.objects.count() == 2


def test_two_sends_at_once_with_one_parent_make_two_siblings(visitor: Visitor) -> None:
    conversation, (_question, answer) = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    with ThreadPoolExecutor(2) as pool:
        sent = list(
            pool.map(
                lambda text: visitor.send(conversation, scripted(text, deltas=1), CLAUDE, parent=answer.id),
                ["one", "two"],
            )
        )
    assert [one.status_code for one in sent] == [200, 200]
    assert Message.objects.filter(parent=answer.id).count() == 2
    head = Conversation.objects.get().head
    assert head is not None
    assert head.parent in Message.objects.filter(parent=answer.id)
    assert Run.objects.values("message").distinct().count() == Run.objects.count()
    for run in Run.objects.filter(status__in=Run.LIVE):
        with visitor.listen(conversation, {str(run.id): 0}) as page:
            page.hear_until("finished", run=str(run.id))


def test_retry_makes_another_answer_beside_the_failed_one(visitor: Visitor) -> None:
    conversation, (question, answer) = visitor.start(
        scripted(status=400, times=1, then={"text": "Now."}), CLAUDE
    )
    finished(visitor, conversation)
    assert visitor.post(f"/c/{conversation}/m/{answer.id}/retry/").status_code == 200
    finished(visitor, conversation)
    assert [turn.text for turn in visitor.turns(conversation)][1:] == ["Now."]
    assert Message.objects.filter(parent=question.id).count() == 2


def test_a_draining_server_takes_nothing_new_and_says_that_the_text_is_kept(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_begun", True)
    answer = visitor.post("/c/", text="Hello", model=CLAUDE)
    assert answer.status_code == 503
    assert "kept" in answer.text
    assert visitor.http.get("/readyz").status_code == 503
    assert visitor.http.get("/healthz").status_code == 200


def test_settings_are_kept_for_the_next_answers(visitor: Visitor, vendor: Any) -> None:
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    saved = visitor.post(f"/c/{conversation}/settings/", system="Be brief.", max_tokens="77", thinking="")
    assert saved.status_code == 200
    assert visitor.send(conversation, scripted(deltas=1), CLAUDE).status_code == 200
    finished(visitor, conversation)
    requests = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    asked = [json.loads(request["body"]) for request in requests if request["body"]]
    assert [body["system"] for body in asked if body["max_tokens"] == 77] == ["Be brief."]


def test_anonymous_visitors_are_sent_to_the_door(server: LiveServer, owner: User) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as nobody:
        for path in ("/", f"/c/{uuid4()}/", "/sidebar/"):
            answer = nobody.get(path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (302, "/login/")


def test_a_page_takes_few_queries_however_long_the_conversation(
    visitor: Visitor, django_assert_max_num_queries: Callable[[int], Any], owner: User, client: Any
) -> None:
    conversation, _turns = visitor.start(scripted(deltas=1), CLAUDE)
    finished(visitor, conversation)
    for _ in range(3):
        visitor.send(conversation, scripted(deltas=1), CLAUDE)
        finished(visitor, conversation)
    client.force_login(owner)
    client.get(f"/c/{conversation}/", headers={"host": "localhost"})
    with django_assert_max_num_queries(16):
        assert client.get(f"/c/{conversation}/", headers={"host": "localhost"}).status_code == 200
