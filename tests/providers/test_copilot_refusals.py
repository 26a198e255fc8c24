"""GitHub Copilot says no, in statuses of its own and often in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from providers import errors
from providers.catalogue import Api
from providers.copilot import CopilotAdapter
from providers.fold import fold
from providers.heard import Head
from providers.transport import Transport
from providers.types import MessageRequest
from tests.providers.github import GitHub, access, calls, collect, failure, messages, spec
from tests.providers.loopback import Exchange, hello, loopback
from tests.providers.openai_answers import answers, chat


@pytest.fixture
def adapter(pool: Transport) -> CopilotAdapter:
    return CopilotAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model="gpt-x", messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_made_anew_once(
    status: int, api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    script = chat() if api == "chat" else messages()
    github = GitHub(answers(status, b"unauthorized: token expired\n", content_type="text/plain"), script)
    heads: list[Head] = []
    async with loopback(github) as server:
        events = await collect(adapter, question, access(server.url), spec=spec(api), heard=heads.append)
    assert fold(events)["stop_reason"] == "end_turn"
    assert [exchange.header("authorization") for exchange in calls(server)] == [
        "Bearer tid=made-up-1;exp=1:sig",
        "Bearer tid=made-up-2;exp=1:sig",
    ]
    assert [head.status for head in heads] == [status, 200]


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_new_token_that_is_refused_leaves_the_login_valid(
    status: int, api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    github = GitHub(answers(status, b"forbidden"))
    error = await failure(adapter, question, github, api)
    assert type(error) is errors.Forbidden, "GitHub itself took the login"
    assert error.status == status
    assert (github.tokens, github.asked) == (2, 2)


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (402, {"error": {"code": "quota_exceeded", "message": "no more"}}, "BillingError", "no more"),
        (402, b"", "BillingError", ""),
        (404, {"error": {"code": "model_not_found", "message": "what?"}}, "NotFound", ""),
        (413, b"too large", "TooLarge", ""),
        (424, b"dependency", "ServerError", ""),
        (429, {"error": {"code": "user_model_rate_limited", "message": "slow"}}, "RateLimited", ""),
        (466, b"client not supported", "Forbidden", "COPILOT_INTEGRATION_ID"),
        (429, {"error": {"code": "extension_blocked"}}, "Forbidden", "COPILOT_INTEGRATION_ID"),
        (500, b"oops", "ServerError", ""),
        (503, b"", "Overloaded", ""),
        (302, b"", "ProtocolError", "not followed"),
    ],
)
async def test_refusals_become_their_errors(
    status: int,
    body: Any,
    expected: str,
    words: str,
    api: Api,
    adapter: CopilotAdapter,
    question: MessageRequest,
):
    github = GitHub(answers(status, body, retry_after="Fri, 01 Jan 2100 00:00:00 GMT"))
    error = await failure(adapter, question, github, api)
    assert type(error).__name__ == expected
    assert error.retryable is (expected in ("ServerError", "RateLimited", "Overloaded"))
    assert error.status == status
    assert words in error.safe_message
    assert error.retry_after == (86400.0 if "extension_blocked" not in str(body) else None)
    assert github.asked == 1


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_plain_words_of_a_refusal_are_shown(
    api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    error = await failure(adapter, question, GitHub(answers(400, b"bad request: no such field\n")), api)
    assert isinstance(error, errors.InvalidRequest)
    assert error.safe_message.strip() == "bad request: no such field"


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_a_spent_quota_is_asked_for_anew_with_the_next_call(
    api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    github = GitHub(answers(402, b""), chat() if api == "chat" else messages())
    async with loopback(github) as server:
        with pytest.raises(errors.BillingError):
            await collect(adapter, question, access(server.url), spec=spec(api))
        assert github.tokens == 1
        await collect(adapter, question, access(server.url), spec=spec(api))
    assert github.tokens == 2


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_what_the_filter_stops_is_a_refusal(
    api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    body = {"error": {"code": "content_filter", "type": "api_error", "message": "filtered"}}
    async with loopback(GitHub(answers(422, body))) as server:
        message = fold(await collect(adapter, question, access(server.url), spec=spec(api)))
    assert (message["content"], message["stop_reason"]) == ([], "refusal")
    assert message["stop_details"]["explanation"] == "filtered"


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_a_request_at_fault_is_no_refusal(api: Api, adapter: CopilotAdapter, question: MessageRequest):
    body = {"error": {"code": "invalid_request_body", "message": "max_tokens"}}
    error = await failure(adapter, question, GitHub(answers(422, body)), api)
    assert isinstance(error, errors.InvalidRequest)


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_a_redirect_is_not_followed(api: Api, adapter: CopilotAdapter, question: MessageRequest):
    async with loopback(GitHub()) as elsewhere:
        script = answers(307, b"", location=f"{elsewhere.url}/chat/completions")
        error = await failure(adapter, question, GitHub(script), api)
        assert elsewhere.exchanges == []
    assert isinstance(error, errors.ProtocolError)


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_echoed_tokens_are_masked(api: Api, adapter: CopilotAdapter, question: MessageRequest):
    async def echo(exchange: Exchange) -> None:
        told = {
            "error": {"type": "invalid_request_error", "message": f"bad {exchange.header('authorization')}"}
        }
        await answers(400, told)(exchange)

    error = await failure(adapter, question, GitHub(echo), api)
    assert error.safe_message.startswith("bad ")


@pytest.mark.parametrize("api", ["chat", "messages"])
async def test_after_the_first_event_nothing_is_tried_again(
    api: Api, adapter: CopilotAdapter, question: MessageRequest
):
    async def cut(exchange: Exchange) -> None:
        await exchange.begin_stream()
        if api == "chat":
            await exchange.send(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
        else:
            await exchange.send(*hello()[:3])
        exchange.reset()

    github = GitHub(cut)
    error = await failure(adapter, question, github, api)
    assert isinstance(error, errors.InterruptedStream)
    assert error.retryable is False
    assert github.asked == 1
