"""Refusals on OpenAI's wire as errors of our tree: by code, then type, then status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.access import Secret
from providers.errors import ProviderError
from providers.heard import Limits
from providers.openai_errors import from_answer, from_object, limits, masked
from providers.types import Json
from providers.waits import LONGEST_WAIT, retry_after, span
from tests.providers.generated import generated

KEY = "sk-made-up-0123456789"


def refusal(status: int, error: Any = None, /, **headers: str) -> ProviderError:
    body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_answer(status, told, body, (Secret(KEY),))


@pytest.mark.parametrize(
    "code",
    [
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ],
)
def test_no_money_is_never_worth_a_retry(code: str) -> None:
    for error in ({"code": code, "type": "tokens"}, {"type": code, "code": None}):
        found = refusal(429, error, retry_after="1", x_should_retry="true")
        assert type(found) is errors.BillingError
        assert not found.retryable


@pytest.mark.parametrize(
    ("status", "error", "kind", "retryable"),
    [
        (400, {"code": "context_length_exceeded"}, errors.ContextExceeded, False),
        (
            400,
            {"message": "This model's maximum context length is 8192 tokens."},
            errors.ContextExceeded,
            False,
        ),
        (400, {"type": "exceed_context_size_error"}, errors.ContextExceeded, False),
        (400, {"type": "invalid_request_error"}, errors.InvalidRequest, False),
        (400, {"code": "model_not_found"}, errors.NotFound, False),
        (401, {"code": "invalid_api_key"}, errors.AuthenticationError, False),
        (401, {"code": "401"}, errors.AuthenticationError, False),
        (402, {}, errors.BillingError, False),
        (403, {"type": "invalid_request_error"}, errors.Forbidden, False),
        (404, {"code": "DeploymentNotFound"}, errors.NotFound, False),
        (408, None, errors.DeadlineExceeded, True),
        (409, {"type": "invalid_request_error"}, errors.InvalidRequest, True),
        (413, None, errors.TooLarge, False),
        (422, {"message": "no"}, errors.InvalidRequest, False),
        (429, {"code": "rate_limit_exceeded"}, errors.RateLimited, True),
        (429, {"code": "slow_down"}, errors.RateLimited, True),
        (429, None, errors.RateLimited, True),
        (500, {"type": "server_error"}, errors.ServerError, True),
        (502, b"<html>Bad gateway</html>", errors.ServerError, True),
        (503, {"code": "server_is_overloaded"}, errors.Overloaded, True),
        (503, {"code": "slow_down"}, errors.Overloaded, True),
        (504, None, errors.DeadlineExceeded, True),
        (529, None, errors.Overloaded, True),
        (418, None, errors.InvalidRequest, False),
        (599, None, errors.ServerError, True),
        (307, None, errors.ProtocolError, False),
    ],
)
def test_each_refusal_has_its_kind(
    status: int, error: Any, kind: type[ProviderError], retryable: bool
) -> None:
    found = refusal(status, error)
    assert type(found) is kind
    assert (found.status, found.retryable) == (status, retryable)
    assert found.safe_message


def test_only_what_a_model_may_have_answered_was_sent() -> None:
    assert [status for status in (400, 401, 408, 429, 500, 502, 503, 504) if refusal(status).sent] == [
        408,
        502,
        504,
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"m"}}', "m"),
        (b'{"error":"m"}', "m"),
        (b'{"detail":"m"}', "m"),
        (b'{"detail":[{"msg":"m","loc":["body"]}]}', "m"),
        (b'{"message":"m","code":400}', "m"),
        (b'[{"error":{"message":"m"}}]', "m"),
        (b'"m"', "m"),
        (b"m", "m"),
        (b"<html>m</html>", "The provider refused the request with status 400."),
        (b"", "The provider refused the request with status 400."),
        (b"[]", "The provider refused the request with status 400."),
        (b'{"error":{"message":["m"]}}', "The provider refused the request with status 400."),
    ],
)
def test_what_the_server_wrote_is_shown_whatever_its_form(body: bytes, message: str) -> None:
    assert refusal(400, body).safe_message == message


def test_advice_on_retrying_overrules() -> None:
    assert refusal(400, None, x_should_retry="true").retryable
    assert not refusal(500, None, x_should_retry="false").retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "6m0s"}, 360.0),
        ({"retry-after": "99999999"}, LONGEST_WAIT),
        ({"retry-after": "Mon, 01 Jan 2024 00:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_was_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_used_up_limit_says_how_long_to_wait() -> None:
    found = refusal(
        429,
        {"code": "rate_limit_exceeded"},
        x_ratelimit_remaining_requests="5",
        x_ratelimit_reset_requests="9s",
        x_ratelimit_remaining_tokens="0",
        x_ratelimit_reset_tokens="1m2.5s",
    )
    assert found.retry_after == 62.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("2m59.56s", 179.56),
        ("7.5", 7.5),
        ("0s", 0.0),
        ("", None),
        ("s", None),
        ("1 s", None),
        ("inf", None),
        ("1s2m", None),
    ],
)
def test_spans_of_time(text: str, seconds: float | None) -> None:
    assert span(text) == (None if seconds is None else pytest.approx(seconds))


def test_limits_that_are_none_are_left_out() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "-1",
        "x-ratelimit-reset-requests": "1767225600000",
        "x-ratelimit-limit-tokens": "many",
    }
    assert limits(headers) == Limits(requests=500)
    assert limits({}) is None


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "sk-proj-AbC123def456",
        "sk-abc****wxyz",
        "gho_0123456789abcdef",
        "github_pat_0123456789",
        "eyJhbGciOiJIUzI1NiJ9x.eyJzdWIiOiIxIn0.c2ln",
        "tid=0123456789abcdef;exp=1",
        "Bearer 0123456789abcdef0",
    ],
)
def test_what_looks_like_a_key_is_masked(secret: str) -> None:
    shown = masked(f"Incorrect key provided: {secret}\nsee the docs", (Secret(KEY),))
    assert secret not in shown
    assert "***" in shown
    assert "\n" not in shown


def test_a_key_at_the_border_of_a_long_text_is_masked() -> None:
    for size in range(1900, 2010):
        assert KEY[:12] not in masked("x" * size + " " + KEY, (Secret(KEY),))


@generated
@given(st.binary(max_size=300), st.integers(100, 999), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_answer_is_an_error_of_ours(body: bytes, status: int, headers: Json) -> None:
    found = from_answer(status, headers, body, ())
    assert isinstance(found, ProviderError)
    json.dumps(found.to_json())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@generated
@given(st.fixed_dictionaries({}, optional={name: values for name in ("code", "type", "message", "status")}))
def test_any_error_object_is_an_error_of_ours(error: Json) -> None:
    assert isinstance(from_object(error), ProviderError)
    assert isinstance(refusal(400, json.dumps({"error": error, "detail": error}).encode()), ProviderError)
