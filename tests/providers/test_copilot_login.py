"""GitHub Copilot: a login is exchanged for a token, which goes to nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given

from providers import copilot_models, errors
from providers.catalogue import Thinking
from providers.copilot import CopilotAdapter
from providers.copilot_token import mint
from providers.tokens import Tokens
from providers.transport import Transport
from providers.types import Json, MessageRequest
from tests.providers.any_json import any_json, with_keys
from tests.providers.elsewhere import Elsewhere
from tests.providers.generated import generated
from tests.providers.github import EXCHANGE, GITHUB, GitHub, access, calls, collect, failure
from tests.providers.loopback import loopback
from tests.providers.openai_answers import answers


@pytest.fixture
def adapter(pool: Transport) -> CopilotAdapter:
    return CopilotAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model="gpt-x", messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (401, {"message": "Bad credentials"}, "AuthenticationError", "Connect again"),
        (403, {"message": "Resource not accessible"}, "Forbidden", "Resource not accessible"),
        (404, {"message": "Not Found"}, "Forbidden", "no access to Copilot"),
        (
            403,
            {
                "error_details": {
                    "title": "No seat",
                    "message": f"ask {GITHUB}",
                    "url": "https://github.com/x",
                }
            },
            "Forbidden",
            "No seat ask *** https://github.com/x",
        ),
        (200, {"error_details": {"message": "Accept the terms"}}, "Forbidden", "Accept the terms"),
        (403, {"message": "API rate limit exceeded for user"}, "RateLimited", ""),
        (429, b"", "RateLimited", ""),
        (200, {"chat_enabled": False, "token": "x"}, "Forbidden", "switched off"),
        (200, {}, "ProtocolError", ""),
        (200, b"<html>", "ProtocolError", ""),
        (200, {"token": "a\nb"}, "ProtocolError", ""),
        (301, b"", "ProtocolError", "status 301"),
        (502, b"", "ServerError", ""),
    ],
)
async def test_what_github_refuses(
    status: int,
    body: Any,
    expected: str,
    words: str,
    adapter: CopilotAdapter,
    question: MessageRequest,
):
    github = GitHub()
    github.refusal = answers(status, body)
    error = await failure(adapter, question, github)
    assert type(error).__name__ == expected
    assert words in error.safe_message
    assert error.sent is False
    assert (github.tokens, github.asked) == (1, 0)


async def test_a_classic_token_is_refused_here(adapter: CopilotAdapter, question: MessageRequest):
    async with loopback(GitHub()) as server:
        with pytest.raises(errors.AuthenticationError, match="classic"):
            await collect(adapter, question, access(server.url, github="ghp_madeUp0123456789"))
        assert server.exchanges == []


@pytest.mark.parametrize(
    "api",
    [
        "https://githubcopilot.com.evil.example",
        "https://evil.example",
        "https://evilgithubcopilot.com",
        "http://api.githubcopilot.com",
        "https://x@api.githubcopilot.com",
        "//api.githubcopilot.com",
        7,
        None,
    ],
)
async def test_the_token_goes_to_copilot_alone(api: Any, adapter: CopilotAdapter, question: MessageRequest):
    error = await failure(adapter, question, GitHub(endpoints={"api": api}))
    assert isinstance(error, errors.ProtocolError)


@pytest.mark.parametrize(
    ("github", "named", "api"),
    [
        ("https://api.github.com", None, "https://api.githubcopilot.com"),
        ("https://api.github.com", "https://api.business.githubcopilot.com/", None),
        ("https://api.acme.ghe.com", None, "https://copilot-api.acme.ghe.com"),
        ("https://api.acme.ghe.com", "https://copilot-api.acme.ghe.com", None),
        ("https://api.acme.ghe.com", "https://api.enterprise.githubcopilot.com", None),
    ],
)
async def test_where_the_models_are(
    github: str, named: str | None, api: str | None, question: MessageRequest
):
    async with loopback(GitHub(endpoints={"api": named})) as server:
        through = Elsewhere(server.url)
        await collect(CopilotAdapter(through=lambda: through), question, access(github))
        await through.close()
    assert through.asked == [f"{github}{EXCHANGE}", f"{api or (named or '').rstrip('/')}/chat/completions"]


@pytest.mark.parametrize("named", ["http://127.0.0.1:9", "https://localhost", "https://acme.ghe.com"])
async def test_github_itself_names_no_host_but_copilots(named: str, question: MessageRequest):
    async with loopback(GitHub(endpoints={"api": named})) as server:
        through = Elsewhere(server.url)
        with pytest.raises(errors.ProtocolError):
            await collect(CopilotAdapter(through=lambda: through), question, access("https://api.github.com"))
        await through.close()
    assert through.asked == [f"https://api.github.com{EXCHANGE}"]


@pytest.mark.parametrize("url", ["http://api.github.com", "https://u:p@api.github.com", ""])
async def test_the_login_goes_to_safe_addresses_alone(
    url: str, adapter: CopilotAdapter, question: MessageRequest
):
    with pytest.raises(errors.InvalidRequest) as caught:
        await collect(adapter, question, access(url))
    assert caught.value.sent is False


@pytest.mark.parametrize(
    ("times", "again_at", "gone_at"),
    [
        ({"refresh_in": 1500, "expires_at": 1}, 1500, 1530),  # GitHub's clock is far behind ours
        ({"refresh_in": 1500, "expires_at": 9e9}, 1500, 1530),  # ... far ahead
        ({"refresh_in": "1500"}, 1500, 1530),
        ({"refresh_in": None, "expires_at": 1_001_800}, 1500, 1770),
        ({"refresh_in": -1, "expires_at": 5}, 300, 570),  # neither can be believed
        ({"refresh_in": True, "expires_at": "soon"}, 300, 570),
    ],
)
async def test_when_a_token_is_made_anew(times: Json, again_at: float, gone_at: float, pool: Transport):
    now = [0.0]
    cache = Tokens(clock=lambda: now[0])
    github = GitHub(**times)
    async with loopback(github) as server:

        async def minted() -> None:
            await cache.get("k", lambda: mint(access(server.url), {}, lambda: pool, now=lambda: 1_000_000.0))

        await minted()
        now[0] = again_at - 1
        await minted()
        assert github.tokens == 1
        github.refusal = answers(503, b"")
        now[0] = again_at + 1
        await minted()  # GitHub is away: the old one serves on
        assert github.tokens == 2
        now[0] = gone_at + 1
        with pytest.raises(errors.ServerError):
            await minted()


async def test_many_callers_exchange_once(adapter: CopilotAdapter, question: MessageRequest):
    github = GitHub()
    async with loopback(github) as server:
        await asyncio.gather(*(collect(adapter, question, access(server.url)) for _ in range(20)))
    assert (github.tokens, github.asked) == (1, 20)


async def test_people_have_tokens_of_their_own(adapter: CopilotAdapter, question: MessageRequest):
    github = GitHub()
    async with loopback(github) as server:
        for person in (GITHUB, "gho_another", GITHUB):
            await collect(adapter, question, access(server.url, github=person))
    assert github.tokens == 2


LISTED: Json = {
    "data": [
        {
            "id": "claude-x",
            "name": "Claude X",
            "supported_endpoints": ["/chat/completions", "/v1/messages"],
            "capabilities": {
                "type": "chat",
                "limits": {"max_context_window_tokens": 200_000, "max_output_tokens": 32_000},
                "supports": {
                    "tool_calls": True,
                    "vision": True,
                    "adaptive_thinking": True,
                    "max_thinking_budget": 32_000,
                    "reasoning_effort": ["low", "high", "colossal"],
                },
            },
        },
        {"id": "gpt-x", "supported_endpoints": ["/responses", "ws:/responses", "/chat/completions"]},
        {"id": "gpt-old", "capabilities": {"type": "chat", "limits": {"max_output_tokens": "many"}}},
        {"id": "sockets", "supported_endpoints": ["ws:/responses"]},
        {"id": "off", "policy": {"state": "disabled"}},
        {"id": "hidden", "model_picker_enabled": False},
        {"id": "embedder", "capabilities": {"type": "embeddings"}},
        {"name": "nameless"},
        {"id": "odd", "supported_endpoints": "all"},
    ]
}


async def test_the_list_says_by_which_wire_each_model_is_called(adapter: CopilotAdapter):
    async with loopback(GitHub(answers(200, LISTED))) as server:
        models = await adapter.list_models(access(server.url))
    assert [(model.id, model.api) for model in models] == [
        ("claude-x", "messages"),
        ("gpt-x", "responses"),
        ("gpt-old", "chat"),
    ]
    claude = models[0]
    assert (claude.display_name, claude.context, claude.max_output) == ("Claude X", 200_000, 32_000)
    assert claude.capabilities == {"tools", "vision"}
    assert claude.efforts == ("low", "high")
    assert claude.thinking == Thinking(kinds=("adaptive", "enabled", "disabled"))
    assert models[2].max_output is None
    assert calls(server)[0].path == "/models"


async def test_check_says_whose_the_login_is(adapter: CopilotAdapter):
    async with loopback(GitHub(answers(401, b""), answers(200, LISTED))) as server:
        account = await adapter.check(access(server.url))
    assert account.vendor_account == "583231"
    assert account.models == ["claude-x", "gpt-x", "gpt-old"]


@generated
@given(any_json | with_keys("type", "limits", "supports", "reasoning_effort", "max_thinking_budget"))
def test_no_entry_of_the_list_breaks_it(value: object):
    for item in (
        value if isinstance(value, dict) else {},
        {"id": "m", "name": value, "policy": value},
        {"id": "m", "capabilities": value},
        {"id": "m", "supported_endpoints": value},
    ):
        found = copilot_models.listed(item)
        assert found is None or found.id
