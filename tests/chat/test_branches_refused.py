"""What branches refuse: strangers, what is not there, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from accounts.models import User
from chat import drain
from chat.models import Conversation, Message
from tests.chat.conftest import CLAUDE
from tests.chat.trees import act, anatomy, ask, ids
from tests.live import LiveServer, Visitor, turns_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

# method, address below the conversation ({q} its question, {a} its answer), fields
ROWS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "", {}),
    ("GET", "settings/", {}),
    ("GET", "turns/?after={q}", {}),
    ("GET", "turns/?before={a}", {}),
    ("GET", "m/{a}/", {}),
    ("POST", "settings/", {"system": "Be brief."}),
    ("POST", "messages/", {"text": "Hello", "model": CLAUDE}),
    ("POST", "m/{q}/edit/", {"text": "Hello", "model": CLAUDE}),
    ("POST", "m/{a}/retry/", {}),
    ("POST", "m/{a}/continue/", {}),
    ("POST", "m/{a}/stop/", {}),
    ("POST", "head/", {"message": "{q}"}),
    ("POST", "m/{q}/delete/", {}),
    ("POST", "m/{q}/restore/", {}),
    ("POST", "m/{a}/fork/", {}),
]
row_of = pytest.mark.parametrize(
    ("method", "address", "fields"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS]
)


def request(
    who: Visitor, method: str, conversation: str, address: str, fields: dict[str, str], **names: str
) -> httpx.Response:
    path = f"/c/{conversation}/{address.format(**names)}"
    if method == "GET":
        return who.http.get(path)
    return who.post(path, **{name: value.format(**names) for name, value in fields.items()})


@row_of
def test_a_stranger_finds_nothing_and_changes_nothing(
    visitor: Visitor,
    sign_in: Callable[[str], Visitor],
    stranger: User,
    method: str,
    address: str,
    fields: dict[str, str],
) -> None:
    conversation, (question, answer) = ask(visitor)
    before, version = anatomy(conversation), Conversation.objects.get().version
    sam, names = sign_in(stranger.email), {"q": question.id, "a": answer.id}
    theirs = request(sam, method, conversation, address, fields, **names)
    nobodys = request(sam, method, str(uuid4()), address, fields, **names)
    assert (theirs.status_code, theirs.text) == (404, nobodys.text)
    assert anatomy(conversation) == before
    assert Conversation.objects.get().version == version
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize(
    ("method", "address", "fields"),
    [row for row in ROWS if "{" in row[1] + "".join(row[2].values()) and "after" not in row[1]],
    ids=lambda value: str(value),
)
def test_messages_of_another_conversation_of_ones_own_are_not_found(
    visitor: Visitor, method: str, address: str, fields: dict[str, str]
) -> None:
    conversation, (question, answer) = ask(visitor)
    other, _turns = ask(visitor)
    before = [anatomy(conversation), anatomy(other)]
    found = request(visitor, method, other, address, fields, q=question.id, a=answer.id)
    assert found.status_code == 404
    assert [anatomy(conversation), anatomy(other)] == before
    assert Conversation.objects.count() == 2


@row_of
def test_nobody_is_sent_to_the_door(
    server: LiveServer, visitor: Visitor, method: str, address: str, fields: dict[str, str]
) -> None:
    somewhere, names = str(uuid4()), {"q": str(uuid4()), "a": str(uuid4())}
    nobody = Visitor(server.url)
    with nobody.http:
        nobody.http.follow_redirects = False
        answer = request(nobody, method, somewhere, address, fields, **names)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (302, "/login/")


@pytest.mark.parametrize(
    ("verb", "to", "fields", "status"),
    [
        ("edit", "question", {"text": ""}, 400),
        ("edit", "question", {"text": " \n\t"}, 400),
        ("edit", "question", {"text": "x" * 1_000_001}, 400),
        ("edit", "question", {"client_id": "not an id"}, 400),
        ("edit", "question", {"model": ""}, 400),
        ("edit", "question", {"model": "anthropic/claude-unheard-of"}, 409),
        ("edit", "question", {"model": "anthropic/claude-mythos-5-2"}, 409),
        ("edit", "answer", {}, 404),
        ("edit", "nothing", {}, 404),
        ("retry", "answer", {"client_id": "not an id"}, 400),
        ("retry", "answer", {"model": "x" * 201}, 400),
        ("retry", "answer", {"model": "../../etc/passwd"}, 409),
        ("retry", "answer", {"model": "anthropic/claude-mythos-5-2"}, 409),
        ("retry", "question", {}, 404),
        ("retry", "nothing", {}, 404),
        ("continue", "answer", {"client_id": "not an id"}, 400),
        ("continue", "question", {}, 404),
        ("fork", "answer", {"client_id": "not an id"}, 400),
        ("fork", "nothing", {}, 404),
        ("delete", "nothing", {}, 404),
        ("restore", "nothing", {}, 404),
        ("restore", "question", {"head": "not an id"}, 400),
        ("stop", "question", {}, 404),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    visitor: Visitor, verb: str, to: str, fields: dict[str, str], status: int
) -> None:
    conversation, (question, answer) = ask(visitor)
    before = anatomy(conversation)
    message = {"question": question.id, "answer": answer.id, "nothing": str(uuid4())}[to]
    refused = act(visitor, conversation, message, verb, **fields)
    assert refused.status_code == status
    assert status == 404 or 'role="alert"' in refused.text
    assert anatomy(conversation) == before
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 400), ({"message": ""}, 400), ({"message": "x"}, 400), ({"message": str(uuid4())}, 404)],
    ids=["none", "empty", "garbage", "unknown"],
)
def test_only_a_branch_of_this_conversation_is_shown(
    visitor: Visitor, fields: dict[str, str], status: int
) -> None:
    conversation, _turns = ask(visitor)
    assert visitor.post(f"/c/{conversation}/head/", **fields).status_code == status


@pytest.mark.parametrize("before", ["", "not-an-id", str(uuid4()), "0" * 33])
def test_before_nothing_there_is_nothing(visitor: Visitor, before: str) -> None:
    conversation, _turns = ask(visitor)
    assert visitor.http.get(f"/c/{conversation}/turns/?before={before}").status_code == 404


def test_undo_shows_a_branch_of_its_own_whatever_head_it_is_told(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    _other, (_question, foreign) = ask(visitor)
    for head in (str(uuid4()), foreign.id, question.id):
        act(visitor, conversation, question, "delete")
        restored = act(visitor, conversation, question, "restore", head=head)
        assert ids(turns_in(restored.text)) == [question.id, answer.id]
        assert str(Conversation.objects.get(id=conversation).head_id) == answer.id


def test_without_a_csrf_token_branches_stay_as_they_are(visitor: Visitor) -> None:
    conversation, (question, answer) = ask(visitor)
    before = anatomy(conversation)
    for method, address, fields in ROWS:
        if method == "POST":
            names = {"q": question.id, "a": answer.id}
            data = {name: value.format(**names) for name, value in fields.items()}
            path = f"/c/{conversation}/{address.format(**names)}"
            assert visitor.http.post(path, data=data).status_code == 403
            if address != "settings/":
                assert visitor.http.get(path).status_code == 405
    assert anatomy(conversation) == before


@pytest.mark.parametrize("verb", ["edit", "retry", "continue"])
def test_a_draining_server_begins_no_answer(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    conversation, (question, answer) = ask(visitor)
    before = anatomy(conversation)
    monkeypatch.setattr(drain, "_begun", True)
    refused = act(visitor, conversation, question if verb == "edit" else answer, verb)
    assert refused.status_code == 503
    assert "kept" in refused.text
    assert anatomy(conversation) == before


@pytest.mark.parametrize("verb", ["retry", "continue"])
def test_a_model_that_is_not_on_offer_any_more_is_not_asked_again(visitor: Visitor, verb: str) -> None:
    conversation, (_question, answer) = ask(visitor, deltas=8, cut_after=6)
    Message.objects.filter(id=answer.id).update(model="anthropic/claude-of-old")
    before = anatomy(conversation)
    refused = act(visitor, conversation, answer, verb)
    assert refused.status_code == 409
    assert "Choose another one." in refused.text
    assert anatomy(conversation) == before
