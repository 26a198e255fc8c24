"""What keeps a letter from being sent is said in a sentence of ours, before anything is stored."""

from __future__ import annotations

import ssl
from pathlib import Path
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest

from accounts.mail import trial
from accounts.models import MailServer, User

from . import mail_server
from .mail_server import serving
from .mailing import PAGE, tried, typed, with_login
from .mailing import as_people_run_it as as_people_run_it
from .mailing import server as server
from .mailing import tls as tls
from .signing_in import by_password

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_people_run_it")]


def test_a_name_that_is_not_known(owner: User) -> None:
    page = tried(by_password(owner), typed(25, host="mail.nowhere.example"))
    assert "There is no host named mail.nowhere.example." in page


def test_a_port_that_refuses(owner: User, server: mail_server.MailServer) -> None:
    server.server_close()
    assert "refuses connections" in tried(by_password(owner), typed(server.port))


def test_a_certificate_that_is_not_trusted(owner: User, tmp_path: Path) -> None:
    _, context = mail_server.certificate(tmp_path)
    with serving(mail_server.MailServer(tls=context)) as server:
        page = tried(by_password(owner), typed(server.port, security="tls"))
    assert "The certificate of localhost is not accepted: self-signed certificate." in page


def test_a_certificate_of_another_name(owner: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, context = mail_server.certificate(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with serving(mail_server.MailServer(starttls=context)) as server:
        page = tried(by_password(owner), typed(server.port, security="starttls"))
    assert "Hostname mismatch" in page


def test_a_port_that_does_not_begin_with_tls(owner: User, server: mail_server.MailServer) -> None:
    assert "does not speak TLS from the start" in tried(
        by_password(owner), typed(server.port, security="tls")
    )


def test_a_server_without_starttls(owner: User, server: mail_server.MailServer) -> None:
    assert "offers no STARTTLS" in tried(by_password(owner), typed(server.port, security="starttls"))


def test_a_server_that_asks_for_no_password(owner: User, tls: ssl.SSLContext) -> None:
    with serving(mail_server.MailServer(starttls=tls)) as server:
        assert "asks for no user and password" in tried(by_password(owner), with_login(server.port))


def test_a_wrong_password(owner: User, tls: ssl.SSLContext) -> None:
    with serving(mail_server.MailServer(starttls=tls, asks=True)) as server:
        page = tried(by_password(owner), with_login(server.port, username="somebody"))
    assert "does not accept this user and password (535)." in page


@pytest.mark.parametrize(
    ("command", "told", "said"),
    [
        ("MAIL", "550 no such sender hunter2", "takes no letters from parley@example.org (550)."),
        ("RCPT", "550 relaying hunter2", "brings no letters to olga@example.org (550)."),
        ("DATA", "554 hunter2", "did not take the letter itself (554)."),
        ("banner", "554 go away hunter2", "refused to talk (554)."),
        ("banner", "SSH-2.0-hunter2", "may be no mail server"),
    ],
)
def test_what_a_server_says_is_told_in_our_words(
    owner: User, server: mail_server.MailServer, command: str, told: str, said: str
) -> None:
    server.answers[command] = told
    page = tried(by_password(owner), typed(server.port))
    assert said in page
    assert "hunter2" not in page


@pytest.mark.parametrize(
    "error", [TimeoutError(), SMTPServerDisconnected("Connection unexpectedly closed: timed out")]
)
def test_a_server_that_is_silent(error: Exception) -> None:
    place = trial.Place("mail.example.org", 465, "parley@example.org", "ana@example.org")
    assert "mail.example.org, port 465, did not answer in time." in trial.sentence(error, place)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254", "224.0.0.1"]
)
def test_what_clouds_tell_their_machines_is_not_asked_for(owner: User, host: str) -> None:
    assert "not for mail" in tried(by_password(owner), typed(25, host=host))


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "http://mail.example.org"},
        {"host": "mail.example.org:25"},
        {"host": "a..b"},
        {"host": "mail\r\nRSET"},
        {"port": 0},
        {"port": 70000},
        {"security": "maybe"},
        {"sender": "parley"},
        {"sender": "a@b.example\nBcc: x@y.example"},
        {"username": "a\tb", "password": "x", "security": "tls"},
        {"password": "without a user", "security": "tls"},
    ],
)
def test_what_fits_no_server_is_refused_in_the_form(owner: User, wrong: dict[str, Any]) -> None:
    client = by_password(owner)
    assert client.post(PAGE, {**typed(25), **wrong}).status_code == 422
    assert not MailServer.objects.exists()
