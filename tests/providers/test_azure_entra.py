"""Azure OpenAI with a token of Entra's instead of a key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from providers import errors
from providers.azure import AzureAdapter
from providers.fold import fold
from providers.tokens import Tokens
from providers.transport import Transport
from providers.types import MessageRequest
from tests.providers.azure_resource import (
    DATED,
    ENTRA,
    SECRET,
    TOKEN_PATH,
    Azure,
    access,
    calls,
    client,
    collect,
    failure,
)
from tests.providers.elsewhere import Elsewhere
from tests.providers.loopback import loopback
from tests.providers.openai_answers import answers, chat


@pytest.fixture
def adapter(pool: Transport) -> AzureAdapter:
    return AzureAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model="my gpt/1", messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


@pytest.mark.parametrize(
    ("options", "scope"),
    [({}, "https://ai.azure.com/.default"), (DATED, "https://cognitiveservices.azure.com/.default")],
)
async def test_a_client_gets_its_token_from_entra_once(
    options: dict[str, str], scope: str, adapter: AzureAdapter, question: MessageRequest
):
    async with loopback(Azure()) as server:
        for _ in range(2):
            await collect(adapter, question, client(server.url, **options))
    token, *asked = server.exchanges
    assert parse_qs(token.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app-1"],
        "client_secret": [SECRET],
        "scope": [scope],
    }
    assert [exchange.header("authorization") for exchange in asked] == ["Bearer entra-made-up-1"] * 2
    assert [exchange.header("api-key") for exchange in asked] == [None, None]
    assert not any(SECRET.encode() in exchange.body for exchange in asked)


async def test_entra_is_microsofts_unless_the_operator_says_otherwise(question: MessageRequest):
    async with loopback(Azure()) as server:
        through = Elsewhere(server.url)
        to = access("https://acme.services.ai.azure.com", "client", **ENTRA)
        await collect(AzureAdapter(through=lambda: through), question, to)
        await through.close()
    assert through.asked == [
        f"https://login.microsoftonline.com{TOKEN_PATH}",
        "https://acme.services.ai.azure.com/openai/v1/chat/completions",
    ]


async def test_an_oauth_token_is_sent_as_it_is(adapter: AzureAdapter, question: MessageRequest):
    async with loopback(Azure()) as server:
        await collect(adapter, question, access(server.url, "oauth"))
    (asked,) = server.exchanges
    assert asked.header("authorization") == f"Bearer {SECRET}"
    assert asked.header("api-key") is None


async def test_a_token_is_renewed_in_time(pool: Transport, question: MessageRequest):
    now = [0.0]
    adapter = AzureAdapter(through=lambda: pool, cache=Tokens(clock=lambda: now[0]))
    azure = Azure()
    async with loopback(azure) as server:
        for moment, minted in [(0.0, 1), (3299.0, 1), (3301.0, 2)]:
            now[0] = moment
            await collect(adapter, question, client(server.url))
            assert azure.tokens == minted


async def test_a_refused_token_is_made_anew_once(adapter: AzureAdapter, question: MessageRequest):
    refusal = answers(401, {"error": {"code": "Unauthorized", "message": "expired"}})
    async with loopback(Azure(refusal, chat())) as server:
        assert fold(await collect(adapter, question, client(server.url)))["stop_reason"] == "end_turn"
    assert [exchange.header("authorization") for exchange in calls(server)] == [
        "Bearer entra-made-up-1",
        "Bearer entra-made-up-2",
    ]


async def test_a_new_token_that_is_refused_ends_the_call(adapter: AzureAdapter, question: MessageRequest):
    azure = Azure(answers(401, {"error": {"code": "Unauthorized", "message": "no"}}))
    error = await failure(adapter, question, azure, "client")
    assert isinstance(error, errors.AuthenticationError)
    assert (azure.tokens, azure.asked) == (2, 2)


async def test_a_missing_role_is_named(adapter: AzureAdapter, question: MessageRequest):
    azure = Azure(answers(401, {"error": {"code": "PermissionDenied", "message": "lacks data action"}}))
    error = await failure(adapter, question, azure, "client")
    assert isinstance(error, errors.Forbidden)
    assert "Cognitive Services OpenAI User" in error.safe_message
    assert azure.asked == 1


@pytest.mark.parametrize(
    ("status", "body", "expected", "retryable"),
    [
        (
            401,
            {"error": "invalid_client", "error_description": f"AADSTS7000215 {SECRET}"},
            "AuthenticationError",
            False,
        ),
        (
            400,
            {"error": "unauthorized_client", "error_description": "AADSTS700016"},
            "AuthenticationError",
            False,
        ),
        (400, {"error": "invalid_request", "error_description": "AADSTS90002"}, "Forbidden", False),
        (400, {"error": "invalid_scope"}, "Forbidden", False),
        (429, {}, "RateLimited", True),
        (400, {"error": "temporarily_unavailable"}, "ServerError", True),
        (500, b"<html>", "ServerError", True),
        (307, b"", "ProtocolError", False),
        (200, {"token_type": "Bearer"}, "ProtocolError", False),
    ],
)
async def test_what_entra_refuses(
    status: int,
    body: Any,
    expected: str,
    retryable: bool,
    adapter: AzureAdapter,
    question: MessageRequest,
):
    azure = Azure()
    azure.entra = answers(status, body)
    error = await failure(adapter, question, azure, "client")
    assert (type(error).__name__, error.retryable, error.sent) == (expected, retryable, False)
    assert azure.asked == 0


@pytest.mark.parametrize("missing", ["tenant", "client_id"])
async def test_a_client_needs_its_ids(missing: str, adapter: AzureAdapter, question: MessageRequest):
    async with loopback(Azure()) as server:
        to = client(server.url)
        options = {name: value for name, value in to.options.items() if name != missing}
        with pytest.raises(errors.InvalidRequest):
            await collect(adapter, question, replace(to, options=options))
        assert server.exchanges == []


async def test_the_clients_secret_goes_to_a_safe_authority_alone(
    adapter: AzureAdapter, question: MessageRequest
):
    async with loopback(Azure()) as server:
        to = client(server.url)
        unsafe = {**to.options, "authority": "http://login.example"}
        with pytest.raises(errors.InvalidRequest, match="https"):
            await collect(adapter, question, replace(to, options=unsafe))
        assert server.exchanges == []


async def test_the_list_too_is_asked_for_with_a_new_token_when_the_old_is_refused(adapter: AzureAdapter):
    azure = Azure(answers(401, {}), answers(200, {"data": [{"id": "gpt-x"}]}))
    async with loopback(azure) as server:
        assert [model.id for model in await adapter.list_models(client(server.url))] == ["gpt-x"]
    assert (azure.tokens, azure.asked) == (2, 2)
