"""Anthropic says no: each status and each answer that is none becomes its error."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.anthropic import AnthropicAdapter
from providers.errors import ProviderError
from providers.types import MessageRequest, StreamEvent
from tests.corpus import CORPUS, needs_corpus
from tests.providers.calls import collect, failure, says, streams
from tests.providers.conftest import KEY, access
from tests.providers.loopback import (
    Exchange,
    hello,
    loopback,
    start,
)

REFUSALS = [
    (400, "invalid_request_error", errors.InvalidRequest, False),
    (401, "authentication_error", errors.AuthenticationError, False),
    (402, "billing_error", errors.BillingError, False),
    (403, "permission_error", errors.Forbidden, False),
    (404, "not_found_error", errors.NotFound, False),
    (409, "conflict_error", errors.ServerError, True),
    (413, "request_too_large", errors.TooLarge, False),
    (429, "rate_limit_error", errors.RateLimited, True),
    (500, "api_error", errors.ServerError, True),
    (504, "timeout_error", errors.DeadlineExceeded, True),
    (529, "overloaded_error", errors.Overloaded, True),
]


@pytest.mark.parametrize(("status", "kind", "expected", "retryable"), REFUSALS)
async def test_a_refusal_becomes_its_error(
    status: int,
    kind: str,
    expected: type[ProviderError],
    retryable: bool,
    adapter: AnthropicAdapter,
    question: MessageRequest,
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "because"}, "request_id": "req_9"}
    error = await failure(adapter, question, says(status, body))
    assert type(error) is expected
    assert error.retryable is retryable
    assert error.to_json() == {
        "type": kind,
        "message": "because",
        "retryable": retryable,
        "request_id": "req_9",
        "status": status,
    }
    assert error.sent is (status == 504)


@pytest.mark.parametrize(("status", "expected"), [(status, expected) for status, _, expected, _ in REFUSALS])
@pytest.mark.parametrize("body", [b"", b"<html>edge</html>", b'{"error": "x"}', b"\xff\xfe", b"[" * 5000])
async def test_a_refusal_without_an_error_object_is_told_by_its_status(
    status: int,
    expected: type[ProviderError],
    body: bytes,
    adapter: AnthropicAdapter,
    question: MessageRequest,
) -> None:
    error = await failure(adapter, question, says(status, body, content_type="text/html"))
    assert isinstance(error, errors.InvalidRequest if status == 409 else expected)
    assert error.status == status
    assert "<" not in error.safe_message


@needs_corpus
async def test_recorded_refusals_become_the_errors_of_their_types(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    kinds = {kind: expected for _, kind, expected, _ in REFUSALS}
    recorded = sorted(CORPUS.glob("anthropic-*.error.json"))
    assert recorded
    for path in recorded:
        refusal = json.loads(path.read_text("utf-8"))
        headers = {name.replace("-", "_"): value for name, value in refusal["headers"].items()}
        error = await failure(adapter, question, says(refusal["status"], refusal["body"], **headers))
        assert type(error) is kinds[refusal["body"]["error"]["type"]], path.name
        assert error.safe_message == refusal["body"]["error"]["message"]
        assert error.request_id == refusal["body"].get("request_id")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
        ({"retry_after_ms": "soon", "retry_after": "7"}, 7.0),
        ({"retry_after": "Fri, 01 Jan 2100 00:00:00 GMT"}, 86400.0),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry_after": "99999999999"}, 86400.0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "NaN"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "tomorrow"}, None),
        ({}, None),
    ],
)
async def test_the_asked_wait_is_read_and_bounded(
    headers: dict[str, str], seconds: float | None, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    assert (await failure(adapter, question, says(429, body, **headers))).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "advice", "retryable"), [(429, "false", False), (400, "true", True), (500, "", True)]
)
async def test_the_vendors_advice_on_retrying_wins(
    status: int, advice: str, retryable: bool, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(status, {}, x_should_retry=advice))
    assert error.retryable is retryable


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
async def test_a_spend_limit_is_never_retried(
    code: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    body = {"error": {"type": "rate_limit_error", "message": "limit", "details": {"error_code": code}}}
    error = await failure(adapter, question, says(429, body, x_should_retry="true"))
    assert isinstance(error, errors.BillingError)
    assert not error.retryable


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(
    status: int, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    async with loopback(streams(*hello())) as elsewhere:
        error = await failure(adapter, question, says(status, b"", location=f"{elsewhere.url}/v1/messages"))
    assert isinstance(error, errors.ProtocolError)
    assert not elsewhere.exchanges


@pytest.mark.parametrize("kind", ["api_key", "oauth"])
async def test_an_echoed_key_is_masked(
    kind: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    message = f"invalid key {KEY}, Authorization: Bearer {KEY}x and sk-ant-api03-somebody-else_1"
    body = {"type": "error", "error": {"type": "authentication_error", "message": message}}
    async with loopback(says(401, body, request_id=KEY)) as server:
        with pytest.raises(errors.AuthenticationError) as caught:
            await collect(adapter, question, access(server.url, kind))
    shown = str(caught.value) + json.dumps(caught.value.to_json() | {"request_id": None})
    assert KEY not in shown
    assert "somebody-else" not in shown
    assert "invalid key ***" in shown


# No stream behind status 200


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>Sign in to the hotel network</html>", {"content_type": "text/html"}),
        (b'{"type":"message","content":[]}', {"content_type": "application/json"}),
        (b"", {"content_type": "text/event-stream"}),
        (b"", {"content_type": ""}),
        (b"\x1f\x8b\x08\x00", {"content_type": "text/event-stream", "content_encoding": "gzip"}),
        (b"x", {"content_type": "text/event-stream", "content_encoding": "identity, br"}),
    ],
)
async def test_a_200_that_is_no_stream_is_a_protocol_error(
    body: bytes, headers: dict[str, str], adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(200, body, **headers))
    assert isinstance(error, errors.ProtocolError)
    assert not error.retryable


@pytest.mark.parametrize(
    "poison",
    [
        b"data: not json\n\n",
        b"data: 5\n\n",
        b'data: {"no":"type"}\n\n',
        b'data: {"type":"x","text":"\xff"}\n\n',
        b'data: {"type":"x","v":' + b"[" * 5000 + b"]" * 5000 + b"}\n\n",
        b'data: {"type":"content_block_delta","delta":{"type":"signature_delta","signature":"a\\u0000"}}\n\n',
    ],
)
async def test_an_event_that_cannot_be_read_ends_the_answer(
    poison: bytes, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    seen: list[StreamEvent] = []
    async with loopback(streams(*hello()[:3], poison, *hello()[3:])) as server:
        with pytest.raises(errors.ProtocolError) as caught:
            async for event in adapter.stream(question, access(server.url)):
                seen.append(event)
    assert seen == hello()[:3]
    assert not caught.value.retryable
    assert caught.value.request_id == "req_1"


async def test_an_event_of_fifty_megabytes_is_refused_long_before_it_is_whole(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    sent = 0

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.begin_stream()
        await exchange.send(start(), b'data: {"type":"x","text":"')
        megabyte = b"a" * 1024 * 1024
        for _ in range(50):
            await exchange.send(megabyte)
            sent += 1

    error = await failure(adapter, question, script)
    assert isinstance(error, errors.ProtocolError)
    assert sent < 20


# What the words and codes of a refusal add to its type


def refused(message: str, **details: str) -> dict[str, object]:
    error = {"type": "invalid_request_error", "message": message}
    return {"type": "error", "error": error | ({"details": details} if details else {})}


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
        "Input is too long for requested model.",
    ],
)
async def test_a_prompt_that_does_not_fit_says_what_to_do(
    message: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(400, refused(message)))
    assert type(error) is errors.ContextExceeded
    assert error.safe_message.startswith(message.rstrip("."))
    assert "new conversation" in error.safe_message
    assert not error.retryable
    assert not error.sent


@pytest.mark.parametrize(
    "message",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "The signature is invalid because the thinking block is bound to a different conversation.",
        "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
    ],
)
async def test_thinking_that_belongs_elsewhere_is_marked(
    message: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(400, refused(message)))
    assert type(error) is errors.InvalidRequest
    assert error.thinking_unbound


@pytest.mark.parametrize("message", ["thinking.type: disabled is not supported", "signature required", "no"])
async def test_other_refusals_are_not(
    message: str, adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    error = await failure(adapter, question, says(400, refused(message)))
    assert type(error) is errors.InvalidRequest
    assert not error.thinking_unbound


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "organization_on_hold", errors.Forbidden),
        (400, "request_body_too_large_after_decoding", errors.TooLarge),
        (429, "ramp_limit_exceeded", errors.RateLimited),
        (429, "enforced_spend_limit_reached", errors.BillingError),
        (400, "heard_of_by_nobody", errors.InvalidRequest),
    ],
)
async def test_a_code_decides_before_the_type(
    status: int,
    code: str,
    expected: type[ProviderError],
    adapter: AnthropicAdapter,
    question: MessageRequest,
) -> None:
    error = await failure(adapter, question, says(status, refused("because", error_code=code)))
    assert type(error) is expected
    assert error.status == status
