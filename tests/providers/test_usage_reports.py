"""The vendor's reports of usage and cost: read whole, page by page, or not at all."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from providers import registry
from providers.access import Access, Secret
from providers.anthropic_reports import COST, USAGE, AnthropicReporter
from providers.errors import (
    AuthenticationError,
    ConnectionFailed,
    Forbidden,
    ProtocolError,
    ProviderError,
    RateLimited,
)
from providers.simulator.app import Simulator
from providers.simulator.server import Server
from providers.transport import Timeouts, Transport
from providers.usage_reports import Charge, Mode, UsedTokens, VendorAccount, VendorKey

from .loopback import Exchange, loopback

ADMIN_KEY = "sk-ant-admin01-made-up-0123456789"
DAY = date(2026, 11, 18)
SONNET = "claude-sonnet-5-5"
STANDARD = Mode(service_tier="standard", context_window="0-200k", inference_geo="not_available")


def access(url: str, key: str = ADMIN_KEY) -> Access:
    return Access(url, Secret(key), "api_key")


@pytest.fixture
def reporter(pool: Transport) -> AnthropicReporter:
    return AnthropicReporter(timeouts=Timeouts(first=2, idle=2, total=5), through=lambda: pool)


@pytest.fixture
async def simulator():
    server = Server(Simulator(scripted=True))
    await server.start()
    yield server
    await server.stop()


async def test_both_reports_are_read_to_their_last_page(
    simulator: Server, reporter: AnthropicReporter
) -> None:
    days = [DAY - timedelta(days=ago) for ago in range(20)]
    simulator.app.reports.tell(
        {
            "usage": [
                {
                    "day": f"{day}",
                    "model": SONNET,
                    "api_key_id": "apikey_1",
                    "uncached_input_tokens": 1_000 + at,
                    "cache_read_input_tokens": 20,
                    "ephemeral_5m_input_tokens": 3,
                    "ephemeral_1h_input_tokens": 4,
                    "output_tokens": 3_000_000_000,
                    "web_search_requests": 2,
                }
                for at, day in enumerate(days)
            ],
            "costs": [
                {
                    "day": f"{days[0]}",
                    "amount": "123.78912",
                    "model": SONNET,
                    "token_type": "cache_creation.ephemeral_1h_input_tokens",
                },
                {"day": f"{days[19]}", "amount": "2", "cost_type": "web_search", "context_window": None},
            ],
        }
    )
    found = await reporter.report(access(simulator.base_url), days[-1], days[0])
    assert sorted((row.day, row.input_tokens) for row in found.used) == sorted(
        (day, 1_000 + at) for at, day in enumerate(days)
    )
    assert found.used[-1] == UsedTokens(
        day=DAY,
        model=SONNET,
        key_id="apikey_1",
        mode=STANDARD,
        input_tokens=1_000,
        cache_read_input_tokens=20,
        cache_creation_5m=3,
        cache_creation_1h=4,
        output_tokens=3_000_000_000,
        web_search_requests=2,
    )
    assert found.charges == [
        Charge(day=days[19], kind="web_search", amount_nano=20_000_000, mode=Mode(service_tier="standard")),
        Charge(
            day=DAY,
            kind="tokens",
            amount_nano=1_237_891_200,
            model=SONNET,
            bucket="cache_creation_1h",
            mode=Mode(service_tier="standard", context_window="0-200k"),
        ),
    ]
    asked = [one for one in simulator.app.counters.recent if one["path"] == USAGE]
    assert len(asked) == 3, "20 days in pages of 7"
    assert "starting_at=2026-10-30T00:00:00Z&ending_at=2026-11-19T00:00:00Z" in asked[0]["query"]


async def test_the_key_says_whose_usage_it_opens_and_all_keys_are_listed(
    simulator: Server, reporter: AnthropicReporter
) -> None:
    keys = [
        {"id": f"apikey_{number}", "partial_key_hint": "sk-ant-api03-R2D...igAA"} for number in range(1500)
    ]
    simulator.app.reports.tell({"organization": "org-1", "name": "Lighthouse", "keys": keys})
    account = await reporter.account(access(simulator.base_url))
    assert account == VendorAccount(id="org-1", name="Lighthouse")
    listed = await reporter.keys(access(simulator.base_url))
    assert len({key.id for key in listed}) == 1500
    assert listed[0] == VendorKey(id="apikey_0", name="A key", ending="igAA")


@pytest.mark.parametrize("key", ["sk-ant-api03-for-calls-0123", "sk-sim-401"])
async def test_a_key_for_calls_opens_no_report(
    simulator: Server, reporter: AnthropicReporter, key: str
) -> None:
    with pytest.raises(AuthenticationError) as raised:
        await reporter.account(access(simulator.base_url, key))
    assert key not in raised.value.safe_message


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (429, RateLimited), (529, ProviderError)])
async def test_refusals_are_errors_of_our_tree(
    simulator: Server, reporter: AnthropicReporter, status: int, kind: type[ProviderError]
) -> None:
    with pytest.raises(kind):
        await reporter.report(access(simulator.base_url, f"sk-sim-{status}"), DAY, DAY)


async def test_a_vendor_that_is_away_is_said_so(reporter: AnthropicReporter) -> None:
    with pytest.raises(ConnectionFailed):
        await reporter.report(access("http://127.0.0.1:9"), DAY, DAY)


def bucket(**fields: Any) -> dict[str, Any]:
    return {"starting_at": f"{DAY}T00:00:00Z", "ending_at": f"{DAY + timedelta(days=1)}T00:00:00Z", **fields}


def page(*results: Any, **fields: Any) -> bytes:
    return json.dumps({"data": [bucket(results=list(results))], "has_more": False, **fields}).encode()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (USAGE, b"<html>busy</html>"),
        (USAGE, b'{"data": "none"}'),
        (USAGE, json.dumps({"data": [bucket(results=None)], "has_more": False}).encode()),
        (USAGE, json.dumps({"data": [{"results": []}], "has_more": False}).encode()),
        (USAGE, page({"output_tokens": -1})),
        (USAGE, page({"output_tokens": "12"})),
        (USAGE, page({"output_tokens": 1.5})),
        (USAGE, page({"output_tokens": 10**18})),
        (USAGE, page({"model": 7})),
        (USAGE, page({"cache_creation": []} | {"server_tool_use": 3})),
        (USAGE, page(has_more=True, next_page=None)),
        (USAGE, page(has_more=True, next_page="page_the_same")),
        (COST, page({"amount": 12.5, "currency": "USD"})),
        (COST, page({"amount": "NaN", "currency": "USD"})),
        (COST, page({"amount": "1e3", "currency": "USD"})),
        (COST, page({"amount": None, "currency": "USD"})),
        (COST, page({"amount": "12.5", "currency": "EUR"})),
    ],
)
async def test_what_cannot_be_read_is_never_taken_for_a_figure(
    reporter: AnthropicReporter, path: str, body: bytes
) -> None:
    async def script(exchange: Exchange) -> None:
        asked = exchange.path.partition("?")[0]
        await exchange.answer(200, body if asked == path else page(), content_type="application/json")

    async with loopback(script) as vendor:
        with pytest.raises(ProtocolError):
            await reporter.report(access(vendor.url), DAY, DAY)


async def test_days_that_were_not_asked_for_and_what_is_absent_count_nothing(
    reporter: AnthropicReporter,
) -> None:
    later = {**bucket(results=[{"model": SONNET, "output_tokens": 5}]), "starting_at": "2027-01-01T00:00:00Z"}
    mine = bucket(results=[{"model": SONNET, "output_tokens": 9, "cache_creation": None, "news": {}}])

    async def script(exchange: Exchange) -> None:
        days = [later, mine] if exchange.path.startswith(USAGE) else []
        body = json.dumps({"data": days, "has_more": False}).encode()
        await exchange.answer(200, body, content_type="application/json")

    async with loopback(script) as vendor:
        found = await reporter.report(access(vendor.url), DAY, DAY)
    assert found.used == [UsedTokens(day=DAY, model=SONNET, output_tokens=9)]
    assert all(one.header("x-api-key") == ADMIN_KEY for one in vendor.exchanges)


def test_who_reports_stands_in_the_vendors_row() -> None:
    assert list(registry.reporting()) == ["anthropic"]
    assert isinstance(registry.reporter("anthropic"), AnthropicReporter)
    with pytest.raises(KeyError):
        registry.reporter("demo")
