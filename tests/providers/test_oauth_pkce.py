"""Logging in with a code and PKCE, at a real authorization server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from providers import oauth_pkce
from providers.access import Secret
from providers.errors import ProviderError
from providers.oauth import ClientRefused, Declined, LoginNeeded, OAuthClient, tells_to
from providers.oauth_pkce import Login, NoCode, authorize_url, begin, exchange, read_answer
from providers.transport import Transport
from tests.authorization import REDIRECT, AuthorizationServer, authorization_server


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with authorization_server() as server:
        yield server


def state(login: Login) -> str:
    return login.state.reveal()


async def test_a_code_is_exchanged_for_a_grant(server: AuthorizationServer, pool: Transport) -> None:
    client, login = server.client(), begin()
    back = server.log_in(authorize_url(client, login))
    before = datetime.now(UTC)
    grant = await exchange(client, login, read_answer(back, login), through=lambda: pool)
    assert server.accepts(grant.access_token.reveal())
    assert grant.refresh_token is not None
    assert grant.scope == "inference profile"
    assert grant.expires_at is not None
    assert timedelta(0) <= grant.expires_at - before - timedelta(seconds=3600) < timedelta(seconds=30)


@pytest.mark.parametrize("body", ["json", "form"])
async def test_the_body_has_the_form_that_the_vendor_wants(
    server: AuthorizationServer, pool: Transport, body: str
) -> None:
    client, login = server.client(body=body, repeats_state=body == "json"), begin()
    back = server.log_in(authorize_url(client, login))
    await exchange(client, login, read_answer(back, login), through=lambda: pool)
    _, fields = server.asked[-1]
    expected = {"grant_type", "code", "redirect_uri", "code_verifier", "client_id"}
    assert set(fields) == expected | ({"state"} if body == "json" else set())
    assert fields["redirect_uri"] == REDIRECT


async def test_a_code_works_once(server: AuthorizationServer, pool: Transport) -> None:
    client, login = server.client(), begin()
    code = read_answer(server.log_in(authorize_url(client, login)), login)
    await exchange(client, login, code, through=lambda: pool)
    with pytest.raises(LoginNeeded) as caught:
        await exchange(client, login, code, through=lambda: pool)
    assert code.reveal() not in str(caught.value)


async def test_a_stolen_code_is_worth_nothing_without_its_verifier(
    server: AuthorizationServer, pool: Transport
) -> None:
    client, login = server.client(), begin()
    code = read_answer(server.log_in(authorize_url(client, login)), login)
    with pytest.raises(LoginNeeded):
        await exchange(client, begin(), code, through=lambda: pool)


async def test_an_unknown_client_is_for_the_admin(server: AuthorizationServer, pool: Transport) -> None:
    client, login = server.client(), begin()
    code = read_answer(server.log_in(authorize_url(client, login)), login)
    with pytest.raises(ClientRefused, match="invalid_client") as caught:
        await exchange(replace(client, client_id="nobody"), login, code, through=lambda: pool)
    assert tells_to(caught.value) == "ask the admin"
    assert not caught.value.retryable


async def test_another_redirect_address_is_refused(server: AuthorizationServer, pool: Transport) -> None:
    client, login = server.client(), begin()
    code = read_answer(server.log_in(authorize_url(client, login)), login)
    with pytest.raises(ProviderError):
        await exchange(replace(client, redirect_uri=f"{REDIRECT}x"), login, code, through=lambda: pool)


def test_who_declines_comes_back_without_a_code(server: AuthorizationServer) -> None:
    client, login = server.client(), begin()
    back = server.log_in(authorize_url(client, login), consent=False)
    with pytest.raises(Declined):
        read_answer(back, login)


def test_the_challenge_is_the_hash_of_the_verifier_and_the_state_is_neither() -> None:
    client = OAuthClient(
        client_id="c", token_url="https://t.example/t", authorize_url="https://a.example/a?x=1"
    )
    login = begin()
    query = parse_qs(urlsplit(authorize_url(client, login)).query)
    digest = hashlib.sha256(login.verifier.reveal().encode()).digest()
    assert base64.urlsafe_b64decode(query["code_challenge"][0] + "=") == digest
    assert "=" not in query["code_challenge"][0]
    assert query["code_challenge_method"] == ["S256"]
    assert query["x"] == ["1"]
    assert login.verifier.reveal() not in authorize_url(client, login)
    assert 43 <= len(login.verifier.reveal()) <= 128
    assert state(login) != login.verifier.reveal()
    assert begin().verifier != login.verifier


def test_the_challenge_is_that_of_the_standards_example() -> None:
    """RFC 7636, appendix B."""
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert oauth_pkce.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "form",
    [
        "{code}#{state}",
        "  {code}#{state} \n",
        "code={code}&state={state}",
        "?state={state}&code={code}",
        "https://parley.example/cb?code={code}&state={state}",
        "https://parley.example/cb#code={code}&state={state}",
        "https://parley.example/cb?code={code}&state={state}#_",
    ],
)
def test_the_code_is_found_in_what_was_pasted(form: str) -> None:
    login = begin()
    assert read_answer(form.format(code="the-code", state=state(login)), login).reveal() == "the-code"


@pytest.mark.parametrize(
    "form",
    [
        "",
        "#",
        "the-code",
        "the-code#",
        "#{state}",
        "the-code#{state}x",
        "the-code#ünïcode",
        "code=the-code&state={state}&state={state}",
        "code=one&code=two&state={state}",
        "state={state}",
        "https://[broken?code=c&state={state}",
        "https://x.example/",
        "the\x00code#{state}",
        "thé-code#{state}",
        "x" * 9000,
    ],
)
def test_what_holds_no_code_of_this_login_is_refused(form: str) -> None:
    login = begin()
    with pytest.raises(NoCode):
        read_answer(form.replace("{state}", state(login)), login)


def test_an_error_is_believed_only_with_the_right_state() -> None:
    login = begin()
    with pytest.raises(NoCode):
        read_answer("?error=access_denied&state=guess", login)
    with pytest.raises(Declined):
        read_answer(f"?{urlencode({'error': 'access_denied', 'state': state(login)})}", login)
    echo = urlencode({"error": "bad", "error_description": f"no {state(login)}", "state": state(login)})
    with pytest.raises(ClientRefused) as caught:
        read_answer(f"?{echo}", login)
    assert state(login) not in str(caught.value)


def test_nothing_of_a_login_is_printed() -> None:
    login = begin()
    assert login.verifier.reveal() not in repr(login)
    assert state(login) not in f"{login}"


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example/t",
        "ftp://auth.example",
        "https://u:p@auth.example/",
        "https://auth.example/#x",
        "auth",
        "https://auth.example/a b",
        "http://localhost.evil.example/t",
        "https://exämple.org/",
        "https://[x/",
    ],
)
def test_addresses_that_are_not_safe_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        OAuthClient(client_id="c", token_url=url)


@pytest.mark.parametrize(
    "url", ["https://auth.example/t", "http://127.0.0.1:9/t", "http://localhost/t", "http://[::1]/t"]
)
def test_https_and_this_machine_are_safe(url: str) -> None:
    assert OAuthClient(client_id="c", token_url=url).token_url == url


def test_a_client_needs_its_id() -> None:
    with pytest.raises(ValueError, match="client id"):
        OAuthClient(client_id="", token_url="https://auth.example/t")
