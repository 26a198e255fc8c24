"""The audit log: one chain, written with its changes, that the database and `verify` keep as it was."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts import actions
from accounts.audit import audit
from accounts.audit import chain as audit_chain
from accounts.audit import triggers as audit_triggers
from accounts.audit.audit import Verb
from accounts.models import AuditCheckpoint, AuditEvent, AuditHead, User

pytestmark = pytest.mark.services


@pytest.fixture
def owner(transactional_db: None) -> User:
    return actions.create_user(
        email="ada@example.org", password="correct horse battery", role=User.Role.OWNER
    )


def write(count: int = 1, **facts: Any) -> list[AuditEvent]:
    events = []
    for number in range(count):
        with transaction.atomic():
            events.append(
                audit.record(
                    Verb.CREDENTIAL_ADDED,
                    actor=None,
                    via="test",
                    kind="credential",
                    id=str(number),
                    name="A key",
                    after=facts or {"provider": "anthropic", "number": number},
                )
            )
    return events


def flaws() -> list[str]:
    return [f"{flaw.number}: {flaw.words}" for flaw in audit_chain.verify()]


def tamper(statement: str, *values: Any) -> None:
    """What somebody with the database in hand can do, who first took its triggers away."""
    with audit_triggers.lifted(), connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.usefixtures("owner")
def test_an_event_stands_and_falls_with_its_change() -> None:
    before = AuditEvent.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.record(Verb.CREDENTIAL_ADDED, actor=None, via="test", kind="credential")
        raise RuntimeError
    assert AuditEvent.objects.count() == before
    with pytest.raises(transaction.TransactionManagementError):
        audit.record(Verb.CREDENTIAL_ADDED, actor=None, via="test", kind="credential")
    write(3)
    assert flaws() == []


def test_secrets_are_refused_and_addresses_of_people_are_cut(owner: User) -> None:
    with transaction.atomic():
        event = audit.record(
            Verb.PERSON_CREATED,
            actor=owner,
            kind="person",
            id=owner.pk,
            name="Ada Lovelace",
            after={"email": "ada@example.org", "teams": ["Design"], "role": "owner", "mfa": False},
        )
    assert event.name == ""
    assert event.after == '{"email": "a…@example.org", "mfa": false, "role": "owner", "teams": ["Design"]}'
    with pytest.raises(audit.NotForTheLog) as refused, transaction.atomic():
        audit.record(Verb.CREDENTIAL_ADDED, actor=owner, kind="credential", after={"api_key": "abc"})
    assert "abc" not in str(refused.value)


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    ("name", "written"),
    [("sk-ant-REDACTED", "…"), ("Risk-management-group", "Risk-management-group")],
)
def test_a_name_that_looks_like_a_secret_is_not_written_and_stops_nothing(name: str, written: str) -> None:
    with transaction.atomic():
        event = audit.record(Verb.TEAM_RENAMED, actor=None, kind="team", name=name, after={"name": name})
    assert (event.name, json.loads(event.after)) == (written, {"name": written})


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditevent SET via = 'x' WHERE number = 2",
        "DELETE FROM accounts_auditevent WHERE number = 2",
    ],
)
def test_the_database_refuses_to_change_an_event(statement: str) -> None:
    write(3)
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert flaws() == []


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE accounts_auditevent SET after = '{}' WHERE number = 3", "is not as it was written"),
        ("UPDATE accounts_auditevent SET actor = NULL, via = 'x' WHERE number = 3", "not as it was written"),
        ("DELETE FROM accounts_auditevent WHERE number = 3", "1 events are missing"),
        ("DELETE FROM accounts_auditevent WHERE number >= 4", "6 were written"),
        ("DELETE FROM accounts_auditevent WHERE number = 1", "1 events are missing"),
    ],
)
def test_verify_finds_what_was_changed_behind_our_back(statement: str, found: str) -> None:
    write(6 - AuditEvent.objects.count())
    tamper(statement)
    assert found in " ".join(flaws())
    with pytest.raises(CommandError):
        call_command("audit", "verify", stdout=StringIO())


@pytest.mark.usefixtures("owner")
def test_a_chain_written_anew_does_not_pass_its_checkpoint() -> None:
    write(4)
    audit_chain.checkpoint()
    tamper("UPDATE accounts_auditevent SET via = 'forged' WHERE number = 2")
    before = AuditEvent.objects.get(number=1).digest
    for event in AuditEvent.objects.filter(number__gte=2).order_by("number"):
        before = audit_chain.digest(before, event)
        tamper("UPDATE accounts_auditevent SET digest = %s WHERE number = %s", before, event.number)
    AuditHead.objects.update(digest=before)
    assert [line for line in flaws() if "written anew after its checkpoint" in line]
    AuditCheckpoint.objects.update(digest=before)
    assert [line for line in flaws() if "signature" in line]


@pytest.mark.usefixtures("owner")
def test_old_events_go_and_the_rest_still_holds() -> None:
    write(5)
    audit_chain.checkpoint()
    total = AuditEvent.objects.count()
    assert audit_chain.prune(timezone.now() + timedelta(days=1)) == total - 1
    assert AuditEvent.objects.count() == 1
    write(2)
    assert flaws() == []
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    assert f"All {total + 2} events, {total - 1} of them removed" in out.getvalue()
    AuditCheckpoint.objects.all().delete()
    assert "removed without a checkpoint" in " ".join(flaws())


@pytest.mark.usefixtures("owner")
def test_a_checkpoint_of_an_older_master_key_holds_until_that_key_is_gone(settings: Any) -> None:
    write(2)
    audit_chain.checkpoint()
    old, new = settings.MASTER_KEYS[0], b"n" * 32
    settings.MASTER_KEYS = [new]
    assert "signature" in " ".join(flaws())
    settings.MASTER_KEYS = [new, old]
    assert flaws() == []
    assert audit_chain.sign_anew() == 1
    settings.MASTER_KEYS = [new]
    assert flaws() == []


@pytest.mark.usefixtures("owner")
def test_parallel_changes_make_one_chain() -> None:
    begun = AuditEvent.objects.count()
    barrier = threading.Barrier(4)

    def go() -> None:
        try:
            barrier.wait()
            write(5)
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEvent.objects.count() == begun + 20
    assert flaws() == []
