"""Several keys of one owner for one provider: how calls are spread, ranks, pauses, rotation dates."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.utils import timezone

from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys.actions import Settings
from accounts.keys.credentials import for_call
from accounts.models import Credential, User

from .conftest import GOOD_KEY, Vendor, signed_in
from .test_own_keys import of_everyone, page, stored

SPACE = UUID("5d1f9c6e-0000-4000-8000-000000000000")
CONVERSATIONS = [uuid5(SPACE, str(number)) for number in range(200)]


@pytest.fixture
def pool(owner: User) -> list[Credential]:
    return [stored(of_everyone(), label=f"key {number}") for number in range(4)]


def first(person: User, conversation: UUID) -> UUID | None:
    return for_call(person.pk, None, "anthropic", spread_by=conversation)[0].id


def change(credential: Credential, **more: Any) -> None:
    values = {"label": credential.label, "rank": credential.rank, "rotate_by": None, "paused": False} | more
    key_actions.change(credential=credential, settings=Settings(**values))


def test_conversations_are_spread_over_all_keys(owner: User, pool: list[Credential]) -> None:
    used = Counter(first(owner, conversation) for conversation in CONVERSATIONS)
    assert set(used) == {key.pk for key in pool}
    assert min(used.values()) > len(CONVERSATIONS) / len(pool) / 2


def test_a_conversation_stays_with_its_key_and_moves_on_in_one_order(
    owner: User, pool: list[Credential]
) -> None:
    for conversation in CONVERSATIONS[:5]:
        order = [choice.id for choice in for_call(owner.pk, None, "anthropic", spread_by=conversation)]
        assert len(order) == 4
        again = [choice.id for choice in for_call(owner.pk, None, "anthropic", spread_by=conversation)]
        assert again == order


def test_a_key_that_fails_moves_only_its_own_conversations(owner: User, pool: list[Credential]) -> None:
    before = {conversation: first(owner, conversation) for conversation in CONVERSATIONS}
    credentials.mark_invalid(pool[0].pk, "refused")
    for conversation, key in before.items():
        after = first(owner, conversation)
        assert (after == key) == (key != pool[0].pk)


def test_ranks_come_before_turns(owner: User, pool: list[Credential]) -> None:
    change(pool[2], rank=Credential.Rank.FIRST)
    change(pool[1], rank=Credential.Rank.LAST)
    for conversation in CONVERSATIONS[:20]:
        order = [choice.id for choice in for_call(owner.pk, None, "anthropic", spread_by=conversation)]
        assert (order[0], order[-1]) == (pool[2].pk, pool[1].pk)


def test_a_paused_key_serves_nothing_until_it_is_resumed(owner: User, pool: list[Credential]) -> None:
    change(pool[0], paused=True)
    assert pool[0].pk not in {first(owner, conversation) for conversation in CONVERSATIONS}
    for key in pool[1:]:
        change(key, paused=True)
    assert for_call(owner.pk, None, "anthropic") == []
    assert credentials.usable_providers(owner.pk, None) == set()
    reason = credentials.blocked_reason(owner.pk, None, "anthropic")
    assert reason == "The organisation's Anthropic key is paused. An owner or admin can resume it."
    change(pool[0], paused=False)
    assert [choice.id for choice in for_call(owner.pk, None, "anthropic")] == [pool[0].pk]


def test_a_replaced_key_keeps_its_rank(owner: User, pool: list[Credential], vendor: Vendor) -> None:
    change(pool[0], rank=Credential.Rank.LAST)
    signed_in(owner).post(f"/manage/keys/{pool[0].pk}/replace/", {"secret": GOOD_KEY})
    assert Credential.objects.get(hint="7731").rank == Credential.Rank.LAST


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (200, "Due in 200 days"),
        (9, "Due in 9 days"),
        (1, "Due in 1 day"),
        (0, "Due today"),
        (-1, "Overdue by 1 day"),
        (-30, "Overdue by 30 days"),
    ],
)
def test_the_page_counts_the_days_to_a_rotation(owner: User, days: int, said: str) -> None:
    key = stored(of_everyone())
    day = timezone.localdate() + timedelta(days=days)
    Credential.objects.filter(pk=key.pk).update(rotate_by=day)
    shown = page(signed_in(owner), "/manage/keys/")
    assert said in shown
    assert ('<span class="tag" data-kind="danger">Overdue' in shown) == (days < 0)
    assert credentials.for_call(owner.pk, None, "anthropic"), "nothing stops by itself"


def test_a_date_that_has_passed_does_not_keep_the_rest_from_being_saved(owner: User) -> None:
    key = stored(of_everyone())
    day = timezone.localdate() - timedelta(days=3)
    Credential.objects.filter(pk=key.pk).update(rotate_by=day)
    path = f"/manage/keys/{key.pk}/change/"
    signed_in(owner).post(path, {"label": "still here", "rank": "1", "rotate_by": day.isoformat()})
    key.refresh_from_db()
    assert (key.label, key.rotate_by) == ("still here", day)
