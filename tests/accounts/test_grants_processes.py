"""Several processes on one database renew a grant once; one that is killed leaves an honest state."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as live_settings
from django.db import connection, transaction

from accounts.logins import grants
from accounts.models import Credential, User
from providers.oauth import LoginNeeded
from tests.authorization import AuthorizationServer, authorization_server

from .granted import choose, granted, store, token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]
ROOT = Path(__file__).resolve().parents[2]
KEYS = live_settings.DATA_DIR  # where the master key of this run lies; the fixtures change the setting


@pytest.fixture
def server(settings: Any, owner: User) -> Iterator[AuthorizationServer]:
    grants.forget()
    with authorization_server() as server:
        settings.OAUTH = {"anthropic": server.client()}
        yield server
    grants.forget()


@contextmanager
def renewing(server: AuthorizationServer, credential: Credential) -> Iterator[subprocess.Popen[str]]:
    """The process, ready to begin."""
    names = {name: os.environ[name] for name in os.environ if not name.startswith(("PARLEY_", "DATABASE_"))}
    environment = {**names, "DJANGO_SETTINGS_MODULE": "tests.process_settings", "PARLEY_DATA_DIR": str(KEYS)}
    if url := os.environ.get("PARLEY_TEST_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    database = str(connection.settings_dict["NAME"])
    client = server.client()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.accounts.renewing",
            database,
            str(credential.pk),
            client.token_url,
            client.client_id,
        ],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes_make_one_renewal(owner: User, server: AuthorizationServer) -> None:
    credential = store(server, async_to_sync(granted)(server), left=5)
    with renewing(server, credential) as one, renewing(server, credential) as other:
        go(one)
        go(other)
        assert one.stdout is not None
        assert other.stdout is not None
        found = {one.stdout.readline().strip(), other.stdout.readline().strip()}
    assert found == {token(choose(owner))}
    assert server.rotated == 1


def test_a_process_killed_before_it_wrote_leaves_connect_again(
    owner: User, server: AuthorizationServer
) -> None:
    """The vendor has rotated and answered; the process is killed while the database keeps it from writing."""
    credential = store(server, async_to_sync(granted)(server), left=5)
    decided, locked = Event(), Event()

    def hold_the_answer(path: str, fields: dict[str, str]) -> None:
        decided.set()
        assert locked.wait(20)

    server.before_answer = hold_the_answer
    with renewing(server, credential) as process:
        go(process)
        assert decided.wait(20)
        with transaction.atomic():
            Credential.objects.filter(pk=credential.pk).update(label="locked")  # nobody else writes now
            locked.set()
            process.kill()
            process.wait(20)
    server.before_answer = lambda path, fields: None
    credential.refresh_from_db()
    assert server.rotated == 1
    assert credential.state == "active"  # nobody knows better yet
    assert credential.renewer is not None  # ... and for a moment nobody may find out
    Credential.objects.filter(pk=credential.pk).update(renewing_until=datetime.now(UTC))
    with pytest.raises(LoginNeeded):
        async_to_sync(grants.fresh)(choose(owner))
    credential.refresh_from_db()
    assert (credential.state, credential.has_secret) == ("invalid", False)
    assert "does not accept this login" in credential.last_error
