"""Salesforce says no in many shapes, answers what cannot be read, or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given

from providers import errors, salesforce_answer, salesforce_errors
from providers.access import Secret
from providers.errors import ProviderError
from providers.fold import fold
from providers.salesforce import SalesforceAdapter
from providers.transport import Timeouts, Transport
from providers.types import MessageRequest
from tests.providers.any_json import any_json, with_keys
from tests.providers.generated import generated
from tests.providers.loopback import Exchange, loopback
from tests.providers.salesforce_org import (
    MODEL,
    PATH,
    SECRET,
    Org,
    access,
    answers,
    collect,
    failure,
    generation,
)


@pytest.fixture
def adapter(pool: Transport) -> SalesforceAdapter:
    return SalesforceAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model=MODEL, messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"generationDetails":{"generations":[]}}', b"[" * 5000, b"\xff"]
    + [json.dumps(generation(content)).encode() for content in (7, ["x"])],
)
async def test_an_answer_that_cannot_be_read_is_no_answer(
    body: bytes, adapter: SalesforceAdapter, question: MessageRequest
):
    error = await failure(adapter, question, Org(answers(200, body)))
    assert isinstance(error, errors.ProtocolError)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (
            400,
            {"errorCode": "BAD_ARGUMENT", "message": "no arrays"},
            "InvalidRequest",
            "BAD_ARGUMENT: no arrays",
        ),
        (400, [{"errorCode": "E30020", "message": "wrong"}], "InvalidRequest", "E30020: wrong"),
        (400, {"error": {"code": "x", "message": "inner"}}, "InvalidRequest", "x: inner"),
        (400, {"message": "This exceeds the maximum context length"}, "ContextExceeded", "maximum context"),
        (402, {}, "BillingError", "cannot pay"),
        (403, {"message": "not you"}, "Forbidden", "not you"),
        (404, b"", "NotFound", "does not know this model"),
        (413, b"too big", "TooLarge", "too big"),
        (429, {"message": "slow"}, "RateLimited", "slow"),
        (500, b"<html>", "ServerError", "status 500"),
        (503, b"", "ServerError", "status 503"),
        (504, b"", "DeadlineExceeded", "in time"),
        (302, b"", "ProtocolError", "not followed"),
        (418, [], "InvalidRequest", "status 418"),
        (400, f"the key {SECRET} is wrong".encode(), "InvalidRequest", "the key *** is wrong"),
        (400, b"\xff\xfe{", "InvalidRequest", ""),
    ],
)
async def test_refusals_of_any_shape_become_their_errors(
    status: int,
    body: Any,
    expected: str,
    words: str,
    adapter: SalesforceAdapter,
    question: MessageRequest,
):
    error = await failure(adapter, question, Org(answers(status, body, retry_after="7", x_request_id="r")))
    assert type(error).__name__ == expected
    assert words in error.safe_message
    assert (error.status, error.request_id, error.retry_after) == (status, "r", 7.0)
    assert error.sent is (status == 504)


async def test_an_echoed_token_is_masked(adapter: SalesforceAdapter, question: MessageRequest):
    async def echo(exchange: Exchange) -> None:
        told = exchange.header("authorization") or ""
        await exchange.answer(400, json.dumps({"message": f"cannot read {told}"}).encode())

    error = await failure(adapter, question, Org(echo))
    assert "cannot read" in error.safe_message


async def test_a_redirect_is_not_followed(adapter: SalesforceAdapter, question: MessageRequest):
    async with loopback(Org()) as elsewhere:
        org = Org(answers(307, b"", location=f"{elsewhere.url}{PATH}"))
        error = await failure(adapter, question, org)
        assert elsewhere.exchanges == []
    assert isinstance(error, errors.ProtocolError)


async def test_a_cancelled_call_closes_its_connection(adapter: SalesforceAdapter, question: MessageRequest):
    arrived, left = asyncio.Event(), asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        arrived.set()
        await exchange.until_left()
        left.set()

    async with loopback(Org(silent)) as server:
        call = asyncio.create_task(collect(adapter, question, access(server.url)))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(left.wait(), 5)


async def test_silence_ends_at_the_deadline(pool: Transport, question: MessageRequest):
    async def silent(exchange: Exchange) -> None:
        await exchange.until_left()

    adapter = SalesforceAdapter(through=lambda: pool, timeouts=Timeouts(first=0.05, idle=0.05, total=1))
    error = await failure(adapter, question, Org(silent))
    assert isinstance(error, errors.DeadlineExceeded)
    assert (error.retryable, error.sent) == (True, True)


async def test_a_broken_answer_is_interrupted(adapter: SalesforceAdapter, question: MessageRequest):
    async def cut(exchange: Exchange) -> None:
        await exchange.head(200, content_length="5000")
        await exchange.raw(b'{"id":')
        exchange.reset()

    error = await failure(adapter, question, Org(cut))
    assert isinstance(error, errors.InterruptedStream)


REQUEST = MessageRequest(model=MODEL, messages=[], max_tokens=1, stop_sequences=["a"])


KEYS = ("generations", "parameters", "usage", "content", "finish_reason", "contentQuality", "scanToxicity")


@generated
@given(any_json | with_keys("generationDetails", *KEYS), with_keys(*KEYS, "isDetected", "prompt_tokens"))
def test_any_answer_is_read_or_refused(value: object, details: object):
    inner = {"content": "text", "parameters": details, "contentQuality": details}
    for answer in (
        value,
        {"generationDetails": details},
        {"id": value, "generationDetails": {"generations": [details], "parameters": value}},
        {"id": value, "generationDetails": {"generations": [inner], "parameters": {"usage": details}}},
    ):
        try:
            events = salesforce_answer.events(json.dumps(answer).encode(), REQUEST, "")
        except ProviderError as error:
            assert isinstance(error, errors.ProtocolError)
        else:
            assert fold(events)["stop_reason"]


@generated
@given(any_json | with_keys("error", "message", "errorCode", "code", "detail"))
def test_any_refusal_is_an_error(value: object):
    body = json.dumps(value).encode()
    error = salesforce_errors.from_answer(400, {}, body, [Secret(SECRET)], fresh_token=False)
    assert isinstance(error, errors.InvalidRequest)
    assert error.safe_message
