"""Logging in by a code that is typed on another device, at a real server and at GitHub's kind of vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from providers.errors import ProtocolError, ProviderError
from providers.oauth import ClientRefused, Declined, Grant, Lapsed, OAuthClient
from providers.oauth_device import Pending, Started, poll, start, wait
from providers.transport import Transport
from tests.authorization import AuthorizationServer, authorization_server

from .loopback import Exchange, Script, loopback

STARTED = {
    "device_code": "dc-canary-0001",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://github.com/login/device",
    "expires_in": 900,
    "interval": 5,
}


class Time:
    """A clock that goes on only when somebody sleeps; `when` does something at a moment."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.when: dict[int, Any] = {}

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if act := self.when.get(len(self.slept)):
            act()


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with authorization_server() as server:
        yield server


@pytest.fixture
def time() -> Time:
    return Time()


def answers(*given: Any) -> Script:
    """These answers one after the other, with status 200 unless they say another: (status, body)."""
    left = list(given)

    async def script(exchange: Exchange) -> None:
        answer = left.pop(0)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        await exchange.answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    return script


async def logged_in(place_url: str, pool: Transport, time: Time) -> Grant:
    client = OAuthClient(
        client_id="c", token_url=f"{place_url}/t", device_url=f"{place_url}/d", lifetime=None
    )
    started = await start(client, through=lambda: pool)
    return await wait(client, started, through=lambda: pool, clock=time.clock, sleep=time.sleep)


@pytest.mark.parametrize("with_200", [False, True])
async def test_the_grant_comes_once_the_code_was_typed(
    server: AuthorizationServer, pool: Transport, time: Time, with_200: bool
) -> None:
    server.errors_with_200 = with_200
    client = server.client(lifetime=None)
    started = await start(client, through=lambda: pool)
    time.when[3] = lambda: server.type_code(started.user_code)
    grant = await wait(client, started, through=lambda: pool, clock=time.clock, sleep=time.sleep)
    assert server.accepts(grant.access_token.reveal())
    assert time.slept == [6, 6, 6]


@pytest.mark.parametrize("with_200", [False, True])
async def test_who_says_no_ends_it(
    server: AuthorizationServer, pool: Transport, time: Time, with_200: bool
) -> None:
    server.errors_with_200 = with_200
    client = server.client()
    started = await start(client, through=lambda: pool)
    time.when[2] = lambda: server.type_code(started.user_code, consent=False)
    with pytest.raises(Declined):
        await wait(client, started, through=lambda: pool, clock=time.clock, sleep=time.sleep)
    assert len(time.slept) == 2


async def test_slower_stays_slower(server: AuthorizationServer, pool: Transport, time: Time) -> None:
    server.impatient = True
    client = server.client()
    started = await start(client, through=lambda: pool)

    def patient() -> None:
        server.impatient = False

    time.when[2] = patient
    time.when[4] = lambda: server.type_code(started.user_code)
    await wait(client, started, through=lambda: pool, clock=time.clock, sleep=time.sleep)
    assert time.slept == [6, 11, 11, 11]


async def test_the_larger_of_two_paces_counts(pool: Transport, time: Time) -> None:
    script = answers(STARTED, {"error": "slow_down", "interval": 30}, {"access_token": "gho_x"})
    async with loopback(script) as place:
        await logged_in(place.url, pool, time)
    assert time.slept == [6, 31]


async def test_it_ends_with_the_codes_time_by_our_own_clock(pool: Transport, time: Time) -> None:
    pending = {"error": "authorization_pending"}
    async with loopback(answers({**STARTED, "expires_in": 30}, *[pending] * 10)) as place:
        with pytest.raises(Lapsed):
            await logged_in(place.url, pool, time)
        assert len(place.exchanges) == 5
    assert time.now < 1030


@pytest.mark.parametrize("code", ["expired_token", "token_expired"])
async def test_a_code_that_ran_out_is_said(pool: Transport, time: Time, code: str) -> None:
    async with loopback(answers(STARTED, {"error": code})) as place:
        with pytest.raises(Lapsed):
            await logged_in(place.url, pool, time)


@pytest.mark.parametrize(
    "code", ["incorrect_client_credentials", "incorrect_device_code", "unsupported_grant_type"]
)
async def test_what_an_admin_has_to_mend_ends_it(pool: Transport, time: Time, code: str) -> None:
    async with loopback(answers(STARTED, {"error": code, "error_description": "Look."})) as place:
        with pytest.raises(ClientRefused, match=code):
            await logged_in(place.url, pool, time)


async def test_trouble_on_the_way_is_waited_out(pool: Transport, time: Time) -> None:
    script = answers(STARTED, (503, b""), (200, b"<html>"), (429, b""), {"access_token": "gho_x"})
    async with loopback(script) as place:
        grant = await logged_in(place.url, pool, time)
    assert grant.expires_at is None
    assert grant.refresh_token is None
    assert time.slept == [6, 11, 16, 21]


async def test_a_device_flow_that_is_off_is_said_at_once(pool: Transport, time: Time) -> None:
    async with loopback(answers({"error": "device_flow_disabled"})) as place:
        with pytest.raises(ClientRefused, match="device_flow_disabled"):
            await logged_in(place.url, pool, time)
    assert time.slept == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"device_code": None},
        {"device_code": 7},
        {"device_code": "x" * 5000},
        {"user_code": ""},
        {"user_code": "A\nB"},
        {"user_code": "x" * 100},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://github.example/device"},
        {"verification_uri": None},
        {"expires_in": "900"},
        {"interval": -5},
        {"interval": 5.5},
    ],
)
async def test_starts_that_cannot_be_are_refused(pool: Transport, wrong: dict[str, Any]) -> None:
    async with loopback(answers({**STARTED, **wrong})) as place:
        client = OAuthClient(client_id="c", token_url=place.url, device_url=place.url)
        with pytest.raises(ProtocolError) as caught:
            await start(client, through=lambda: pool)
        assert "canary" not in str(caught.value)


async def test_nothing_but_client_and_scope_is_sent_and_json_is_asked_for(pool: Transport) -> None:
    pending = {"error": "authorization_pending"}
    async with loopback(answers(STARTED, pending)) as place:
        client = OAuthClient(
            client_id="c", token_url=place.url, device_url=place.url, scopes=("read:user",), lifetime=None
        )
        started = await start(client, through=lambda: pool)
        assert await poll(client, started, through=lambda: pool) == Pending(5)
        first, second = place.exchanges
    assert first.body == b"scope=read%3Auser&client_id=c"
    assert first.header("accept") == second.header("accept") == "application/json"
    assert b"client_secret" not in second.body
    assert isinstance(started, Started)
    assert "canary" not in repr(started)


async def test_a_device_code_that_is_echoed_is_masked(pool: Transport, time: Time) -> None:
    echo = {"error": "odd", "error_description": "dc-canary-0001 is odd"}
    async with loopback(answers(STARTED, echo)) as place:
        with pytest.raises(ProviderError) as caught:
            await logged_in(place.url, pool, time)
    assert "canary" not in str(caught.value)
