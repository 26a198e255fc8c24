"""Salesforce: the token of the client's own, and where it may go."""

from __future__ import annotations

from typing import Any

import pytest

from providers import errors
from providers.fold import fold
from providers.heard import Head
from providers.salesforce import SalesforceAdapter
from providers.tokens import Tokens
from providers.transport import Transport
from providers.types import Json, MessageRequest
from tests.providers.elsewhere import Elsewhere
from tests.providers.loopback import loopback
from tests.providers.salesforce_org import (
    MODEL,
    ORGANISATION,
    PATH,
    SECRET,
    Org,
    access,
    answers,
    calls,
    collect,
    failure,
    generation,
    jwt,
)


@pytest.fixture
def adapter(pool: Transport) -> SalesforceAdapter:
    return SalesforceAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model=MODEL, messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


async def test_the_token_is_asked_for_once_and_sent_as_documented(
    adapter: SalesforceAdapter, question: MessageRequest
):
    async with loopback(Org()) as server:
        for _ in range(3):
            await collect(adapter, question, access(server.url))
    token, *asked = server.exchanges
    assert token.header("content-type") == "application/x-www-form-urlencoded"
    assert token.body == (
        f"grant_type=client_credentials&client_id=3MVG9.key&client_secret={SECRET}".encode()
    )
    assert [exchange.path for exchange in asked] == [PATH] * 3
    assert asked[0].header("authorization") == f"Bearer {jwt(1)}"
    assert asked[0].header("x-sfdc-app-context") == "EinsteinGPT"
    assert asked[0].header("x-client-feature-id") == "ai-platform-models-connected-app"
    assert SECRET.encode() not in asked[0].body


async def test_a_refused_token_is_made_anew_once(adapter: SalesforceAdapter, question: MessageRequest):
    org = Org(answers(401, {"message": "expired"}), answers(200, generation()))
    heads: list[Head] = []
    async with loopback(org) as server:
        stream = adapter.stream(question, access(server.url), heard=heads.append)
        assert fold([event async for event in stream])["stop_reason"] == "end_turn"
    assert [exchange.header("authorization") for exchange in calls(server)] == [
        f"Bearer {jwt(1)}",
        f"Bearer {jwt(2)}",
    ]
    assert [head.status for head in heads] == [401, 200]


async def test_a_new_token_that_is_refused_too_is_the_admins_matter(
    adapter: SalesforceAdapter, question: MessageRequest
):
    org = Org(answers(401, {"message": "no"}))
    error = await failure(adapter, question, org)
    assert isinstance(error, errors.Forbidden), "the credential itself gave a token, so it is not invalid"
    assert "sfap_api" in error.safe_message
    assert (org.tokens, org.asked) == (2, 2)


@pytest.mark.parametrize("token", [f"{ORGANISATION}!AQEAQ.made.up", f"{ORGANISATION}!AQ", "neither"])
async def test_an_opaque_token_is_explained(token: str, adapter: SalesforceAdapter, question: MessageRequest):
    org = Org(token=lambda _: {"access_token": token})
    error = await failure(adapter, question, org)
    assert isinstance(error, errors.Forbidden)
    assert "JSON Web Token (JWT)-based access tokens" in error.safe_message
    assert token not in error.safe_message
    assert org.asked == 0


@pytest.mark.parametrize(
    ("status", "body", "expected", "retryable"),
    [
        (
            400,
            {"error": "invalid_client", "error_description": f"bad {SECRET}"},
            "AuthenticationError",
            False,
        ),
        (400, {"error": "invalid_client_id"}, "AuthenticationError", False),
        (
            400,
            {"error": "invalid_grant", "error_description": "no run as user"},
            "AuthenticationError",
            False,
        ),
        (400, {"error": "unsupported_grant_type"}, "Forbidden", False),
        (404, b"<html>", "Forbidden", False),
        (429, {}, "RateLimited", True),
        (503, b"", "ServerError", True),
        (302, b"", "ProtocolError", False),
        (200, b"<html>", "ProtocolError", False),
        (200, {"access_token": 7}, "ProtocolError", False),
        (200, {"access_token": "a b.c.d"}, "ProtocolError", False),
    ],
)
async def test_a_token_that_is_not_given(
    status: int,
    body: Any,
    expected: str,
    retryable: bool,
    adapter: SalesforceAdapter,
    question: MessageRequest,
):
    org = Org()
    org.refuse_tokens = answers(status, body)
    error = await failure(adapter, question, org)
    assert (type(error).__name__, error.retryable, error.sent) == (expected, retryable, False)
    assert (org.tokens, org.asked) == (1, 0)


