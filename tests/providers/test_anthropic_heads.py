"""What the head of an answer says: limits, and whose account it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from providers.access import Access, Secret
from providers.anthropic import AnthropicAdapter
from providers.anthropic_heads import head, limits
from providers.errors import ProviderError
from providers.heard import Head, Limits
from providers.types import MessageRequest
from tests.providers.calls import says
from tests.providers.conftest import KEY, access
from tests.providers.loopback import Exchange, hello, loopback

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
HERE = Access("http://localhost", Secret(KEY), "api_key")


def test_the_limits_are_read() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:01.5Z",
        "anthropic-ratelimit-tokens-limit": "80000",
        "anthropic-ratelimit-tokens-remaining": "79000",
        "anthropic-ratelimit-tokens-reset": "2026-11-20T13:00:30+01:00",
    }
    assert limits(headers, NOW) == Limits(
        requests=50,
        requests_left=49,
        requests_reset=1.5,
        tokens=80_000,
        tokens_left=79_000,
        tokens_reset=30.0,
    )


def test_the_input_tokens_stand_in_where_no_total_is_named() -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "1000",
        "anthropic-ratelimit-input-tokens-remaining": "10",
        "anthropic-ratelimit-output-tokens-limit": "500",
    }
    assert limits(headers, NOW) == Limits(tokens=1000, tokens_left=10)


def test_a_subscription_that_is_used_up_has_no_request_left() -> None:
    reset = str(int(NOW.timestamp()) + 90)
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": reset,
    }
    assert limits(headers, NOW) == Limits(requests_left=0, requests_reset=90.0)
    headers["anthropic-ratelimit-unified-status"] = "allowed"
    assert limits(headers, NOW) is None


@pytest.mark.parametrize("junk", ["", "-1", "1e3", "NaN", "x", "9" * 30, "\u0665", "2026-13-40", "inf"])
def test_junk_says_nothing(junk: str) -> None:
    headers = {
        f"anthropic-ratelimit-{kind}-{what}": junk
        for kind in ("requests", "tokens", "unified")
        for what in ("limit", "remaining", "reset", "status")
    }
    found = limits(headers, NOW) or Limits()
    assert (found.requests, found.requests_left, found.tokens, found.tokens_left) == (None,) * 4


def test_a_moment_that_has_passed_is_now_and_a_far_one_is_bounded() -> None:
    past = limits({"anthropic-ratelimit-requests-reset": "2020-01-01T00:00:00Z"}, NOW)
    future = limits({"anthropic-ratelimit-requests-reset": "9999-01-01T00:00:00Z"}, NOW)
    assert past == Limits(requests_reset=0.0)
    assert future is not None
    assert future.requests_reset == 31 * 24 * 3600.0


def test_a_head_without_words_is_a_head() -> None:
    assert head(200, {}, HERE, NOW) == Head(status=200)


def test_a_secret_in_a_head_is_masked() -> None:
    assert KEY not in head(200, {"anthropic-organization-id": f"org {KEY}"}, HERE, NOW).vendor_account


async def test_an_answer_is_heard_once_before_its_first_event(
    adapter: AnthropicAdapter, question: MessageRequest
) -> None:
    told: list[object] = []

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(request_id="req_1", anthropic_organization_id="org-1")
        await exchange.send(*hello())
        await exchange.end_stream()

    async with loopback(script) as server:
        async for event in adapter.stream(question, access(server.url), heard=told.append):
            told.append(event["type"])
    assert told[0] == Head(status=200, request_id="req_1", vendor_account="org-1")
    assert told[1] == "message_start"
    assert sum(isinstance(one, Head) for one in told) == 1


async def test_a_refusal_is_heard_too(adapter: AnthropicAdapter, question: MessageRequest) -> None:
    told: list[Head] = []
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    limited = says(429, body, anthropic_ratelimit_requests_remaining="0", anthropic_organization_id="org-1")
    async with loopback(limited) as server:
        with pytest.raises(ProviderError):
            async for _ in adapter.stream(question, access(server.url), heard=told.append):
                pass
    [heard] = told
    assert (heard.status, heard.vendor_account) == (429, "org-1")
    assert heard.limits == Limits(requests_left=0)
