"""The token endpoint: renewing at a real server, and vendors that answer as they please."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers import oauth_pkce
from providers.access import Secret
from providers.errors import ConnectionFailed, ProtocolError, ProviderError, RateLimited, ServerError
from providers.oauth import ClientRefused, Grant, LoginNeeded, OAuthClient, Unanswered, tells_to
from providers.oauth_tokens import post, read_grant, renew, revoke
from providers.transport import Transport
from tests.authorization import AuthorizationServer, authorization_server

from .loopback import Exchange, Script, loopback

REFRESH = Secret("rt-canary-refresh-token-0001")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Asking = Callable[[Script], Awaitable[Grant]]


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with authorization_server() as server:
        yield server


@pytest.fixture
def asking(pool: Transport) -> Asking:
    """Renews at a vendor with this script; waits for nothing."""

    async def ask(script: Script) -> Grant:
        async def no_wait(seconds: float) -> None:
            pass

        async with loopback(script) as place:
            client = OAuthClient(client_id="c", token_url=place.url, client_secret=Secret("cs-canary-0002"))
            return await renew(client, REFRESH, through=lambda: pool, now=lambda: NOW, sleep=no_wait)

    return ask


def says(status: int, body: Any, /, **headers: str) -> Script:
    async def script(exchange: Exchange) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await exchange.answer(status, data, **headers)

    return script


async def granted(server: AuthorizationServer, pool: Transport) -> Grant:
    client, login = server.client(), oauth_pkce.begin()
    back = server.log_in(oauth_pkce.authorize_url(client, login))
    return await oauth_pkce.exchange(client, login, oauth_pkce.read_answer(back, login), through=lambda: pool)


async def test_a_renewal_rotates_the_refresh_token(server: AuthorizationServer, pool: Transport) -> None:
    first = await granted(server, pool)
    assert first.refresh_token is not None
    second = await renew(server.client(), first.refresh_token, through=lambda: pool)
    assert second.refresh_token is not None
    assert second.refresh_token != first.refresh_token
    assert server.accepts(second.access_token.reveal())
    assert not server.accepts(first.access_token.reveal())


async def test_a_refresh_token_that_was_rotated_is_dead(server: AuthorizationServer, pool: Transport) -> None:
    first = await granted(server, pool)
    assert first.refresh_token is not None
    await renew(server.client(), first.refresh_token, through=lambda: pool)
    with pytest.raises(LoginNeeded) as caught:
        await renew(server.client(), first.refresh_token, through=lambda: pool)
    assert tells_to(caught.value) == "log in"
    assert not caught.value.retryable
    assert not caught.value.sent


async def test_a_revoked_grant_is_dead(server: AuthorizationServer, pool: Transport) -> None:
    grant = await granted(server, pool)
    await revoke(server.client(), grant, through=lambda: pool)
    assert not server.accepts(grant.access_token.reveal())
    assert grant.refresh_token is not None
    with pytest.raises(LoginNeeded):
        await renew(server.client(), grant.refresh_token, through=lambda: pool)


async def test_without_an_address_for_it_nothing_is_revoked(
    server: AuthorizationServer, pool: Transport
) -> None:
    grant = await granted(server, pool)
    asked = len(server.asked)
    await revoke(server.client(revoke_url=""), grant, through=lambda: pool)
    assert len(server.asked) == asked


async def test_a_revocation_may_be_answered_with_nothing(pool: Transport) -> None:
    async with loopback(says(200, b"")) as place:
        client = OAuthClient(client_id="c", token_url=place.url, revoke_url=place.url)
        await revoke(client, Grant(access_token=REFRESH), through=lambda: pool)
        assert b"token_type_hint=access_token" in place.exchanges[0].body


async def test_without_a_new_refresh_token_the_old_one_stays(asking: Asking) -> None:
    grant = await asking(says(200, {"access_token": "at", "expires_in": 60}))
    assert grant.refresh_token == REFRESH
    assert grant.expires_at == NOW + timedelta(seconds=60)


async def test_without_a_lifetime_it_is_an_hour(asking: Asking) -> None:
    grant = await asking(says(200, {"access_token": "at"}))
    assert grant.expires_at == NOW + timedelta(hours=1)


async def test_the_end_of_the_refresh_token_is_kept(asking: Asking) -> None:
    answer = {"access_token": "at", "refresh_token": "r2", "refresh_token_expires_in": 15_811_200}
    grant = await asking(says(200, answer))
    assert grant.refresh_expires_at == NOW + timedelta(seconds=15_811_200)
    assert grant.ends_at == grant.refresh_expires_at


@pytest.mark.parametrize("wrong", ["3600", 3600.5, True, 0, -1, 10**12, [], {}])
@pytest.mark.parametrize("name", ["expires_in", "refresh_token_expires_in"])
async def test_lifetimes_that_are_no_whole_numbers_are_refused(asking: Asking, wrong: Any, name: str) -> None:
    with pytest.raises(ProtocolError, match=name):
        await asking(says(200, {"access_token": "at", name: wrong}))


def test_a_vendor_may_give_tokens_that_do_not_end() -> None:
    client = OAuthClient(client_id="c", token_url="https://t.example/", lifetime=None)
    assert read_grant(client, {"access_token": "gho_x"}).expires_at is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "with space"},
        {"access_token": "with\nnewline"},
        {"access_token": "ünïcode"},
        {"access_token": "x" * 20_000},
        {"access_token": "at", "refresh_token": 9},
        {"access_token": "at", "token_type": "mac"},
        {"access_token": "at", "token_type": 1},
        [],
        "text",
        None,
    ],
)
async def test_answers_that_are_no_grant_are_refused(asking: Asking, answer: Any) -> None:
    with pytest.raises(ProtocolError):
        await asking(says(200, answer))


@pytest.mark.parametrize("body", [b"", b"<html>hotel</html>", b"{", b"\xff\xfe", b"[" * 5000, b"NaN"])
async def test_bodies_that_are_no_json_are_refused(asking: Asking, body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        await asking(says(200, body))
    assert tells_to(caught.value) == "wait"


@pytest.mark.parametrize(
    ("status", "body", "kind", "reaction"),
    [
        (400, {"error": "invalid_grant"}, LoginNeeded, "log in"),
        (200, {"error": "bad_refresh_token"}, LoginNeeded, "log in"),
        (400, {"error": "invalid_request"}, ClientRefused, "ask the admin"),
        (400, {"error": "unsupported_grant_type"}, ClientRefused, "ask the admin"),
        (400, {"error": "invalid_scope"}, ClientRefused, "ask the admin"),
        (401, {"error": "invalid_client"}, ClientRefused, "ask the admin"),
        (401, b"", ClientRefused, "ask the admin"),
        (
            403,
            {"error": {"type": "permission_error", "message": "not your organisation"}},
            ClientRefused,
            "ask the admin",
        ),
        (403, b"", ClientRefused, "ask the admin"),
        (404, b"not found", ClientRefused, "ask the admin"),
        (429, {"error": "rate_limit_error"}, RateLimited, "wait"),
        (429, b"", RateLimited, "wait"),
        (500, b"", ServerError, "wait"),
        (502, b"<html>", ServerError, "wait"),
        (503, {"error": "temporarily_unavailable"}, ServerError, "wait"),
        (503, {"error": "invalid_grant"}, ServerError, "wait"),
        (302, b"", ProtocolError, "wait"),
        (418, b"", ProtocolError, "wait"),
    ],
)
async def test_refusals_are_told_apart_by_what_mends_them(
    asking: Asking, status: int, body: Any, kind: type[ProviderError], reaction: str
) -> None:
    with pytest.raises(kind) as caught:
        await asking(says(status, body))
    assert tells_to(caught.value) == reaction
    assert not caught.value.sent
    assert caught.value.retryable == (reaction == "wait" and kind is not ProtocolError)


async def test_the_wait_that_the_vendor_asks_for_is_told(asking: Asking) -> None:
    with pytest.raises(RateLimited) as caught:
        await asking(says(429, b"", retry_after="17"))
    assert caught.value.retry_after == 17


async def test_a_401_is_tried_once_more(asking: Asking) -> None:
    tries = []

    async def script(exchange: Exchange) -> None:
        tries.append(exchange)
        good = json.dumps({"access_token": "at"}).encode()
        await exchange.answer(401 if len(tries) == 1 else 200, b"" if len(tries) == 1 else good)

    assert (await asking(script)).access_token == Secret("at")
    assert len(tries) == 2


async def test_a_redirect_is_not_followed(pool: Transport) -> None:
    async with loopback(says(200, {"access_token": "at"})) as elsewhere:
        async with loopback(says(307, b"", location=elsewhere.url)) as place:
            client = OAuthClient(client_id="c", token_url=place.url)
            with pytest.raises(ProtocolError):
                await renew(client, REFRESH, through=lambda: pool)
        assert elsewhere.exchanges == []


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_huge_body_is_not_read(asking: Asking, status: int) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.head(status, transfer_encoding="chunked")
        for _ in range(40):
            await exchange.send(b" " * 65536)
        await exchange.until_left()

    with pytest.raises(ProtocolError, match="larger"):
        await asking(script)


async def test_a_vendor_that_cannot_be_reached_has_heard_nothing(pool: Transport) -> None:
    client = OAuthClient(client_id="c", token_url="http://127.0.0.1:9/")
    with pytest.raises(ConnectionFailed) as caught:
        await renew(client, REFRESH, through=lambda: pool)
    assert not isinstance(caught.value, Unanswered)
    assert not caught.value.sent


async def cut_before(exchange: Exchange) -> None:
    exchange.reset()


async def cut_within(exchange: Exchange) -> None:
    await exchange.head(200, content_length="100")
    await exchange.raw(b'{"access_token": "half')
    exchange.reset()


@pytest.mark.parametrize("script", [cut_before, cut_within])
async def test_an_answer_that_breaks_off_leaves_open_what_happened(asking: Asking, script: Script) -> None:
    with pytest.raises(Unanswered) as caught:
        await asking(script)
    assert caught.value.retryable
    assert not caught.value.sent


@pytest.mark.parametrize("member", ["error", "error_description", "message"])
async def test_secrets_that_the_vendor_echoes_are_masked(asking: Asking, member: str) -> None:
    async def script(exchange: Exchange) -> None:
        sent = exchange.body.decode()
        echo = f"bad {sent} sk-ant-canary-0003 gho_canary0123456789 Bearer canary0123456789abcd"
        body: dict[str, Any] = {"error": "invalid_request", member: echo}
        if member == "message":
            body = {"error": {"type": "invalid_request", "message": echo}}
        await exchange.answer(400, json.dumps(body).encode())

    with pytest.raises(ClientRefused) as caught:
        await asking(script)
    assert "canary" not in str(caught.value)
    assert len(caught.value.safe_message) < 500


async def test_a_long_text_of_the_vendor_is_cut_and_on_one_line(asking: Asking) -> None:
    text = "line\r\nline\x1b[31m" * 1000
    with pytest.raises(ClientRefused) as caught:
        await asking(says(400, {"error": "invalid_request", "error_description": text}))
    assert len(caught.value.safe_message) < 420
    assert caught.value.safe_message.isprintable()


async def test_the_request_says_what_it_is(pool: Transport) -> None:
    async with loopback(says(200, {"access_token": "at"})) as place:
        client = OAuthClient(
            client_id="c", token_url=f"{place.url}/v1/oauth/token", body="json", headers={"x-beta": "b"}
        )
        await post(client, client.token_url, {"grant_type": "refresh_token"}, [], through=lambda: pool)
        (exchange,) = place.exchanges
    assert (exchange.method, exchange.path) == ("POST", "/v1/oauth/token")
    assert exchange.header("accept") == "application/json"
    assert exchange.header("content-type") == "application/json"
    assert exchange.header("x-beta") == "b"
    assert exchange.header("user-agent") == "Parley"
    assert json.loads(exchange.body) == {"grant_type": "refresh_token", "client_id": "c"}
