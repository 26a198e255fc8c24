"""Where people are signed in: shown by device, seen rarely, ended one by one or everywhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, DeviceSession, User
from accounts.sign_in import sessions
from accounts.sign_in.devices import device_name

from .conftest import PASSWORD, signed_in
from .signing_in import by_password, is_signed_in, verbs

PAGE = "/settings/security/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"

pytestmark = [pytest.mark.django_db, pytest.mark.services]


def browser(person: User, user_agent: str) -> Client:
    return by_password(person, Client(headers={"user-agent": user_agent}))


def id_of(person: User, device: str) -> str:
    return str(DeviceSession.objects.get(user=person, device=device).pk)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (FIREFOX, "Firefox on Windows"),
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Mac OS X 10_15) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Mac"),
        ("", "Unknown browser"),
        ("<script>alert(1)</script>" + "x" * 100_000, "Unknown browser"),
    ],
)
def test_a_device_has_a_name_from_a_list(said: str, name: str) -> None:
    assert device_name(said) == name


def test_the_page_names_each_device_and_this_one_first(member: User, stranger: User) -> None:
    browser(member, PHONE)
    browser(stranger, PHONE.replace("iPhone;", "iPad;"))
    page = browser(member, FIREFOX).get(PAGE).content.decode()
    assert page.index("Firefox on Windows") < page.index("This browser") < page.index("Safari on iPhone")
    assert "iPad" not in page
    assert "127.0.0.1" not in page


def test_a_session_is_ended_from_another(member: User, stranger: User) -> None:
    here, there = browser(member, FIREFOX), browser(member, PHONE)
    path = f"{PAGE}sessions/{id_of(member, 'Safari on iPhone')}/end/"
    assert signed_in(stranger).post(path).status_code == 404
    assert is_signed_in(there)
    assert here.post(path).status_code == 302
    assert not is_signed_in(there)
    assert is_signed_in(here)
    assert here.post(path).status_code == 404
    assert "session.revoked" in [event for event in verbs()]


def test_everywhere_else_and_everywhere(member: User, stranger: User) -> None:
    here, there, other = browser(member, FIREFOX), browser(member, PHONE), signed_in(stranger)
    assert b"Signed out in 1 other place." in here.post(f"{PAGE}sessions/end/", follow=True).content
    assert not is_signed_in(there)
    assert is_signed_in(here)
    there = browser(member, PHONE)
    assert here.post(f"{PAGE}sessions/end/", {"here": "1"}).headers["Location"] == "/login/"
    assert not is_signed_in(here)
    assert not is_signed_in(there)
    assert is_signed_in(other)
    assert not DeviceSession.objects.filter(user=member).exists()


def test_a_new_password_keeps_this_session_and_ends_the_others(member: User) -> None:
    here, there = browser(member, FIREFOX), browser(member, PHONE)
    began = DeviceSession.objects.get(user=member, device="Firefox on Windows")
    new = "three maps and a kettle"
    here.post("/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert is_signed_in(here)
    assert not is_signed_in(there)
    (row,) = DeviceSession.objects.filter(user=member)
    assert (row.pk, row.session_key) == (began.pk, here.session.session_key)
    assert row.session_key != began.session_key
    assert verbs(member)[-1] == "password.changed"


def test_signing_in_and_out_is_noted_and_leaves_no_row(member: User) -> None:
    client = browser(member, FIREFOX)
    client.post("/logout/")
    assert verbs(member)[-2:] == ["signin.succeeded", "session.ended"]
    assert not DeviceSession.objects.filter(user=member).exists()


def test_failures_are_noted_without_what_was_typed_and_not_without_end(owner: User, client: Client) -> None:
    for number in range(30):
        client.post("/login/", {"login": f"nobody{number}@example.org", "password": "canary password"})
    noted = AuditEvent.objects.filter(verb="signin.failed")
    assert 5 <= noted.count() <= 20
    for event in noted:
        text = "".join(str(getattr(event, field.name)) for field in AuditEvent._meta.fields)
        assert "nobody" not in text
        assert "canary" not in text


def test_being_seen_costs_no_query_but_once_in_five_minutes(member: User) -> None:
    client = browser(member, FIREFOX)
    row = DeviceSession.objects.get(user=member)
    DeviceSession.objects.update(last_seen_at=timezone.now() - timedelta(days=1))

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            client.get("/password/change/")
        return sum("devicesession" in query["sql"].lower() for query in seen)

    assert queries() == 0
    sessions._seen.clear()  # as another process, or this one five minutes later
    assert queries() == 1
    assert queries() == 0
    row.refresh_from_db()
    assert timezone.now() - row.last_seen_at < timedelta(minutes=1)


def test_a_session_from_before_there_were_rows_is_found(member: User) -> None:
    client = signed_in(member)
    DeviceSession.objects.all().delete()
    sessions._seen.clear()
    client.get("/password/change/")
    assert DeviceSession.objects.get(user=member).session_key == client.session.session_key


def test_what_has_run_out_is_cleared_away(member: User, stranger: User) -> None:
    gone, stays = signed_in(member), signed_in(stranger)
    Session.objects.filter(pk=gone.session.session_key).update(expire_date=timezone.now() - timedelta(1))
    DeviceSession.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert sessions.devices(member, None) == []
    sessions.forget_expired()
    assert not Session.objects.filter(pk=gone.session.session_key).exists()
    assert [row.user for row in DeviceSession.objects.all()] == [stranger]
    assert is_signed_in(stays)


def test_a_deactivated_person_is_out_everywhere(member: User) -> None:
    client = browser(member, FIREFOX)
    User.objects.filter(pk=member.pk).update(is_active=False)
    for path in (PAGE, "/settings/security/app/", "/"):
        assert client.get(path).status_code == 302
    assert client.post(f"{PAGE}sessions/end/").status_code == 302
    assert by_password(member, client).get(PAGE).status_code == 302
