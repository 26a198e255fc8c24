"""Anonymising: the person is gone from every table, the organisation's numbers and conversations are not."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.models import AccessToken, Credential, LoginAttempt, Membership, Team, User
from accounts.people.anonymising import UNREACHABLE, NotPossible, anonymise, is_former
from chat import sockets
from chat.models import Conversation, Message
from providers.access import Secret
from tests.usage.spent import spent
from usage.ledger import ledger
from usage.models import Alert, Budget, DailyUsage, Delivery, LedgerLine, LimitRequest
from usage.reports.reports import Filters, sums, total

from .conftest import PASSWORD, signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

EMAIL, NAME = "quentin.zephyrine@example.org", "Quentin Zephyrine"
NAMED = ("quentin", "zephyrine")
DAY = date(2026, 11, 3)
EVERYTHING = Filters(first=DAY - timedelta(days=30), last=DAY)


@pytest.fixture
def quentin(owner: User) -> User:
    """Has left a trace wherever a person can leave one."""
    person = actions.create_user(email=EMAIL, password=PASSWORD, display_name=NAME)
    team = Team.objects.create(name="Harbour")
    Membership.objects.create(user=person, team=team, role="manager")
    key = Credential.objects.create(
        person=person,
        provider="anthropic",
        base_url="https://quentin.example.org",
        vendor_account="zephyrine",
        secret=Secret("sk-of-quentin"),
        hint="quen",
        label="Quentin's own",
        options={"deployment": "quentin"},
        last_error="Quentin's key was refused",
    )
    token = AccessToken.objects.create(
        user=person, name="Quentin's laptop", prefix="pk-quentin", sha256=AccessToken.digest("quentin")
    )
    LoginAttempt.objects.create(
        person=person,
        session="0" * 64,
        provider="copilot",
        base_url="",
        flow="device",
        label="Quentin",
        expires_at=datetime(2026, 11, 3, tzinfo=UTC),
    )
    own = Budget.objects.create(name=NAME, scope="person", scope_id=person.pk, limit=10**10)
    shared = Budget.objects.create(name="Everything", scope="organisation", limit=10**12)
    LimitRequest.objects.create(budget=own, asked_by=person.pk, reason="Quentin needs more")
    LimitRequest.objects.create(
        budget=shared, asked_by=person.pk, reason="Me again, Quentin", state="refused", answer="No, Quentin"
    )
    alert = Alert.objects.create(
        kind="budget",
        subject=str(own.pk),
        period="2026-11",
        title=f"{NAME} has used 80 %",
        body=f"{EMAIL} and {NAME.upper()}, of Quentinsville",
    )
    for state in ("waiting", "sent"):
        Delivery.objects.create(alert=alert, channel="mail", target=EMAIL, state=state, error=f"550 {EMAIL}")
        alert = Alert.objects.create(kind="test", subject=state, period="", title="A test", body="")
    for number, who in enumerate((person, person, owner)):
        spent(DAY, 10**9 + number, user=who.pk, team=team.pk, token=token.pk, credential=key.pk)
    talk = Conversation.objects.create(owner=person, title="Tides", model="demo/parley-demo")
    Message.objects.create(conversation=talk, role="user", author=person, blocks_text="[]")
    return person


def dump() -> Iterator[tuple[str, str]]:
    """Every value of every table as text, with its table; sessions opened."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            for row in cursor.fetchall():
                for value in row:
                    text = bytes(value).decode(errors="replace") if isinstance(value, memoryview) else value
                    yield table, str(text)
    for data in Session.objects.values_list("session_data", flat=True):
        yield "sessions, opened", str(SessionStore().decode(data))


def tables_that_name_them() -> set[str]:
    found = ((table, text.lower().replace("quentinsville", "")) for table, text in dump())
    return {table for table, text in found if any(name in text for name in NAMED)}


def numbers() -> dict[str, Any]:
    """All that is counted."""
    return {
        "by person": sums(EVERYTHING, ("person",)),
        "by token": sums(EVERYTHING, ("token",)),
        "whole": total(EVERYTHING),
        "lines": list(LedgerLine.objects.order_by("id").values()),
        "days": list(DailyUsage.objects.order_by("id").values()),
        "limits": list(Budget.objects.order_by("id").values("id", "scope", "scope_id", "limit", "enabled")),
    }


