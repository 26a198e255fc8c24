"""Where a request comes from: as so many trusted proxies saw it, and never as the client says."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.test import Client, RequestFactory

from accounts import client as clients
from accounts.models import AuditEvent, User
from config.environment import Environment

from .conftest import PASSWORD

PEER, GUEST, FORGED = "10.0.0.1", "203.0.113.7", "9.9.9.9"


@pytest.mark.parametrize(
    ("proxies", "header", "found"),
    [
        (0, None, PEER),
        (0, FORGED, PEER),
        (1, GUEST, GUEST),
        (1, f"{FORGED}, {GUEST}", GUEST),
        (1, f"{FORGED},, ,{GUEST} ", GUEST),
        (1, f"{GUEST}:51234", GUEST),
        (1, "[2001:DB8::7]:443", "2001:db8::7"),
        (1, "2001:db8::7", "2001:db8::7"),
        (2, f"{FORGED}, {GUEST}, 10.0.0.9", GUEST),
        (2, GUEST, PEER),
        (2, None, PEER),
        (1, "unknown", PEER),
        (1, "", PEER),
        (1, "<script>", PEER),
        (1, "1" * 5000, PEER),
        (1, f"{GUEST}, \x00", PEER),
    ],
)
def test_the_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    settings: Any, proxies: int, header: str | None, found: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    more = {} if header is None else {"HTTP_X_FORWARDED_FOR": header}
    request = RequestFactory().get("/", REMOTE_ADDR=PEER, **more)
    assert clients.seen_by_proxies(request) == found


@pytest.mark.parametrize(
    "name",
    [b"forwarded", b"x-real-ip", b"x_forwarded_for", b"x-client-ip", b"true-client-ip", b"remote-addr"],
)
def test_other_headers_say_nothing(settings: Any, name: bytes) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (name, FORGED.encode())],
        "client": (PEER, 1),
        "server": ("localhost", 80),
    }
    assert clients.seen_by_proxies(ASGIRequest(scope, BytesIO())) == PEER


def fail(person: User, forwarded: str, **more: str) -> str:
    answer = Client().post(
        "/login/",
        {"login": person.email, "password": "wrong", **more},
        REMOTE_ADDR=PEER,
        headers={"x-forwarded-for": forwarded},
    )
    return answer.content.decode()


@pytest.mark.parametrize(("proxies", "forwarded"), [(0, "9.9.9.{n}"), (1, "9.9.9.{n}, 203.0.113.7")])
@pytest.mark.django_db
def test_invented_addresses_do_not_escape_the_limit(
    member: User, stranger: User, settings: Any, proxies: int, forwarded: str
) -> None:
    """Ten failures in a minute from one address, whoever's account they are for."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    for number in range(10):
        fail(member, forwarded.format(n=number), login=f"nobody{number}@example.org")
    assert "Too many attempts" in fail(stranger, forwarded.format(n=99))


@pytest.mark.django_db
def test_behind_a_proxy_people_do_not_share_a_limit(member: User, stranger: User, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(10):
        fail(member, GUEST, login=f"nobody{number}@example.org")
    assert "Too many attempts" not in fail(stranger, "198.51.100.4")


@pytest.mark.django_db
def test_the_log_says_where_from(member: User, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    Client().post(
        "/login/",
        {"login": member.email, "password": PASSWORD},
        REMOTE_ADDR=PEER,
        headers={"x-forwarded-for": f"{FORGED}, {GUEST}"},
    )
    assert AuditEvent.objects.get(verb="signin.succeeded").address == GUEST


@pytest.mark.parametrize("value", ["-1", "11", "one", "10.0.0.1"])
def test_a_bad_number_of_proxies_stops_the_start(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PARLEY_TRUSTED_PROXIES"):
        Environment({"PARLEY_TRUSTED_PROXIES": value}).integer("PARLEY_TRUSTED_PROXIES", 0, least=0, most=10)