@pytest.mark.parametrize(
    "api", ["https://api.salesforce.com.evil.example", "http://api.salesforce.com", "https://evil.example", 7]
)
async def test_the_token_goes_to_salesforce_alone(
    api: Any, adapter: SalesforceAdapter, question: MessageRequest
):
    org = Org(token=lambda number: {"access_token": jwt(number), "api_instance_url": api})
    error = await failure(adapter, question, org)
    assert isinstance(error, errors.ProtocolError)
    assert "not its own" in error.safe_message


@pytest.mark.parametrize(
    ("named", "api"),
    [
        (None, "https://api.salesforce.com"),
        ("https://api.salesforce.com/", "https://api.salesforce.com"),
        ("https://api.gov.salesforce.mil", "https://api.gov.salesforce.mil"),
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
    ],
)
async def test_where_the_models_are(named: str | None, api: str, question: MessageRequest):
    org = Org(token=lambda number: {"access_token": jwt(number), "api_instance_url": named})
    async with loopback(org) as server:
        through = Elsewhere(server.url)
        to = access("https://acme.my.salesforce.com")
        await collect(SalesforceAdapter(through=lambda: through), question, to)
        await through.close()
    assert through.asked == ["https://acme.my.salesforce.com/services/oauth2/token", f"{api}{PATH}"]


@pytest.mark.parametrize(
    "url", ["http://acme.my.salesforce.com", "https://login.salesforce.com", "https://u:p@x.example", ""]
)
async def test_the_secret_goes_to_the_orgs_own_address_alone(
    url: str, adapter: SalesforceAdapter, question: MessageRequest
):
    with pytest.raises(errors.InvalidRequest) as caught:
        await collect(adapter, question, access(url))
    assert caught.value.sent is False


async def test_without_a_consumer_key_nothing_is_asked(adapter: SalesforceAdapter, question: MessageRequest):
    async with loopback(Org()) as server:
        with pytest.raises(errors.InvalidRequest, match="consumer key"):
            await collect(adapter, question, access(server.url, client_id=""))
        assert server.exchanges == []


async def test_clients_have_tokens_of_their_own(adapter: SalesforceAdapter, question: MessageRequest):
    async with loopback(Org()) as server:
        for secret in (SECRET, "another", SECRET):
            await collect(adapter, question, access(server.url, secret))
    assert [exchange.header("authorization") for exchange in calls(server)] == [
        f"Bearer {jwt(number)}" for number in (1, 2, 1)
    ]


@pytest.mark.parametrize(
    ("told", "life"),
    [
        ({"expires_in": 600}, 600),
        ({"access_token": jwt(1, iat=5_000, exp=6_200)}, 1200),
        ({"access_token": jwt(1, exp=6_200)}, 1800),
        ({"access_token": "a.%%%.c"}, 1800),
        ({"expires_in": "soon"}, 1800),
    ],
)
async def test_the_tokens_life_is_what_its_maker_says(
    told: Json, life: float, pool: Transport, question: MessageRequest
):
    now = [0.0]
    cache = Tokens(clock=lambda: now[0])
    adapter = SalesforceAdapter(through=lambda: pool, cache=cache)
    org = Org(token=lambda number: {"access_token": jwt(number)} | told)
    async with loopback(org) as server:
        await collect(adapter, question, access(server.url))
        now[0] = max(life - 300, life / 2) - 1
        await collect(adapter, question, access(server.url))
        assert org.tokens == 1
        now[0] += 2
        await collect(adapter, question, access(server.url))
        assert org.tokens == 2


async def test_check_asks_for_the_token_alone(adapter: SalesforceAdapter):
    async with loopback(Org()) as server:
        account = await adapter.check(access(server.url))
        assert (
            await adapter.count_tokens(MessageRequest(model="m", messages=[], max_tokens=1), access(""))
            is None
        )
        models = await adapter.list_models(access(server.url))
    assert account.vendor_account == ORGANISATION
    assert account.models == [model.id for model in models]
    assert len(server.exchanges) == 1
