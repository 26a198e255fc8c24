"""A rotation in a process of its own, killed in its midst while people work: nothing is lost."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import Credential, DataKey, Organisation, User
from accounts.sealing import sealing
from providers.access import Secret

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]
ROOT = Path(__file__).resolve().parents[2]
MANY = 120


@contextmanager
def rotating(what: str, masters: list[bytes]) -> Iterator[subprocess.Popen[str]]:
    """The process, which has begun."""
    names = {name: os.environ[name] for name in os.environ if not name.startswith(("PARLEY_", "DATABASE_"))}
    environment = {
        **names,
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "PARLEY_SECRET_KEYS": ",".join(base64.urlsafe_b64encode(key).decode() for key in masters),
    }
    if url := os.environ.get("PARLEY_TEST_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.accounts.rotating", str(connection.settings_dict["NAME"]), what],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate()


def under(number: int) -> int:
    rows = Credential.objects.values_list("secret", flat=True)
    return sum(sealing.key_of(bytes(value or b"")) == number for value in rows)


def fill(many: int) -> dict[Any, str]:
    organisation = Organisation.objects.get()
    rows = [
        Credential(
            organisation=organisation,
            provider="anthropic",
            base_url="https://a",
            secret=Secret(f"sk-{number}"),
        )
        for number in range(many)
    ]
    return {row.pk: f"sk-{number}" for number, row in enumerate(Credential.objects.bulk_create(rows))}


def opened() -> dict[Any, str]:
    return {row.pk: row.secret.reveal() for row in Credential.objects.all() if row.secret is not None}


def test_a_data_rotation_killed_in_its_midst_under_traffic(owner: User, settings: Any) -> None:
    expected = fill(MANY)
    old = DataKey.objects.get().id
    some = iter(list(expected))
    with rotating("--data", settings.MASTER_KEYS) as process:
        while under(old) > MANY * 2 // 3:
            row = Credential.objects.get(pk=next(some))  # somebody enters keys anew meanwhile
            Credential.objects.filter(pk=row.pk).update(secret=row.sealed(Secret(f"new {row.pk}")))
            expected[row.pk] = f"new {row.pk}"
            expected |= fill(1)
        process.kill()
        process.wait(20)
    assert 0 < under(old) < MANY, "it was killed in its midst"
    assert opened() == expected
    call_command("rotate_keys", "--data")
    assert under(old) == 0
    assert under(DataKey.objects.get(state="active").id) == len(expected)
    sealing.forget_keys()
    assert opened() == expected


def test_a_master_rotation_killed_in_its_midst(owner: User, settings: Any) -> None:
    expected = fill(3)
    more = [sealing.new_data_key() for _ in range(MANY)]
    for row in more:
        row.state = DataKey.State.RETIRED
    DataKey.objects.bulk_create(more)
    settings.MASTER_KEYS = [secrets.token_bytes(32), *settings.MASTER_KEYS]
    first = sealing.master_key_name(settings.MASTER_KEYS[0])
    with rotating("--master", settings.MASTER_KEYS) as process:
        while DataKey.objects.filter(master_key=first).count() < MANY // 3:
            pass
        process.kill()
        process.wait(20)
    assert DataKey.objects.exclude(master_key=first).exists(), "it was killed in its midst"
    sealing.forget_keys()
    sealing.check_keys()
    assert opened() == expected
    call_command("rotate_keys", "--master")
    settings.MASTER_KEYS = settings.MASTER_KEYS[:1]
    sealing.forget_keys()
    sealing.check_keys()
    assert opened() == expected
