"""The mail server that an owner enters: tried before it is stored, followed at once, and never told again."""

from __future__ import annotations

import ssl
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import actions
from accounts.mail import stored
from accounts.models import AuditEvent, DataKey, MailServer, User
from accounts.sealing import rotation

from . import mail_server
from .conftest import signed_in
from .mail_server import PASSWORD as SECRET
from .mail_server import USER, serving
from .mailing import PAGE, TEST, tried, typed, with_login
from .mailing import as_people_run_it as as_people_run_it
from .mailing import server as server
from .mailing import tls as tls
from .signing_in import by_password, verbs

REMOVE, SETTINGS = "/manage/settings/mail/remove/", "/manage/settings/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_people_run_it")]


@pytest.fixture
def admin(owner: User) -> User:
    """May see which server it is, and try it."""
    return actions.create_user(email="ada@example.org", password="a lamp, two rivers", role="admin")


# Entering one


def test_what_is_typed_is_tried_before_anything_is_stored(
    owner: User, server: mail_server.MailServer
) -> None:
    page = tried(by_password(owner), typed(server.port))
    assert f"took the letter to {owner.email}" in page and "Nothing is stored yet" in page
    assert "From: parley@example.org" in server.letters[0] and f"To: {owner.email}" in server.letters[0]
    assert not MailServer.objects.exists() and not stored.is_set_up()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_is_made_under_tls(owner: User, tls: ssl.SSLContext, security: str) -> None:
    with serving(mail_server.MailServer(**{security: tls}, asks=True)) as server:
        page = tried(by_password(owner), with_login(server.port, security=security))
        assert "took the letter" in page and server.signed_in == [True]


def test_what_is_saved_sends_the_next_letter_and_opens_the_ways_that_need_mail(
    owner: User, member: User, server: mail_server.MailServer
) -> None:
    client, visitor = by_password(owner), Client()
    assert b"code by mail" not in visitor.get("/login/").content
    assert visitor.get("/login/code/").status_code == 404
    assert client.post(PAGE, typed(server.port)).headers["Location"] == SETTINGS
    assert b"code by mail" in visitor.get("/login/").content
    visitor.post("/login/code/", {"email": member.email})
    assert f"To: {member.email}" in server.letters[-1]
    assert b"sends no mail" not in visitor.get("/password/reset/").content
    assert b"sends no mail" not in client.get("/manage/settings/sign-in/").content


def test_an_address_that_is_not_proven_is_proven_once_there_is_mail(
    owner: User, member: User, server: mail_server.MailServer
) -> None:
    member.emailaddress_set.update(verified=False)  # type: ignore[attr-defined]
    client = Client()
    fields = {"login": member.email, "password": "a lamp, two rivers"}
    assert client.post("/login/", fields).headers["Location"] == "/"
    by_password(owner).post(PAGE, typed(server.port))
    assert Client().post("/login/", fields).headers["Location"] == "/login/verify/"
    assert f"To: {member.email}" in server.letters[-1]


def test_removing_it_ends_mail_at_once(owner: User, server: mail_server.MailServer) -> None:
    client = by_password(owner)
    client.post(PAGE, typed(server.port))
    assert client.post(REMOVE).headers["Location"] == SETTINGS
    assert not MailServer.objects.exists()
    assert Client().get("/login/code/").status_code == 404
    assert verbs()[-2:] == ["mail.changed", "mail.removed"]


def test_who_waits_for_a_letter_is_told_when_it_cannot_be_sent(
    owner: User, member: User, server: mail_server.MailServer
) -> None:
    by_password(owner).post(PAGE, typed(server.port))
    server.answers["DATA"] = "451 hunter2"
    member.emailaddress_set.update(verified=False)  # type: ignore[attr-defined]
    asking = {
        "/login/code/": {"email": member.email},
        "/password/reset/": {"email": member.email},
        "/login/": {"login": member.email, "password": "a lamp, two rivers"},
    }
    for path, fields in asking.items():
        answer = Client().post(path, fields)
        assert answer.status_code == 503 and b"No mail was sent" in answer.content, path
        assert b"hunter2" not in answer.content
    unknown = Client().post("/password/reset/", {"email": "nobody@example.org"})
    assert unknown.status_code == 503, "known and unknown addresses get the same answer"


# The password


def test_the_password_is_sealed_shown_nowhere_and_not_logged(owner: User, tls: ssl.SSLContext) -> None:
    with serving(mail_server.MailServer(starttls=tls, asks=True)) as server:
        client = by_password(owner)
        client.post(PAGE, with_login(server.port))
    sealed = bytes(MailServer.objects.values_list("password", flat=True).get() or b"")
    assert sealed and SECRET.encode() not in sealed
    for path in (PAGE, SETTINGS, "/manage/audit/"):
        assert SECRET not in client.get(path).content.decode()
    event = AuditEvent.objects.get(verb="mail.changed")
    assert '"host": "localhost"' in event.after and '"login_entered": true' in event.after
    assert SECRET not in event.after and USER not in event.after


