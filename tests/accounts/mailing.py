"""What tests of the mail server share: a server on this machine, and what is typed into the form."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from . import mail_server
from .mail_server import PASSWORD as SECRET
from .mail_server import USER, serving

PAGE, TEST = "/manage/settings/mail/", "/manage/settings/mail/test/"


@pytest.fixture
def as_people_run_it(settings: Any) -> None:
    """Letters go through sockets, by what is stored."""
    settings.EMAIL_BACKEND = "accounts.mail.backend.EmailBackend"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for localhost that this machine trusts."""
    path, context = mail_server.certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return context


@pytest.fixture
def server() -> Iterator[mail_server.MailServer]:
    """Takes letters of everybody, without encryption."""
    with serving(mail_server.MailServer()) as one:
        yield one


def typed(port: int, **more: Any) -> dict[str, Any]:
    values = {"host": "localhost", "port": port, "security": "none", "sender": "parley@example.org"}
    return {**values, "username": "", "password": "", **more}


def with_login(port: int, **more: Any) -> dict[str, Any]:
    return typed(port, **{"security": "starttls", "username": USER, "password": SECRET, **more})


def tried(client: Client, fields: dict[str, Any]) -> str:
    """The page after a test with what was typed."""
    answer = client.post(TEST, fields)
    assert answer.status_code in {200, 422}, answer.headers
    page = answer.content.decode()
    assert SECRET not in page
    return page
