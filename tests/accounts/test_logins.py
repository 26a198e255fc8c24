"""Connecting an account by a login: bound to one session, used once, finished by a deliberate step."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.keys import credentials
from accounts.keys.stored_grants import StoredGrant
from accounts.logins import connecting, grants
from accounts.management.commands.connect import Command
from accounts.models import Credential, LoginAttempt, User
from tests.authorization import REDIRECT, AuthorizationServer, authorization_server

from .conftest import Vendor, signed_in

CONNECT = "/manage/keys/connect/{}/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def server(settings: Any, vendor: Vendor) -> Iterator[AuthorizationServer]:
    """Logs people in for anthropic (code) and copilot (device code); the vendor takes its tokens."""
    grants.forget()
    with authorization_server() as server:
        settings.OAUTH = {
            "anthropic": server.client(device_url="", body="json", repeats_state=True),
            "copilot": server.client(authorize_url="", scopes=("read:user",), lifetime=None),
        }
        places = {slug: {"api_key": None, "base_url": vendor.base_url} for slug in ("anthropic", "copilot")}
        settings.PROVIDER_ENVIRONMENT = places
        vendor.accepts = server.accepts
        yield server


def begin(client: Client, provider: str = "anthropic", **fields: str) -> LoginAttempt:
    response = client.post(CONNECT.format(provider), {"label": "ours", **fields})
    assert response.status_code == 302, response.content.decode()
    attempt = LoginAttempt.objects.order_by("-id")[0]
    assert response.headers["Location"] == f"/manage/keys/login/{attempt.pk}/"
    return attempt


def login_url(client: Client, attempt: LoginAttempt) -> str:
    """The link to the vendor on the attempt's page."""
    page = client.get(f"/manage/keys/login/{attempt.pk}/").content.decode()
    found = re.search(r'href="([^"]+)" target="_blank"', page)
    assert found is not None, page
    return html.unescape(found[1])


def come_back(client: Client, address: str) -> Any:
    """The browser follows the vendor's redirect to us."""
    assert address.startswith(REDIRECT)
    return client.get("/manage/keys/oauth/callback/?" + urlsplit(address).query)


def finish(client: Client, attempt: LoginAttempt, answer: str) -> Any:
    return client.post(f"/manage/keys/login/{attempt.pk}/", {"answer": answer})


def ask(client: Client, attempt: LoginAttempt, *, now_due: bool = True) -> Any:
    """The page's own question, when the vendor may be asked."""
    if now_due:
        LoginAttempt.objects.filter(pk=attempt.pk).update(next_poll_at=timezone.now())
    return client.post(f"/manage/keys/login/{attempt.pk}/ask/", headers=HTMX)


def polls(server: AuthorizationServer) -> int:
    return sum(1 for path, fields in server.asked if "device_code" in fields)


def text(response: Any) -> str:
    return str(response.content.decode())


# By a code that comes back


def test_the_vendor_sends_the_browser_back_and_a_button_finishes(
    owner: User, server: AuthorizationServer
) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    back = come_back(client, server.log_in(login_url(client, attempt)))
    assert back.status_code == 200
    assert not Credential.objects.exists()  # a GET changes nothing
    hidden = re.search(r'name="answer" value="([^"]+)"', text(back))
    assert hidden is not None
    assert finish(client, attempt, html.unescape(hidden[1])).headers["Location"] == "/manage/keys/"
    stored = Credential.objects.get()
    assert (stored.provider, stored.kind, stored.label) == ("anthropic", "oauth", "ours")
    assert stored.vendor_account == "org-lighthouse"
    assert stored.scope == "organisation"
    assert stored.secret is not None
    assert StoredGrant.opened(stored.secret).refresh_token is not None
    (choice,) = credentials.for_call(owner.pk, None, "anthropic")
    assert choice.access.kind == "oauth"
    assert choice.access.secret is not None
    assert server.accepts(choice.access.secret.reveal())
    attempt.refresh_from_db()
    assert (attempt.state, attempt.secret) == ("done", None)
    assert "Anthropic is connected" in text(client.get("/manage/keys/"))


