from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from accounts.ids import uuid7
from accounts.models import User
from providers import catalogue
from providers.simulator.server import ThreadServer
from usage import metering
from usage.errors import CallRefused
from usage.estimates import Size
from usage.metering import Caller
from usage.models import Hold, Price
from usage.prices import prices

from .conftest import SONNET, asking, database, lines
from .holds import TARIFF

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SMALL = Size(bound=10, likely=5, cached=False, hour_cache=False, searches=0)


def spec(ref: str = SONNET) -> catalogue.ModelSpec:
    found = catalogue.spec(ref)
    assert found is not None
    return found


def price(model: str = "claude-sonnet-5-5", **fields: Any) -> Price:
    values = {
        "provider": "anthropic",
        "model": model,
        "valid_from": NOON,
        "input": 3_000_000,
        "output": 15_000_000,
        "cache_read": 300_000,
        "cache_write_5m": 3_750_000,
        "cache_write_1h": 6_000_000,
        "source": "our contract",
    }
    return Price.objects.create(**(values | fields))


async def refused(caller: Caller, request: Any, code: str, vendor: ThreadServer) -> str:
    """The call is refused with this code: nothing asked, nothing held, nothing written."""
    with pytest.raises(CallRefused) as refusal:
        await metering.complete(caller, request, purpose="chat", call_id=uuid7())
    assert refusal.value.code == code
    assert not await database(Hold.objects.exists)
    assert await database(lines) == []
    posted = [seen for seen in vendor.app.counters.recent if seen["method"] == "POST"]
    assert posted == []
    return refusal.value.message


async def test_a_deactivated_person_may_not_call(caller: Caller, person: User, vendor: ThreadServer) -> None:
    await database(lambda: User.objects.filter(pk=person.pk).update(is_active=False))
    await refused(caller, asking(), "not_allowed", vendor)
    await refused(Caller(user_id=uuid7(), team_id=None), asking(), "not_allowed", vendor)


async def test_without_a_credential_the_reason_says_what_to_do(
    caller: Caller, settings: Any, vendor: ThreadServer
) -> None:
    settings.PROVIDER_ENVIRONMENT["anthropic"]["api_key"] = None
    message = await refused(caller, asking(), "no_credential", vendor)
    assert "key for Anthropic" in message


@pytest.mark.parametrize(
    "model", ["anthropic/never-heard-of", "nobody/model", "claude-sonnet-5-5", "", "/", "demo/x"]
)
async def test_a_model_that_is_not_on_offer_is_refused(
    caller: Caller, model: str, vendor: ThreadServer
) -> None:
    await refused(caller, asking(model), "unknown_model", vendor)


async def test_a_restricted_model_is_refused(caller: Caller, vendor: ThreadServer) -> None:
    await refused(caller, asking("anthropic/claude-mythos-5-2"), "not_allowed", vendor)


@pytest.mark.parametrize("field", ["fallbacks", "mcp_servers", "container", "service_tier"])
async def test_fields_that_change_price_model_or_reach_are_refused(
    caller: Caller, field: str, vendor: ThreadServer
) -> None:
    await refused(caller, asking(extra={field: ["anything"]}), "not_allowed", vendor)


@pytest.mark.parametrize("extra", [{"speed": "warp"}, {"inference_geo": "eu"}])
async def test_what_has_no_known_price_is_refused(
    caller: Caller, extra: dict[str, Any], vendor: ThreadServer
) -> None:
    await refused(caller, asking(extra=extra), "unknown_price", vendor)


async def test_what_the_model_cannot_do_is_refused_with_a_sentence(
    caller: Caller, vendor: ThreadServer
) -> None:
    tool = {"name": "look", "input_schema": {"type": "object"}}
    request = replace(asking(), tools=[tool], tool_choice={"type": "any"})
    message = await refused(caller, request, "unsupported", vendor)
    assert "Sonnet 5.5 cannot" in message


def test_the_catalogues_price_is_the_one_of_the_day() -> None:
    before = prices.listed(spec(), datetime(2026, 10, 6, 23, 59, tzinfo=UTC))
    after = prices.listed(spec(), datetime(2026, 10, 7, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert (before.rates.cache_read, after.rates.cache_read) == (200_000, 100_000)
    assert prices.listed(spec(), datetime(2020, 1, 1, tzinfo=UTC)) is None


@pytest.mark.django_db
def test_an_override_wins_while_it_is_in_force() -> None:
    row = price(valid_until=NOON + timedelta(days=1))
    price(valid_from=NOON + timedelta(days=30), input=9)

    def at(moment: datetime) -> tuple[int, object]:
        found = prices.tariff(spec(), asking(), SMALL, moment)
        return found.rates.input, found.price_id

    assert at(NOON - timedelta(seconds=1)) == (2_000_000, None)
    assert at(NOON) == (3_000_000, row.pk)
    assert at(NOON + timedelta(days=1)) == (2_000_000, None)
    assert at(NOON + timedelta(days=31))[0] == 9


@pytest.mark.django_db
def test_an_override_carries_tiers_and_modifiers() -> None:
    rates = {"input": 1, "output": 2, "cache_read": 3, "cache_write_5m": 4, "cache_write_1h": 5}
    price(long_context_above=7, long_context=rates, fast=rates, batch_percent=40, geo_us_percent=120)
    found = prices.tariff(spec(), asking(extra={"speed": "fast"}), SMALL, NOON)
    assert found.fast == found.long_context
    assert (found.long_context_above, found.batch_percent, found.geo_us_percent) == (7, 40, 120)
    assert (found.source, found.asked_speed) == ("our contract", "fast")


@pytest.mark.django_db
def test_an_unknown_price_is_the_stand_in_or_none_and_never_zero(settings: Any) -> None:
    """T38."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    settings.STANDIN_PRICE = None
    with pytest.raises(CallRefused) as refusal:
        prices.tariff(spec(), asking(), SMALL, long_ago)
    assert refusal.value.code == "unknown_price"
    settings.STANDIN_PRICE = (15_000_000, 75_000_000)
    found = prices.tariff(spec(), asking(), SMALL, long_ago)
    assert (found.rates.input, found.rates.output, found.source) == (15_000_000, 75_000_000, "stand-in")
    assert min(found.rates.cache_read, found.rates.cache_write_5m, found.rates.cache_write_1h) >= 15_000_000


async def test_a_price_change_in_mid_stream_changes_nothing(caller: Caller) -> None:
    call_id = uuid7()
    request = asking(deltas=3, gates={"price": 2})
    async with metering.call(caller, request, purpose="chat", call_id=call_id) as call:
        await database(lambda: price(input=99_000_000, valid_from=NOON - timedelta(days=9)))
        await open_gate(caller)
        async for _event in call:
            pass
    (line,) = await database(lambda: lines(call_id))
    assert line.price_source == "catalogue 2026-10-07"
    assert line.cost_nano < 99_000 * line.input_tokens


async def open_gate(caller: Caller) -> None:
    """Opens the simulator's gate that the test's stream waits at, or will wait at."""
    address = settings.PROVIDER_ENVIRONMENT["anthropic"]["base_url"].removeprefix("http://")
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /_simulator/gates/price HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
    await reader.readuntil(b"\r\n")
    writer.close()


def test_the_demo_alone_has_a_price_of_zero() -> None:
    for model in catalogue.specs():
        found = prices.listed(model, datetime.combine(date(2026, 11, 20), NOON.timetz()))
        assert (found is not None) == bool(model.prices), model.ref
        if found is None:
            continue
        assert (found.rates.input == 0) == model.demo
        assert (found.source == "demo") == model.demo
    assert TARIFF.price_id is None
