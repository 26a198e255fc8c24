"""Manage → Audit: read, searched, filtered, taken out as a file, and kept for as long as was decided."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client

from accounts import organisation_policy
from accounts.audit import audit
from accounts.audit import retention as audit_retention
from accounts.audit import view as audit_view
from accounts.audit.audit import Verb
from accounts.duties import do_now
from accounts.models import AuditEvent, User
from config.duties import DUTIES

PAGE = "/manage/audit/"


@pytest.fixture
def events(owner: User, member: User) -> list[AuditEvent]:
    """Of three kinds, by the owner and by no person."""
    with transaction.atomic():
        return [
            audit.record(
                Verb.CREDENTIAL_ADDED, actor=owner, kind="credential", id="k1", name="=HYPERLINK(1)"
            ),
            audit.record(
                Verb.POLICY_CHANGED,
                actor=owner,
                kind="policy",
                id="own_keys",
                before={"own_keys": "nobody"},
                after={"own_keys": "everybody"},
            ),
            audit.record(
                Verb.PERSON_CREATED,
                actor=None,
                via="command",
                kind="person",
                id=member.pk,
                after={"mfa": True},
            ),
        ]


def shown(client: Client, query: str = "") -> str:
    response = client.get(f"{PAGE}{query}")
    assert response.status_code == 200
    text: str = response.content.decode()
    return text


@pytest.mark.django_db
def test_only_admins_find_it(client: Client, owner: User, member: User) -> None:
    for path in (PAGE, "/manage/audit.csv"):
        assert client.get(path).status_code == 302
    client.force_login(member)
    for path in (PAGE, "/manage/audit.csv"):
        assert client.get(path).status_code == 404
    assert client.post("/manage/audit/keep/", {"days": 0}).status_code == 404
    client.force_login(owner)
    assert "Organisation founded" in shown(client)


@pytest.mark.usefixtures("events")
def test_an_event_says_who_what_and_the_change(client: Client, owner: User) -> None:
    client.force_login(owner)
    page = shown(client)
    assert "<del><bdi>nobody</bdi></del> → <bdi>everybody</bdi>" in page
    assert "A command on the server" in page
    assert "<small><bdi>Mo</bdi></small>" in page


@pytest.mark.usefixtures("events")
@pytest.mark.parametrize(
    ("query", "found", "hidden"),
    [
        ("?noun=Keys", "Credential added", "Policy changed"),
        ("?noun=People", "Person created", "Policy changed"),
        ("?q=everybody", "Policy changed", "Credential added"),
        ("?q=mo@example.org", "Person created", "Credential added"),
        ("?q=100%25", "Nothing found", "Policy changed"),
        ("?last=2001-01-01", "Nothing found", "Policy changed"),
    ],
)
def test_filters_narrow_the_list(client: Client, owner: User, query: str, found: str, hidden: str) -> None:
    client.force_login(owner)
    page = shown(client, query)
    assert found in page
    assert hidden not in page.partition("<table")[2]


@pytest.mark.usefixtures("events")
def test_a_filter_that_makes_no_sense_is_said(client: Client, owner: User) -> None:
    client.force_login(owner)
    for query in ("?first=yesterday", "?who=me", "?before=-3"):
        response = client.get(f"{PAGE}{query}")
        assert response.status_code == 422
        assert "not understood" in response.content.decode()


def test_older_events_come_page_by_page(client: Client, owner: User, django_assert_num_queries: Any) -> None:
    with transaction.atomic():
        for number in range(audit_view.PAGE + 7):
            audit.record(Verb.CREDENTIAL_ADDED, actor=owner, kind="credential", name=f"Key {number:03}")
    client.force_login(owner)
    with django_assert_num_queries(9):
        newest = shown(client)
    assert "Key 056" in newest and "Key 006" not in newest
    older = shown(client, f"?before={AuditEvent.objects.get(name='Key 007').number}")
    assert "Key 006" in older and "Key 007" not in older


@pytest.mark.usefixtures("events")
def test_the_file_holds_the_same_events_and_no_formula(client: Client, owner: User) -> None:
    client.force_login(owner)
    text = client.get("/manage/audit.csv?noun=Keys").content.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == ["'=HYPERLINK(1)"]
    assert rows[0]["who"] == "Olga Berg"


def test_a_file_that_would_be_cut_is_refused(client: Client, owner: User) -> None:
    client.force_login(owner)
    AuditEvent.objects.bulk_create(
        AuditEvent(number=100 + number, at=datetime.now(UTC), verb="v", kind="k")
        for number in range(audit_view.LONGEST_FILE + 1)
    )
    refused = client.get("/manage/audit.csv")
    assert refused.status_code == 422 and "Choose fewer days" in refused.content.decode()


def test_events_are_kept_for_as_long_as_was_decided(client: Client, owner: User) -> None:
    client.force_login(owner)
    (duty,) = [duty for duty in DUTIES if duty.name == "audit"]
    assert do_now(duty)
    assert AuditEvent.objects.filter(verb=Verb.ORGANISATION_FOUNDED).exists()
    assert client.post("/manage/audit/keep/", {"days": "17"}).status_code == 302
    assert audit_retention.kept_days() == 0
    client.post("/manage/audit/keep/", {"days": "365"})
    assert organisation_policy.decided("audit_days") == 365
    with time_machine.travel(datetime.now(UTC) + timedelta(days=400)):
        with transaction.atomic():
            audit.record(Verb.CREDENTIAL_ADDED, actor=owner, kind="credential")
        assert do_now(duty)
        left = list(AuditEvent.objects.order_by("number").values_list("verb", flat=True))
    assert left == [Verb.CREDENTIAL_ADDED, Verb.AUDIT_PRUNED]