def test_a_pasted_code_with_its_state_does_as_well(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    query = parse_qs(urlsplit(server.log_in(login_url(client, attempt))).query)
    finish(client, attempt, f"  {query['code'][0]}#{query['state'][0]}\n")
    assert Credential.objects.get().kind == "oauth"


def test_the_address_of_the_login_has_no_secret_but_the_state(
    owner: User, server: AuthorizationServer
) -> None:
    client = signed_in(owner)
    query = parse_qs(urlsplit(login_url(client, begin(client))).query)
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert query["state"] != query["code_challenge"]
    assert "code_verifier" not in query


def test_a_login_is_used_once(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    back = server.log_in(login_url(client, attempt))
    finish(client, attempt, back)
    asked = len(server.asked)
    again = finish(client, attempt, back)
    assert again.status_code in (302, 422)
    assert come_back(client, back).status_code == 400
    assert len(server.asked) == asked
    assert Credential.objects.count() == 1


@pytest.mark.parametrize(
    "answer", ["", "a-code", "a-code#another-state", "https://x.example/?code=c&state=s"]
)
def test_what_is_not_this_logins_code_is_sent_nowhere_and_may_be_pasted_anew(
    owner: User, server: AuthorizationServer, answer: str
) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    back = server.log_in(login_url(client, attempt))
    response = finish(client, attempt, answer)
    assert response.status_code == 422
    assert "not the code of this login" in text(response)
    assert server.asked == []
    assert finish(client, attempt, back).status_code == 302


def test_the_callback_of_another_person_or_session_is_not_known(
    owner: User, server: AuthorizationServer, member: User
) -> None:
    client, other = signed_in(owner), signed_in(owner)
    attempt = begin(client)
    back = server.log_in(login_url(client, attempt))
    response = come_back(other, back)
    assert response.status_code == 400
    assert "not begun in this browser session" in text(response)
    assert 'name="answer"' not in text(response)
    for path in ("", "ask/", "cancel/"):
        assert other.post(f"/manage/keys/login/{attempt.pk}/{path}", {"answer": back}).status_code == 404
    assert other.get(f"/manage/keys/login/{attempt.pk}/").status_code == 404
    assert signed_in(member).get("/manage/keys/oauth/callback/?code=c&state=s").status_code == 404
    assert server.asked == []


def test_a_login_takes_ten_minutes_at_most(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    assert attempt.expires_at - timezone.now() <= timedelta(minutes=10)
    back = server.log_in(login_url(client, attempt))
    LoginAttempt.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert come_back(client, back).status_code == 400
    assert "not finished in time" in text(finish(client, attempt, back))
    assert server.asked == []


def test_who_says_no_at_the_vendor_is_told_so(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    back = server.log_in(login_url(client, attempt), consent=False)
    assert "declined at the vendor" in text(finish(client, attempt, back))
    attempt.refresh_from_db()
    assert (attempt.state, attempt.secret) == ("failed", None)


def test_a_new_login_ends_the_one_before(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    first = begin(client)
    back = server.log_in(login_url(client, first))
    begin(client)
    assert finish(client, first, back).status_code == 422
    assert server.asked == []


def test_a_token_that_the_api_refuses_is_given_back(
    owner: User, server: AuthorizationServer, vendor: Vendor
) -> None:
    vendor.accepts = lambda token: False
    client = signed_in(owner)
    attempt = begin(client)
    response = finish(client, attempt, server.log_in(login_url(client, attempt)))
    assert "does not accept its token" in text(response)
    assert not Credential.objects.exists()
    assert all(token.revoked for token in server.tokens)


def test_a_code_that_the_vendor_refuses_ends_the_login(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    back = server.log_in(login_url(client, attempt))
    server.codes.clear()
    response = finish(client, attempt, back)
    assert "does not accept this login" in text(response)
    assert "Start again" in text(response)


def test_connecting_again_takes_the_place_of_the_old_login(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    first = begin(client)
    finish(client, first, server.log_in(login_url(client, first)))
    old = Credential.objects.get()
    assert f"/manage/keys/connect/anthropic/?replaces={old.pk}" in text(client.get("/manage/keys/"))
    second = begin(client, replaces=str(old.pk))
    finish(client, second, server.log_in(login_url(client, second)))
    old.refresh_from_db()
    assert (old.state, old.has_secret) == ("revoked", False)
    assert Credential.objects.filter(state="active").count() == 1


def test_revoking_a_login_tells_the_vendor(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client)
    finish(client, attempt, server.log_in(login_url(client, attempt)))
    client.post(f"/manage/keys/{Credential.objects.get().pk}/revoke/")
    assert server.asked[-1][0] == "/revoke"
    assert all(token.revoked for token in server.tokens)
    assert Credential.objects.get().state == "revoked"


# By a code typed on another device


def test_the_code_is_typed_at_the_vendor_and_the_page_goes_on(
    owner: User, server: AuthorizationServer
) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    page = text(client.get(f"/manage/keys/login/{attempt.pk}/"))
    assert attempt.user_code in page
    assert f"{server.url}/activate" in page
    assert f'hx-post="/manage/keys/login/{attempt.pk}/ask/"' in page
    assert 'hx-trigger="every 6s"' in page
    assert attempt.secret is not None
    assert attempt.secret.reveal() not in page
    waiting = ask(client, attempt)
    assert attempt.user_code in text(waiting)
    assert "A login at GitHub Copilot is not finished" in text(client.get("/manage/keys/"))
    server.type_code(attempt.user_code)
    done = ask(client, attempt)
    assert done.headers["HX-Redirect"] == "/manage/keys/"
    stored = Credential.objects.get()
    assert (stored.provider, stored.kind, stored.vendor_account) == ("copilot", "device", "4711")
    assert "GitHub Copilot is connected" in text(client.get("/manage/keys/"))


def test_without_a_script_a_button_does_the_same(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    server.type_code(attempt.user_code)
    LoginAttempt.objects.update(next_poll_at=timezone.now())
    assert client.post(f"/manage/keys/login/{attempt.pk}/ask/").headers["Location"] == "/manage/keys/"
    assert Credential.objects.exists()


def test_the_vendor_is_not_asked_before_its_time(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    for _ in range(3):
        ask(client, attempt, now_due=False)
    assert polls(server) == 0
    for due in (True, False, False):
        ask(client, attempt, now_due=due)
    assert polls(server) == 1


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_two_tabs_ask_the_vendor_once(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    LoginAttempt.objects.update(next_poll_at=timezone.now())
    gate = Barrier(4)

    def tab() -> None:
        gate.wait(10)
        connecting.ask(LoginAttempt.objects.get(pk=attempt.pk))
        connection.close()

    tabs = [Thread(target=tab) for _ in range(4)]
    for each in tabs:
        each.start()
    for each in tabs:
        each.join(20)
    assert polls(server) == 1


def test_a_vendor_that_says_slower_is_asked_more_slowly(owner: User, server: AuthorizationServer) -> None:
    server.impatient = True
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    assert 'hx-trigger="every 11s"' in text(ask(client, attempt))
    assert 'hx-trigger="every 16s"' in text(ask(client, attempt))
    attempt.refresh_from_db()
    assert attempt.interval == 15
    assert attempt.next_poll_at - timezone.now() > timedelta(seconds=14)


def test_errors_that_come_with_status_200_are_errors(owner: User, server: AuthorizationServer) -> None:
    server.errors_with_200 = True
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    assert attempt.user_code in text(ask(client, attempt))
    server.type_code(attempt.user_code, consent=False)
    assert "declined at the vendor" in text(ask(client, attempt))
    attempt.refresh_from_db()
    assert attempt.state == "failed"
    assert not Credential.objects.exists()


def test_a_vendor_that_stumbles_is_asked_again_later(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    server.refuses = (503, {}, {})
    assert attempt.user_code in text(ask(client, attempt))
    server.refuses = None
    server.type_code(attempt.user_code)
    assert ask(client, attempt).headers["HX-Redirect"] == "/manage/keys/"


def test_a_code_runs_out(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    LoginAttempt.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = text(ask(client, attempt))
    assert "not finished in time" in answer
    assert "hx-trigger" not in answer
    assert polls(server) == 0


def test_a_cancelled_login_is_not_asked_for_again(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    client.post(f"/manage/keys/login/{attempt.pk}/cancel/")
    server.type_code(attempt.user_code)
    assert "was cancelled" in text(ask(client, attempt))
    assert polls(server) == 0
    assert not Credential.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_login_cancelled_while_the_vendor_is_asked_gives_its_token_back(
    owner: User, server: AuthorizationServer
) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    server.type_code(attempt.user_code)

    def cancel(path: str, fields: dict[str, str]) -> None:
        if path == "/token":
            connecting.cancel(LoginAttempt.objects.get(pk=attempt.pk))
            connection.close()

    server.before_answer = cancel
    assert "was cancelled" in text(ask(client, attempt))
    assert not Credential.objects.exists()
    assert all(token.revoked for token in server.tokens)


def test_after_signing_out_nothing_is_asked(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    attempt = begin(client, "copilot")
    client.logout()
    client.force_login(owner)
    assert ask(client, attempt).status_code == 404
    assert polls(server) == 0


def test_a_vendor_that_gives_no_code_is_said_and_what_was_typed_kept(
    owner: User, server: AuthorizationServer
) -> None:
    server.refuses = (400, {"error": "device_flow_disabled", "error_description": "Enable it."}, {})
    response = signed_in(owner).post(CONNECT.format("copilot"), {"label": "for the team"})
    assert response.status_code == 422
    assert "device_flow_disabled" in text(response)
    assert "for the team" in text(response)
    assert not LoginAttempt.objects.exists()


def test_attempts_of_yesterday_are_swept(owner: User, server: AuthorizationServer) -> None:
    client = signed_in(owner)
    begin(client)
    LoginAttempt.objects.update(expires_at=timezone.now() - timedelta(days=2))
    begin(client)
    assert LoginAttempt.objects.count() == 1


def test_an_operator_connects_from_the_terminal(owner: User, server: AuthorizationServer) -> None:
    shown = StringIO()

    async def type_it(seconds: float) -> None:
        (code,) = re.findall(r"type (\S+)", shown.getvalue())
        server.type_code(code)

    call_command(Command(sleep=type_it), "copilot", label="terminal", stdout=shown)
    stored = Credential.objects.get()
    assert (stored.provider, stored.kind, stored.label) == ("copilot", "device", "terminal")
    assert "Connected" in shown.getvalue()
    assert "canary" not in shown.getvalue()


def test_the_terminal_says_what_is_wrong(owner: User, server: AuthorizationServer) -> None:
    with pytest.raises(CommandError, match="not switched on"):
        call_command(Command(), "anthropic")
    server.refuses = (200, {"error": "device_flow_disabled"}, {})
    with pytest.raises(CommandError, match="device_flow_disabled"):
        call_command(Command(), "copilot")
    assert not Credential.objects.exists()


def test_no_token_code_or_verifier_is_in_any_page_or_log(
    owner: User, server: AuthorizationServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = signed_in(owner)
    attempt = begin(client)
    assert attempt.secret is not None
    verifier = attempt.secret.reveal().split('"')[1]
    back = server.log_in(login_url(client, attempt))
    code = parse_qs(urlsplit(back).query)["code"][0]
    pages = [text(client.get(f"/manage/keys/login/{attempt.pk}/"))]
    finish(client, attempt, back)
    device = begin(client, "copilot")
    assert device.secret is not None
    device_code = device.secret.reveal()
    server.type_code(device.user_code)
    pages += [text(ask(client, device)), text(client.get("/manage/keys/")), caplog.text]
    with connection.cursor() as cursor:
        for query in ("SELECT * FROM accounts_credential", "SELECT * FROM accounts_loginattempt"):
            cursor.execute(query)
            pages.append(
                repr(
                    [
                        [bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]
                        for row in cursor
                    ]
                )
            )
    hidden = ["canary", verifier, code, device_code]
    assert [(secret, page) for page in pages for secret in hidden if secret in page] == []
    assert Credential.objects.count() == 2
