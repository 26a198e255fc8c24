"""An authenticator app and recovery codes: added, used once, sealed, removed; and what the log says of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import connection
from django.test import Client

from accounts.models import DataKey, User
from accounts.sealing import places as sealed_places
from accounts.sealing.sealing import SealBroken
from accounts.sign_in import second_factor_seals, second_factors, totp
from providers.access import Secret

from .conftest import PASSWORD, signed_in
from .signing_in import (
    by_password,
    code_of,
    codes_in,
    is_signed_in,
    second_step,
    verbs,
    with_app,
    with_passkey,
)

APP = "/settings/security/app/"
pytestmark = [pytest.mark.django_db, pytest.mark.services]


def secret_shown(page: str) -> Secret:
    groups = page.split('<p class="code">')[1].split("</p>")[0]
    return Secret(groups.replace(" ", ""))


@pytest.fixture(autouse=True)
def _still_clock() -> Iterator[None]:
    """No code becomes an old one between two lines."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


def test_an_app_is_added_with_a_code_and_then_asked_for(
    member: User, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_CONFIGURED = True
    client = by_password(member)
    secret = secret_shown(client.get(APP).content.decode())
    assert b"not right" in client.post(APP, {"code": "000 000"}).content
    code = code_of(secret)
    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(APP, {"code": f" {code[:3]} {code[3:]} "}).content.decode()
    assert len(codes_in(page)) == second_factors.RECOVERY_CODES
    assert verbs(member)[-2:] == ["mfa.added", "mfa.recovery_codes_made"]
    assert "authenticator app was added" in str(mail.outbox[-1].body)

    again = by_password(member)
    assert not is_signed_in(again)
    assert second_step(again, code_of(secret))[0] == 200, "the code that was used to add the app is used up"
    assert second_step(again, code_of(secret, steps=1)) == (302, "/")
    assert is_signed_in(again)
    assert verbs(member)[-1] == "signin.succeeded"


def test_a_code_counts_once_and_only_near_its_time(member: User) -> None:
    secret, _codes = with_app(member)
    for steps in (-3, 3):
        assert second_step(by_password(member), code_of(secret, steps=steps))[0] == 200
    first, second = by_password(member), by_password(member)
    code = code_of(secret)
    assert second_step(first, code) == (302, "/")
    assert second_step(second, code)[0] == 200
    assert second_step(second, code_of(secret, steps=-1))[0] == 200, (
        "a code from before the one that was used"
    )


@pytest.mark.parametrize("written", ["{code}", " {code} ", "{first} {second}", "{upper}", "{first}{second}"])
def test_a_recovery_code_works_once_however_it_is_written(member: User, written: str) -> None:
    _secret, codes = with_app(member)
    first, _, second = codes[3].partition("-")
    text = written.format(code=codes[3], first=first, second=second, upper=codes[3].upper())
    assert second_step(by_password(member), text) == (302, "/")
    assert second_step(by_password(member), text)[0] == 200
    assert second_factors.of(member).codes_left == second_factors.RECOVERY_CODES - 1
    assert "mfa.recovery_code_used" in verbs(member)


@pytest.mark.django_db(transaction=True)
def test_one_recovery_code_in_parallel_lets_one_in(member: User) -> None:
    _secret, codes = with_app(member)
    ready, found = threading.Barrier(4), []

    def use() -> None:
        try:
            ready.wait(10)
            found.append(second_factors.use_code(person=member, code=codes[0]))
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4
    assert sum(one is not None for one in found) == 1


def test_wrong_codes_are_limited(member: User) -> None:
    secret, codes = with_app(member)
    client = by_password(member)
    for number in range(10):
        second_step(client, f"00000{number}")
    for code in (code_of(secret), codes[0]):
        assert "Too many attempts" in second_step(client, code)[1]
    assert not is_signed_in(client)
    assert verbs(member).count("signin.failed") == 10


def dump() -> str:
    """Everything that the database holds, as text, with what JSON and base64 hide in sessions undone."""
    from django.contrib.sessions.models import Session

    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            rows += [str(value) for row in cursor.fetchall() for value in row]
    rows += [json.dumps(session.get_decoded()) for session in Session.objects.all()]
    return "\n".join(rows)


def test_the_secret_is_nowhere_in_clear_while_it_is_added_or_after(member: User, owner: User) -> None:
    client = by_password(member)
    secret = secret_shown(client.get(APP).content.decode())
    assert secret.reveal() not in dump()
    codes = codes_in(client.post(APP, {"code": code_of(secret)}).content.decode())
    assert second_factors.of(member).any
    for canary in [secret.reveal(), *codes, *(code.replace("-", "") for code in codes)]:
        assert canary not in dump()
    later = client.get("/settings/security/").content.decode()
    assert not any(code in later for code in codes)
    assert secret.reveal() not in later


def row(person: User, kind: str) -> Authenticator:
    return Authenticator.objects.get(user=person, type=kind)


TOTP, CODES = "totp", "recovery_codes"


@pytest.mark.parametrize("damage", ["owner", "kind", "flipped", "cut", "no base64"])
def test_a_sealed_secret_opens_in_its_place_alone(member: User, stranger: User, damage: str) -> None:
    secret, codes = with_app(member)
    with_app(stranger)
    mine = row(member, TOTP)
    text = str(mine.data["sealed"])
    match damage:
        case "owner":
            mine.data["sealed"] = row(stranger, TOTP).data["sealed"]
        case "kind":
            mine.data["sealed"] = row(member, CODES).data["sealed"]
        case "flipped":
            mine.data["sealed"] = text[:60] + ("A" if text[60] != "A" else "B") + text[61:]
        case "cut":
            mine.data["sealed"] = text[:40]
        case _:
            mine.data["sealed"] = "not base64!"
    mine.save()
    with pytest.raises(SealBroken):
        second_factor_seals.secret_of(row(member, TOTP))
    client = by_password(member)
    assert second_step(client, code_of(secret))[0] == 200
    assert second_step(client, codes[0]) == (302, "/"), "the recovery codes go on to work"
    assert verbs(member).count("mfa.unreadable") == 1
    assert "Remove it and set it up again" in client.get("/settings/security/").content.decode()


def test_secrets_can_be_sealed_under_another_data_key(member: User, stranger: User) -> None:
    secret, codes = with_app(member)
    with_app(stranger)
    (place,) = [one for one in sealed_places.registered() if one.name == second_factor_seals.PLACE]
    old = DataKey.objects.get(state=DataKey.State.ACTIVE)
    assert place.under(old.pk) == 4
    assert place.reseal(10) == 0
    DataKey.objects.filter(pk=old.pk).update(state=DataKey.State.RETIRED)
    with_app(User.objects.create_user("third@example.org"))  # makes the next data key
    assert [place.reseal(3), place.reseal(3), place.reseal(3)] == [3, 1, 0]
    assert place.under(old.pk) == 0
    assert second_step(by_password(member), code_of(secret)) == (302, "/")
    assert second_step(by_password(member), codes[0]) == (302, "/")


def test_new_recovery_codes_are_shown_once_and_end_the_old(member: User) -> None:
    _secret, codes = with_app(member)
    client = signed_in(member)
    client.post("/settings/security/confirm/", {"password": PASSWORD})
    page = client.post("/settings/security/recovery-codes/")
    new = codes_in(page.content.decode())
    assert len(set(new)) == 10
    assert not set(new) & set(codes)
    assert "no-store" in page.headers["Cache-Control"]
    assert second_step(by_password(member), codes[0])[0] == 200
    assert second_step(by_password(member), new[0]) == (302, "/")


def test_removing_the_last_factor_takes_its_codes_along(member: User) -> None:
    with_app(member)
    client = signed_in(member)
    client.post("/settings/security/confirm/", {"password": PASSWORD})
    path = f"/settings/security/factors/{row(member, TOTP).pk}/remove/"
    assert "your recovery codes are gone too" in client.get(path).content.decode()
    client.post(path)
    assert not Authenticator.objects.filter(user=member).exists()
    assert verbs(member)[-1] == "mfa.removed"
    assert is_signed_in(by_password(member))


def test_what_changes_sign_in_is_confirmed_first_and_then_goes_on(member: User) -> None:
    with_passkey(member)
    key = Authenticator.objects.get(user=member)
    client = signed_in(member)
    path = f"/settings/security/factors/{key.pk}/remove/"
    asked = client.post(path)
    assert asked.headers["Location"].startswith("/settings/security/confirm/")
    for refused in ({"password": "wrong"}, {}):
        page = client.post("/settings/security/confirm/", {**refused, "next": path})
        assert page.status_code == 200
    assert Authenticator.objects.filter(pk=key.pk).exists()
    client.post("/settings/security/confirm/", {"password": PASSWORD, "next": path})
    assert not Authenticator.objects.filter(pk=key.pk).exists(), "the request that was held goes on"


@pytest.fixture
def places(member: User) -> Iterator[list[str]]:
    with_app(member)
    with_passkey(member)
    yield [
        f"/settings/security/factors/{row(member, TOTP).pk}/remove/",
        f"/settings/security/passkeys/{row(member, 'webauthn').pk}/",
        f"/settings/security/factors/{row(member, CODES).pk}/remove/",
    ]


def test_other_peoples_factors_do_not_exist(member: User, stranger: User, places: list[str]) -> None:
    client = by_password(stranger)
    before = list(Authenticator.objects.values_list("pk", "data"))
    for path in places:
        assert client.get(path).status_code == 404
        assert client.post(path, {"name": "mine"}).status_code == 404
    assert list(Authenticator.objects.values_list("pk", "data")) == before
    assert client.post("/settings/security/recovery-codes/").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/settings/security/",
        "/settings/security/second-step/",
        APP,
        "/settings/security/passkeys/add/",
        "/settings/security/passkeys/1/",
        "/settings/security/factors/1/remove/",
        "/settings/security/recovery-codes/",
        "/settings/security/confirm/",
        "/settings/security/confirm/code/",
        "/settings/security/confirm/passkey/",
    ],
)
def test_strangers_are_asked_to_sign_in(client: Client, owner: User, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/")


def test_a_person_deactivated_before_the_second_step_stays_out(member: User) -> None:
    secret, codes = with_app(member)
    for code in (code_of(secret), codes[0]):
        client = by_password(member)
        User.objects.filter(pk=member.pk).update(is_active=False)
        assert second_step(client, code) == (302, "/login/inactive/")
        assert not is_signed_in(client)
        User.objects.filter(pk=member.pk).update(is_active=True)


def test_codes_of_an_app_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, with the last six of its eight digits."""
    secret = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    for now, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert totp.fitting_step(secret, code, now=now) == now // 30
        assert totp.fitting_step(secret, code, now=now, after=now // 30) is None