def test_the_name_is_in_no_table_and_every_number_stays(owner: User, quentin: User) -> None:
    sign_in(EMAIL)
    before, messages = numbers(), list(Message.objects.values())
    named = tables_that_name_them()
    assert {"accounts_user", "account_emailaddress", "sessions, opened", "usage_alert"} <= named
    assert {"accounts_credential", "accounts_accesstoken", "usage_budget", "usage_limitrequest"} <= named
    anonymise(person=quentin, by=owner)
    assert tables_that_name_them() == set()
    assert numbers() == before
    assert list(ledger.verify()) == []
    assert list(Message.objects.values()) == messages
    former = User.objects.get(pk=quentin.pk)
    assert former.display_name.startswith("Former member ")
    assert former.email.endswith(UNREACHABLE)
    report = signed_in(owner).get("/manage/usage/?period=own&from=2026-11-01&to=2026-11-03&by=person")
    assert former.display_name in report.content.decode()
    # What only begins like the name is another word.
    assert Alert.objects.get(kind="budget").body.endswith("of Quentinsville")


def test_requests_are_closed_mail_is_given_up_and_secrets_are_destroyed(owner: User, quentin: User) -> None:
    anonymise(person=quentin, by=None)
    assert set(LimitRequest.objects.values_list("state", "reason", "answer")) == {("refused", "", "")}
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed", "sent"}
    key = Credential.objects.get(person=quentin)
    assert (key.state, key.has_secret, key.label) == ("revoked", False, "")
    token = AccessToken.objects.get(user=quentin)
    assert token.revoked_at is not None
    assert not AccessToken.objects.filter(sha256=AccessToken.digest("quentin")).exists()
    assert not quentin.teams.exists()


def sign_in(email: str) -> Client:
    client = Client(headers={"host": "localhost"})
    client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    return client


def test_nobody_signs_in_as_them_and_open_pages_end(owner: User, quentin: User) -> None:
    client, untouched = sign_in(EMAIL), sign_in(owner.email)
    assert client.get("/usage/").status_code == 200
    cookie = f"parley_session={client.cookies['parley_session'].value}".encode()
    granted = sockets.pass_for({b"cookie": cookie})
    assert granted is not None
    assert sockets.verdicts_on({granted}) == {}
    anonymise(person=quentin, by=owner)
    assert sockets.verdicts_on({granted}) == {granted: sockets.NO_RIGHT}
    assert sockets.pass_for({b"cookie": cookie}) is None
    assert client.get("/usage/").status_code == 302
    former = User.objects.get(pk=quentin.pk)
    for email in (EMAIL, former.email):
        assert sign_in(email).get("/usage/").status_code == 302
    assert not former.has_usable_password()
    # Nor does switching the account on again: there is no password and no address to send a new one to.
    User.objects.filter(pk=former.pk).update(is_active=True)
    assert sign_in(former.email).get("/usage/").status_code == 302
    assert untouched.get("/usage/").status_code == 200


def test_the_last_active_owner_stays_and_nobody_is_anonymised_twice(owner: User, member: User) -> None:
    second = actions.create_user(email="two@example.org", password=PASSWORD, role="owner")
    User.objects.filter(pk=second.pk).update(is_active=False)
    with pytest.raises(NotPossible, match="last active owner"):
        anonymise(person=owner, by=owner)
    owner.refresh_from_db()
    assert (owner.is_active, owner.display_name) == (True, "Olga Berg")
    anonymise(person=second, by=owner)  # deactivated already: still somebody with a name
    with pytest.raises(NotPossible, match="before"):
        anonymise(person=second, by=owner)
    anonymise(person=member, by=owner)
    names = User.objects.filter(is_active=False).values_list("display_name", flat=True)
    assert len(set(names)) == 2


def test_of_two_owners_who_anonymise_each_other_one_stays(owner: User) -> None:
    other = actions.create_user(email="two@example.org", password=PASSWORD, role="owner")
    ready, said = threading.Barrier(2), []

    def act(by: User, person: User) -> None:
        try:
            ready.wait(10)
            anonymise(person=person, by=by)
        except NotPossible as error:
            said.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=pair) for pair in ((owner, other), (other, owner))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert User.objects.active().filter(role="owner").count() == 1
    assert len(said) == 1


def test_the_command_says_what_goes_and_asks(owner: User, quentin: User) -> None:
    sign_in(EMAIL)
    out = io.StringIO()
    with pytest.raises(CommandError, match="nobody to ask"):
        call_command("anonymise", EMAIL, stdout=out)
    assert "1 session, 1 key of their own, 1 access token, their place in 1 team" in out.getvalue()
    quentin.refresh_from_db()
    assert not is_former(quentin)
    call_command("anonymise", EMAIL.upper(), "--yes", stdout=out)
    quentin.refresh_from_db()
    assert is_former(quentin)
    assert f"under the name {quentin.display_name}." in out.getvalue()
    for email, said in (
        (EMAIL, "There is no person"),
        (quentin.email, "before"),
        (owner.email, "last active"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("anonymise", email, "--yes", stdout=out)
