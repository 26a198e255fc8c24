"""Conversations go so many days after their last change, where an admin has said so; their costs stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts import actions
from accounts.models import AuditEvent, Organisation, User
from accounts.sign_in import first_visit
from chat import retention
from chat.models import Conversation, JournalEntry, Message, Run
from tests.live import PASSWORD, Visitor
from tests.usage.lines import line
from usage.ledger import rollup
from usage.models import DailyUsage, LedgerLine

KEEP = "/manage/settings/conversations/"
NOW = datetime.now(UTC)
DEMO = "demo/parley-demo"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.fixture(autouse=True)
def _seen_nothing(settings: Any) -> Iterator[None]:
    settings.SETUP_CODE_REQUIRED = False
    settings.PROVIDER_ENVIRONMENT = {}
    for forget in (first_visit.forget, cache.clear):
        forget()
    yield
    for forget in (first_visit.forget, cache.clear):
        forget()


@pytest.fixture
def owner(transactional_db: None) -> User:
    """Decides how long conversations are kept."""
    return actions.found(
        organisation="Lighthouse", email="olga@example.org", password=PASSWORD, display_name="Olga"
    )


@pytest.fixture
def member(owner: User) -> User:
    """Has conversations."""
    return actions.create_user(email="mo@example.org", password=PASSWORD, display_name="Mo")


def by_password(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.post("/login/", {"login": person.email, "password": PASSWORD})
    return client


def conversation(owner: User, title: str, *, days: float, messages: int = 2) -> Conversation:
    """One whose last change is so many days ago, with a run that has left something of its journal."""
    made = Conversation.objects.create(owner=owner, title=title, model=DEMO)
    text = json.dumps([{"type": "text", "text": f"{title}?"}])
    parent = None
    for number in range(messages):
        parent = Message.objects.create(
            conversation=made,
            parent=parent,
            role="assistant" if number % 2 else "user",
            author=None if number % 2 else owner,
            blocks_text=text,
        )
    run = Run.objects.create(message=parent, conversation=made, status="interrupted", host="gone")
    JournalEntry.objects.bulk_create(JournalEntry(run=run, seq=seq, events="[]") for seq in range(1, 4))
    touched = NOW - timedelta(days=days)
    Conversation.objects.filter(pk=made.pk).update(head=parent, changed_at=touched, active_at=touched)
    return made


def an_hour_later() -> None:
    """Everything that was hidden was hidden long enough ago."""
    hidden = Conversation.objects.filter(version=0)
    hidden.update(changed_at=NOW - 2 * retention.HIDDEN_FOR)


def keep(days: int | None) -> None:
    Organisation.objects.update(retention_days=days)


def titles() -> set[str]:
    return set(Conversation.objects.filter(version__gt=0).values_list("title", flat=True))


def test_nothing_goes_unless_somebody_has_said_so(member: User) -> None:
    conversation(member, "Old", days=4000)
    retention.enforce()
    an_hour_later()
    retention.enforce()
    assert titles() == {"Old"}


def test_what_is_over_goes_and_what_was_touched_stays(member: User) -> None:
    old, new = conversation(member, "Old", days=31), conversation(member, "New", days=29)
    keep(30)
    client = by_password(member)
    assert client.get(f"/c/{old.pk}/").status_code == 200
    retention.enforce()
    assert client.get(f"/c/{old.pk}/").status_code == 404
    assert client.get(f"/c/{new.pk}/").status_code == 200
    listed = client.get("/sidebar/").content.decode()
    assert "New" in listed and "Old" not in listed
    assert Message.objects.filter(conversation=old).exists(), "somebody may still be writing there"
    an_hour_later()
    retention.enforce()
    assert titles() == {"New"}
    for rows in (Message.objects, Run.objects):
        assert set(rows.values_list("conversation", flat=True)) == {new.pk}  # type: ignore[attr-defined]
    assert JournalEntry.objects.count() == 3


def test_one_that_is_being_answered_stays(member: User) -> None:
    kept = [conversation(member, status, days=90) for status in ("queued", "running", "waiting")]
    for one in kept:
        Run.objects.filter(conversation=one).update(status=one.title)
    keep(30)
    retention.enforce()
    assert titles() == {"queued", "running", "waiting"}
    Run.objects.update(status="completed")
    retention.enforce()
    assert titles() == set()


def test_who_spoke_at_the_last_moment_keeps_the_conversation(member: User) -> None:
    """A turn that began before it was hidden is committed after: it is found again, whole."""
    one = conversation(member, "Old", days=90)
    keep(30)
    retention.enforce()
    Conversation.objects.filter(pk=one.pk).update(version=1, changed_at=datetime.now(UTC))
    an_hour_later()
    retention.enforce()
    assert titles() == {"Old"} and Message.objects.filter(conversation=one).count() == 2


def test_usage_does_not_vanish_with_it(member: User) -> None:
    one = conversation(member, "Old", days=90)
    day = NOW.date()
    paid = line(user=member.pk, conversation=one.pk, cost_nano=5_000_000, accounted_at=NOW, day=day)
    rollup.add([paid])
    before = [list(rows.values()) for rows in (LedgerLine.objects.all(), DailyUsage.objects.all())]
    keep(30)
    retention.enforce()
    an_hour_later()
    retention.enforce()
    assert not Conversation.objects.exists()
    assert [list(rows.values()) for rows in (LedgerLine.objects.all(), DailyUsage.objects.all())] == before
    assert "$0.005" in by_password(member).get("/usage/calls/").content.decode()


def test_a_long_one_goes_in_short_transactions_with_all_its_branches(member: User) -> None:
    one = conversation(member, "Long", days=90, messages=130)
    first = Message.objects.filter(conversation=one).order_by("id").first()
    assert first is not None
    # A branch whose rows are older than what they hang on, as by a machine whose clock is behind.
    Message.objects.create(
        id="01900000-0000-7000-8000-000000000001",
        conversation=one,
        parent=Message.objects.filter(conversation=one).order_by("-id")[1],
        role="user",
        author=member,
    )
    keep(30)
    retention.enforce()
    an_hour_later()
    most = 0

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal most
        result = execute(sql, params, many, context)
        if sql.startswith("DELETE"):
            most = max(most, context["cursor"].rowcount)
        return result

    with connection.execute_wrapper(watch):
        retention.enforce()
    assert not Conversation.objects.exists() and not Message.objects.exists()
    assert 0 < most <= 25


def test_what_a_killed_process_left_goes_with_the_next_round(member: User) -> None:
    one = conversation(member, "Half gone", days=90, messages=60)
    keep(30)
    retention.enforce(seconds=-1)  # time is up after the first step
    assert titles() == set() and Message.objects.filter(conversation=one).count() == 60
    an_hour_later()
    Message.objects.filter(conversation=one, children=None).delete()
    retention.enforce()
    assert not Conversation.objects.exists()


def test_it_is_in_the_audit_log_by_numbers(member: User) -> None:
    for title in ("One", "Two"):
        conversation(member, title, days=90)
    keep(30)
    retention.enforce()
    event = AuditEvent.objects.get(verb="conversations.removed")
    assert json.loads(event.after) == {"conversations": 2, "kept_days": 30}
    assert event.actor is None and "One" not in event.name + event.after


def test_an_open_page_hears_that_its_list_is_shorter(visitor: Visitor, owner: User) -> None:
    one = conversation(owner, "Old", days=90)
    keep(30)
    with visitor.listen() as page:
        retention.enforce()
        assert page.hear_until("changed", conversation=str(one.pk))["what"] == ["sidebar"]
    assert "Old" not in visitor.http.get("/sidebar/").text


# The page


def test_a_shorter_time_says_first_what_would_go(owner: User, member: User) -> None:
    conversation(member, "Old", days=90)
    client = by_password(owner)
    page = client.post(KEEP, {"days": 30})
    assert page.status_code == 200 and b"1 conversation of 1 person would be deleted" in page.content
    assert Organisation.objects.get().retention_days is None
    assert client.post(KEEP, {"days": 20, "agreed": 30}).status_code == 200, "another time than was agreed"
    assert client.post(KEEP, {"days": 30, "agreed": 30}).status_code == 302
    assert Organisation.objects.get().retention_days == 30
    event = AuditEvent.objects.get(verb="retention.changed")
    assert (event.actor, json.loads(event.before), json.loads(event.after)) == (
        owner.pk,
        {"days": None},
        {"days": 30},
    )


def test_who_it_is_is_asked_before_anything_can_go(owner: User) -> None:
    client = Client(headers={"host": "localhost"})
    client.force_login(owner)
    answer = client.post(KEEP, {"days": 30, "agreed": 30})
    assert answer.headers["Location"].startswith("/settings/security/confirm/")
    assert Organisation.objects.get().retention_days is None


def test_a_longer_time_counts_at_once(owner: User) -> None:
    keep(30)
    client = by_password(owner)
    assert client.post(KEEP, {"days": 60}).status_code == 302
    assert client.post(KEEP, {"days": ""}).status_code == 302
    assert Organisation.objects.get().retention_days is None


@pytest.mark.parametrize("days", ["0", "-1", "3651", "soon", "9" * 400])
def test_a_time_that_is_none_is_refused(owner: User, days: str) -> None:
    assert by_password(owner).post(KEEP, {"days": days, "agreed": days}).status_code == 422
    assert Organisation.objects.get().retention_days is None


def test_people_are_told_in_the_chat(member: User) -> None:
    client = by_password(member)
    assert "after their last change" not in client.get("/").content.decode()
    keep(30)
    assert "Conversations are deleted 30 days after their last change." in client.get("/").content.decode()
