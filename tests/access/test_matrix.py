"""Every address and every command of the socket, as every role: who is served, and who finds nothing there.

A route without a row in tests.access.matrix fails, and so does a row without a route.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from websockets.exceptions import ConnectionClosed

from accounts.sign_in import first_visit
from chat import events, sockets
from tests.access.cast import Cast, gathered
from tests.access.matrix import COMMANDS, ROLES, ROUTES
from tests.live import Listener, LiveServer, Visitor
from usage.catalogue import discovery, overrides

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
SIGNING_OUT = "account_logout"  # leads to the door, and is noted
# What looking at a page may write: that one is signed in, and what is remembered between pages.
OF_SESSIONS = ("django_session", "accounts_devicesession")


def routes() -> dict[str, list[str]]:
    """The names of all addresses, each with its placeholders."""
    found: dict[str, list[str]] = {}

    def walk(patterns: list[Any], space: str, names: list[str]) -> None:
        for each in patterns:
            here = [*names, *(each.pattern.converters or each.pattern.regex.groupindex)]
            if isinstance(each, URLResolver):
                walk(each.url_patterns, f"{space}{each.namespace}:" if each.namespace else space, here)
            elif isinstance(each, URLPattern):
                found[f"{space}{each.name}"] = here

    walk(get_resolver().url_patterns, "", [])
    return found


@pytest.fixture
def clean(settings: Any) -> Iterator[None]:
    settings.SETUP_CODE_REQUIRED = False
    settings.DEMO_BASE_URL = ""
    settings.ACCOUNT_RATE_LIMITS = False
    forgets = (overrides.forget, discovery.forget, first_visit.forget, cache.clear)
    for forget in forgets:
        forget()
    yield
    for forget in forgets:
        forget()


@pytest.fixture
def cast(clean: None, db: None) -> Cast:
    return gathered()


def answer(response: HttpResponse) -> str:
    """The letter of the matrix for what came back."""
    status = response.status_code
    if status == 404:
        return "n"
    if status == 403:
        return "f"
    if status in {301, 302} and response["Location"].startswith("/login/"):
        return "l"
    return "y" if status < 500 and status != 405 else str(status)


def asked(client: Client, method: str, path: str, fields: dict[str, Any]) -> tuple[str, list[str]]:
    """How a request is answered, and what it wrote; nothing of it stays."""
    written: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith(WRITES) and not any(name in sql for name in OF_SESSIONS):
            written.append(sql[:120])
        return execute(sql, params, many, context)

    client.raise_request_exception = False
    jar = dict(client.cookies)
    with connection.execute_wrapper(watch), transaction.atomic():
        response = client.get(path, fields) if method == "get" else client.post(path, fields)
        if response.streaming:
            b"".join(response.streaming_content)
        transaction.set_rollback(True)
    client.cookies.clear()
    client.cookies.update(jar)
    return (str(405) if response.status_code == 405 else answer(response)), written


def test_every_route_has_its_row() -> None:
    assert set(routes()) == set(ROUTES)
    for name, row in ROUTES.items():
        for answers in (row.get, row.post):
            assert answers == "" or (len(answers) == len(ROLES) and set(answers) <= set("ynlf")), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_what_its_row_says_and_no_more(role: str, cast: Cast) -> None:
    wrong = []
    for name, placeholders in routes().items():
        path = reverse(name, kwargs=cast.arguments(name, placeholders))
        for method, answers in (("get", ROUTES[name].get), ("post", ROUTES[name].post)):
            wanted = answers[ROLES.index(role)] if answers else "405"
            fields = cast.arguments(name, list(ROUTES[name].sent))
            got, written = asked(cast.clients[role], method, path, fields)
            # Where a method is not taken, one who may not be there is told no more than elsewhere.
            if got != wanted and not (wanted == "405" and got in "nlf"):
                wrong.append(f"{method} {path} ({name}): {got} instead of {wanted}")
            if method == "get" and written:
                wrong.append(f"GET {path} ({name}) writes: {written[0]}")
            if role not in ("owner", "admin") and got in "nlf" and written and name != SIGNING_OUT:
                wrong.append(f"{method} {path} ({name}) is refused, and writes: {written[0]}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_nothing_is_changed_without_the_token_of_the_page(cast: Cast) -> None:
    strict = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    strict.force_login(cast.people["owner"])
    passed = []
    for name, placeholders in routes().items():
        path = reverse(name, kwargs=cast.arguments(name, placeholders))
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
            body = json.dumps({"text": "x"})
            status = strict.post(path, data=body, content_type=kind).status_code
            if status not in {403, 405} and not (name == "manage" and status == 302):
                passed.append(f"{path} ({name}) as {kind}: {status}")
    assert not passed, "\n" + "\n".join(passed)


def test_every_command_of_the_socket_has_its_row() -> None:
    tags = {kind.__struct_config__.tag for kind in get_args(events.Command)}
    assert tags == set(COMMANDS)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_command_what_its_row_says(role: str, clean: None, transactional_db: None) -> None:
    cast = gathered()
    session = cast.clients[role].cookies.get("parley_session")
    wanted = {name: answers[ROLES.index(role)] for name, answers in COMMANDS.items()}
    key = session.value if session else ""
    with LiveServer() as server, Visitor(server.url, session=key).listen() as page:
        if set(wanted.values()) == {"l"}:
            with pytest.raises(ConnectionClosed) as closed:
                page.hear()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == sockets.SIGNED_OUT
            return
        assert {name: commanded(page, cast, name) for name in COMMANDS} == wanted


def commanded(page: Listener, cast: Cast, name: str) -> str:
    """The letter for a command. Two more that are surely refused show where its answer ends."""
    told = {
        "follow": {"conversation": str(cast.ids["conversation_id"]), "after": {}},
        "stop": {"message": str(cast.ids["message_id"])},
    }
    unknown = str(cast.ids["call_id"])
    page.say(type=name, **told.get(name, {}))
    page.say(type="stop", message=unknown)
    page.say(type="follow", conversation=unknown, after={})
    notices: list[str] = []
    while notices[-2:] != ["There is no such answer.", "There is no such conversation."]:
        notices.append(page.hear_until("notice", code="not_found")["text"])
    return "n" if len(notices) == 3 else "y"
