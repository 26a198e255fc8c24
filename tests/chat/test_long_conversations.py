"""Ten thousand messages: a page shows the last of them, and the others when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from chat import pages
from chat.models import Conversation, Message
from tests.chat.conftest import CLAUDE
from tests.live import turns_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

MESSAGES = 10_000
HOST = {"host": "localhost"}


def conversation_of(owner: User, length: int) -> Conversation:
    """A conversation of so many messages; the text of each is its number."""
    conversation = Conversation.objects.create(owner=owner, title="Long", model=CLAUDE)
    messages: list[Message] = []
    for number in range(length):
        asked = number % 2 == 0
        messages.append(
            Message(
                conversation=conversation,
                parent=messages[-1] if messages else None,
                role="user" if asked else "assistant",
                author=owner if asked else None,
                model="" if asked else CLAUDE,
                blocks_text=json.dumps([{"type": "text", "text": str(number)}]),
            )
        )
    Message.objects.bulk_create(messages, batch_size=500)
    Conversation.objects.filter(id=conversation.id).update(head=messages[-1])
    conversation.refresh_from_db()
    return conversation


@pytest.fixture
def long(owner: User) -> Conversation:
    return conversation_of(owner, MESSAGES)


@pytest.fixture
def signed_in(client: Client, owner: User) -> Client:
    client.force_login(owner)
    client.get("/", headers=HOST)
    return client


def numbers(markup: str) -> list[int]:
    return [int(turn.text) for turn in turns_in(markup)]


def test_a_page_reads_and_shows_the_last_turns_alone(
    long: Conversation, signed_in: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_max_num_queries(14):
        page = signed_in.get(f"/c/{long.id}/", headers=HOST).text
    assert numbers(page) == list(range(MESSAGES - pages.LENGTH, MESSAGES))


def test_earlier_turns_come_page_by_page_to_the_first(owner: User, signed_in: Client) -> None:
    length = 3 * pages.LENGTH + 1
    conversation = conversation_of(owner, length)
    shown = turns_in(signed_in.get(f"/c/{conversation.id}/", headers=HOST).text)
    fetched, first = [shown], shown[0].id
    while first:
        answer = signed_in.get(f"/c/{conversation.id}/turns/?before={first}", headers=HOST)
        assert "X-Parley-After" not in answer.headers
        earlier = turns_in(answer.text)
        fetched.insert(0, earlier)
        first = earlier[0].id if f'<earlier-turns before="{earlier[0].id}"' in answer.text else ""
    assert [len(page) for page in fetched] == [1, pages.LENGTH, pages.LENGTH, pages.LENGTH]
    assert [int(turn.text) for page in fetched for turn in page] == list(range(length))


def test_a_page_from_the_middle_reads_no_more_than_its_turns(
    long: Conversation, signed_in: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    middle = long.path()[MESSAGES // 2]
    with django_assert_max_num_queries(9):
        answer = signed_in.get(f"/c/{long.id}/turns/?before={middle.id}", headers=HOST)
    assert numbers(answer.text) == list(range(MESSAGES // 2 - pages.LENGTH, MESSAGES // 2))


def test_before_the_first_turn_there_is_none(long: Conversation, signed_in: Client) -> None:
    first = Message.objects.get(conversation=long, parent=None)
    answer = signed_in.get(f"/c/{long.id}/turns/?before={first.id}", headers=HOST)
    assert (answer.status_code, turns_in(answer.text)) == (200, [])


def test_a_turn_far_behind_gets_the_last_page(
    long: Conversation, signed_in: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    path = long.path()
    for behind, after in ((10, True), (pages.LENGTH, True), (pages.LENGTH + 1, False), (MESSAGES - 1, False)):
        known = path[-1 - behind]
        with django_assert_max_num_queries(8):
            answer = signed_in.get(f"/c/{long.id}/turns/?after={known.id}", headers=HOST)
        assert answer.headers["X-Parley-After"] == (str(known.id) if after else "")
        assert len(turns_in(answer.text)) == (behind if after else pages.LENGTH)
        assert ("<earlier-turns" in answer.text) == (not after)


def test_showing_a_long_branch_answers_with_its_last_page(long: Conversation, signed_in: Client) -> None:
    first = Message.objects.get(conversation=long, parent=None)
    other = Message.objects.create(
        conversation=long, role="user", author=long.owner, blocks_text='[{"type":"text","text":"0"}]'
    )
    Conversation.objects.filter(id=long.id).update(head=other)
    shown = signed_in.post(f"/c/{long.id}/head/", {"message": str(first.id)}, headers=HOST)
    assert shown.headers["X-Parley-After"] == ""
    assert numbers(shown.text) == list(range(MESSAGES - pages.LENGTH, MESSAGES))
    assert "<earlier-turns" in shown.text


def test_a_long_conversation_is_deleted_restored_and_forked_whole(
    long: Conversation, signed_in: Client
) -> None:
    first = Message.objects.get(conversation=long, parent=None)
    deleted = signed_in.post(f"/c/{long.id}/m/{first.id}/delete/", headers=HOST)
    assert f"Deleted {MESSAGES} messages." in deleted.text
    restored = signed_in.post(f"/c/{long.id}/m/{first.id}/restore/", headers=HOST)
    assert numbers(restored.text) == list(range(MESSAGES - pages.LENGTH, MESSAGES))
    forked = signed_in.post(f"/c/{long.id}/m/{long.head_id}/fork/", headers=HOST)
    copy = Conversation.objects.get(id=forked.headers["HX-Redirect"].strip("/").split("/")[-1])
    assert [message.text for message in copy.path()] == [str(number) for number in range(MESSAGES)]
