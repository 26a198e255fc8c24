"""The first visit: one owner, one organisation, whatever is sent."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from allauth.account.models import EmailAddress
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from accounts.models import Organisation, User
from accounts.sign_in import first_visit

from .conftest import PASSWORD

WRONG = "AAAA-AAAA-AAAA-AAAA"
ANSWERS = {
    "organisation": "Lighthouse",
    "display_name": "Olga Berg",
    "email": "Olga@Example.org",
    "password": PASSWORD,
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/login/", "/setup/key/", "/c/anything/", "/no/such/page"])
def test_before_set_up_every_page_leads_to_it(client: Client, path: str) -> None:
    assert client.get(path).headers["Location"] == "/setup/"


@pytest.mark.django_db
def test_static_files_are_served_before_set_up(client: Client) -> None:
    response = client.get("/static/css/door.css")
    assert b".door" in b"".join(cast(Iterable[bytes], response))
    response.close()


@pytest.mark.django_db
def test_the_first_visitor_becomes_the_owner_and_is_signed_in(client: Client) -> None:
    response = client.post("/setup/", ANSWERS)
    person = User.objects.get()
    assert response.headers["Location"] == "/setup/key/"
    assert (person.email, person.role, person.display_name) == ("olga@example.org", "owner", "Olga Berg")
    assert person.check_password(PASSWORD)
    assert Organisation.objects.get().name == "Lighthouse"
    assert client.session["_auth_user_id"] == str(person.pk)
    assert EmailAddress.objects.get(user=person).verified


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
async def test_set_up_works_over_asgi(async_client: AsyncClient) -> None:
    response = await async_client.post("/setup/", ANSWERS)
    assert response.headers["Location"] == "/setup/key/"
    assert (await async_client.get("/setup/key/")).status_code == 200
    await sync_to_async(connections.close_all)()  # those of the thread that answered


def test_after_set_up_the_page_leads_away(client: Client, owner: User) -> None:
    assert client.get("/setup/").headers["Location"] == "/login/"
    client.force_login(owner)
    assert client.get("/setup/").headers["Location"] == "/"


def test_a_late_visitor_is_told_to_sign_in(client: Client, owner: User) -> None:
    response = client.post("/setup/", ANSWERS | {"email": "late@example.org"})
    assert response.status_code == 409
    assert b"already set up" in response.content
    assert not User.objects.filter(email="late@example.org").exists()


@pytest.mark.django_db
def test_extra_fields_are_ignored(client: Client) -> None:
    extra = {"role": "member", "is_staff": "1", "is_active": "0", "id": "1", "policy": "{}", "code": "x"}
    client.post("/setup/", ANSWERS | extra)
    person = User.objects.get()
    assert person.role == "owner"
    assert person.is_active
    assert person.pk.version == 7


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "short"}, "too short"),
        ({"password": "password123"}, "too common"),
        ({"password": "olga@example.org"}, "too similar"),
        ({"password": ""}, "required"),
        ({"password": "x" * 1001}, "at most 1000"),
        ({"email": "not an address"}, "valid email"),
        ({"organisation": "\u202e\u200b "}, "required"),
        ({"display_name": "x" * 81}, "at most 80"),
    ],
)
def test_wrong_answers_are_said_and_nothing_is_made(
    client: Client, change: dict[str, str], said: str
) -> None:
    response = client.post("/setup/", ANSWERS | change)
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not User.objects.exists()
    assert not Organisation.objects.exists()


@pytest.mark.django_db
def test_the_password_never_comes_back_in_the_page(client: Client) -> None:
    response = client.post("/setup/", ANSWERS | {"email": "wrong"})
    assert PASSWORD not in response.content.decode()


@pytest.mark.django_db
def test_a_hostile_name_is_cleaned_and_escaped(client: Client) -> None:
    client.post("/setup/", ANSWERS | {"display_name": '<b>"Olga"\u202e\n</b>', "organisation": "<script>"})
    assert User.objects.get().display_name == '<b>"Olga" </b>'
    page = client.get("/setup/key/").content.decode()
    assert "<script>" not in page


@pytest.mark.django_db
def test_a_post_without_a_csrf_token_is_refused() -> None:
    assert Client(enforce_csrf_checks=True).post("/setup/", ANSWERS).status_code == 403
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io"])
def test_a_foreign_host_is_refused(client: Client, host: str) -> None:
    assert client.post("/setup/", ANSWERS, headers={"host": host}).status_code == 400
    assert not User.objects.exists()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_fifty_first_visitors_at_once_one_becomes_owner() -> None:
    together = Barrier(50)

    def visit(number: int) -> int:
        together.wait()
        try:
            return Client().post("/setup/", ANSWERS | {"email": f"visitor{number}@example.org"}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as visitors:
        answers = sorted(visitors.map(visit, range(50)))
    assert answers == [302] + [409] * 49
    assert User.objects.count() == 1
    assert Organisation.objects.count() == 1
    assert EmailAddress.objects.count() == 1


@pytest.fixture
def code(settings: Any, db: None) -> str:
    settings.SETUP_CODE_REQUIRED = True
    printed = first_visit.code_to_print()
    assert printed
    return printed


def test_beyond_loopback_the_page_asks_for_the_printed_code(client: Client, code: str) -> None:
    assert "Set-up code" in client.get("/setup/").content.decode()
    assert client.post("/setup/", ANSWERS).status_code == 200
    assert client.post("/setup/", ANSWERS | {"code": WRONG}).status_code == 403
    assert client.post("/setup/", ANSWERS | {"code": f" {code}"}).status_code == 403
    assert not User.objects.exists()
    assert client.post("/setup/", ANSWERS | {"code": code}).status_code == 302


def test_the_code_is_private_stays_the_same_and_works_once(client: Client, code: str, tmp_path: Path) -> None:
    file = tmp_path / "setup-code"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first_visit.code_to_print() == code
    client.post("/setup/", ANSWERS | {"code": code})
    assert not file.exists()
    assert first_visit.code_to_print() is None


def test_guessing_the_code_ends_after_ten_tries(client: Client, code: str) -> None:
    for _ in range(10):
        client.post("/setup/", ANSWERS | {"code": WRONG}, headers={"x-forwarded-for": "9.9.9.9"})
    response = client.post("/setup/", ANSWERS | {"code": code}, headers={"x-forwarded-for": "8.8.8.8"})
    assert response.status_code == 403
    assert "Too many tries" in response.content.decode()


@pytest.mark.django_db
def test_a_visitor_from_another_machine_needs_the_code_however_the_server_is_bound(client: Client) -> None:
    assert client.post("/setup/", ANSWERS, REMOTE_ADDR="192.0.2.7").status_code == 200
    assert not User.objects.exists()