def test_it_goes_on_when_only_the_sender_changes(owner: User, tls: ssl.SSLContext) -> None:
    with serving(mail_server.MailServer(starttls=tls, asks=True)) as server:
        client = by_password(owner)
        client.post(PAGE, with_login(server.port))
        client.post(PAGE, with_login(server.port, password="", sender="house@example.org"))
        assert b"Sent to olga@example.org" in client.post(TEST, follow=True).content
        assert "From: house@example.org" in server.letters[-1] and server.signed_in == [True]


@pytest.mark.parametrize(
    "changed", [{"host": "127.0.0.1"}, {"port": 2525}, {"security": "tls"}, {"username": "other"}]
)
def test_it_goes_to_no_other_server_and_user(owner: User, changed: dict[str, Any]) -> None:
    client = by_password(owner)
    client.post(PAGE, with_login(2526))
    for path in (PAGE, TEST):
        answer = client.post(path, {**with_login(2526, password=""), **changed})
        assert answer.status_code == 422 and b"Enter the password" in answer.content
    assert MailServer.objects.get().port == 2526


def test_it_opens_for_no_other_row(owner: User) -> None:
    client = by_password(owner)
    client.post(PAGE, with_login(2526))
    MailServer.objects.update(host="mail.evil.example")
    assert "can no longer be opened" in client.get(SETTINGS).content.decode()
    assert b"can no longer be opened" in client.post(TEST, follow=True).content


def test_rotation_seals_it_anew(owner: User) -> None:
    by_password(owner).post(PAGE, with_login(2526))
    before = DataKey.objects.get().id
    assert rotation.rotate_data().resealed >= 1
    sealed = bytes(MailServer.objects.values_list("password", flat=True).get() or b"")
    assert int.from_bytes(sealed[1:5]) == DataKey.objects.get(state="active").id != before
    known = stored.known()
    assert known is not None and known.password is not None and known.password.reveal() == SECRET


def test_without_encryption_none_is_sent(owner: User, server: mail_server.MailServer) -> None:
    page = tried(by_password(owner), with_login(server.port, security="none"))
    assert "Without encryption no password is sent" in page
    assert server.steps == []


# Who


def test_only_an_owner_enters_one_and_admins_try_it(
    admin: User, owner: User, server: mail_server.MailServer
) -> None:
    theirs = by_password(admin)
    assert theirs.get(PAGE).status_code == theirs.post(PAGE, typed(server.port)).status_code == 404
    assert theirs.post(TEST, typed(server.port)).status_code == theirs.post(REMOVE).status_code == 404
    by_password(owner).post(PAGE, typed(server.port))
    page = theirs.get(SETTINGS).content.decode()
    assert f"localhost:{server.port}" in page and PAGE + '"' not in page
    assert f"Sent to {admin.email}".encode() in theirs.post(TEST, follow=True).content
    assert f"To: {admin.email}" in server.letters[-1]


def test_who_it_is_is_asked_first_and_the_password_is_not_put_aside(
    owner: User, server: mail_server.MailServer
) -> None:
    client = signed_in(owner)
    assert client.get(PAGE).headers["Location"].startswith("/settings/security/confirm/")
    for path in (PAGE, TEST):
        assert client.post(path, with_login(server.port)).headers["Location"] == PAGE
    assert not MailServer.objects.exists() and server.steps == []
    assert SECRET not in str(dict(client.session.items()))


def test_tests_are_limited(owner: User, server: mail_server.MailServer) -> None:
    client = by_password(owner)
    client.post(PAGE, typed(server.port))
    for _ in range(21):
        page = client.post(TEST, follow=True).content
    assert b"Too many tests" in page and len(server.letters) == 20


# The environment, and the command


def test_the_environment_wins(owner: User, server: mail_server.MailServer, settings: Any) -> None:
    by_password(owner).post(PAGE, typed(server.port))
    settings.EMAIL_CONFIGURED = True
    page = by_password(owner).get(SETTINGS).content.decode()
    assert "EMAIL_URL" in page and "is stored and rests" in page and PAGE + '"' not in page


def test_the_command_says_whether_mail_works(owner: User, server: mail_server.MailServer) -> None:
    with pytest.raises(CommandError, match="No mail server is set up"):
        call_command("mail", "test", "ops@example.org")
    by_password(owner).post(PAGE, typed(server.port))
    said = StringIO()
    call_command("mail", "test", "ops@example.org", stdout=said)
    assert "took the letter to ops@example.org" in said.getvalue()
    server.answers["RCPT"] = "550 no"
    with pytest.raises(CommandError, match="brings no letters to ops"):
        call_command("mail", "test", "ops@example.org")
    with pytest.raises(CommandError, match="no e-mail address"):
        call_command("mail", "test", "ops")
