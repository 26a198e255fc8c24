"""Manage, Models: seen and changed by owners and admins; what they change holds at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.ids import uuid7
from accounts.models import User
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage import metering
from usage.caller import Caller
from usage.catalogue import known_models
from usage.errors import CallRefused
from usage.models import FallbackChain, ModelOverride, Price
from usage.offers import offers
from usage.prices import prices

from .conftest import asking
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in

SONNET = "anthropic/claude-sonnet-5-5"
OF_SONNET = "/manage/models/of/anthropic/claude-sonnet-5-5"
PRICE_OF_SONNET = "/manage/models/price/anthropic/claude-sonnet-5-5"
CHAIN_OF_SONNET = "/manage/models/chain/anthropic/claude-sonnet-5-5"
DEFAULT_SONNET = "/manage/models/default/anthropic/claude-sonnet-5-5"
PLACES = [
    ("get", "/manage/models/"),
    ("get", OF_SONNET),
    ("post", OF_SONNET),
    ("post", PRICE_OF_SONNET),
    ("post", CHAIN_OF_SONNET),
    ("post", DEFAULT_SONNET),
    ("get", "/manage/models/new/"),
    ("post", "/manage/models/new/"),
    ("get", "/manage/models/endpoints/new/"),
    ("post", "/manage/models/endpoints/new/"),
    ("get", "/manage/models/endpoints/house/"),
    ("post", "/manage/models/endpoints/house/"),
    ("get", "/manage/models/endpoints/house/remove/"),
    ("post", "/manage/models/endpoints/house/remove/"),
]


@pytest.fixture
def keyed(nothing_changed: None, settings: Any) -> None:
    """The organisation has a key of Anthropic's; its list cannot be reached."""
    settings.PROVIDER_ENVIRONMENT = {
        "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": "https://api.anthropic.com"}
    }


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_for_members_there_is_no_such_page(member: User, method: str, path: str) -> None:
    assert getattr(signed_in(member), method)(path).status_code == 404
    assert ModelOverride.objects.count() == Price.objects.count() == FallbackChain.objects.count() == 0


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_strangers_are_sent_to_the_door(owner: User, method: str, path: str) -> None:
    response = getattr(Client(headers={"host": "localhost"}), method)(path)
    assert response.status_code == 302
    assert response["location"].startswith("/login/")


@pytest.mark.usefixtures("keyed")
def test_admins_see_the_models_of_their_keys_and_the_other_vendors_in_a_line(admin: User) -> None:
    text = page(signed_in(admin), "/manage/models/")
    assert "Claude Sonnet 5.5" in text
    assert "Until 30 November 2026" in text  # Sonnet 4.5 is about to be retired
    assert "GPT-6.2 Sol" not in text
    assert "53" in text
    assert "There is no key for OpenAI yet" in text


@pytest.mark.usefixtures("keyed")
def test_search_provider_and_state_are_in_the_address(owner: User) -> None:
    client = signed_in(owner)
    text = page(client, "/manage/models/?q=haiku+5.5")
    assert "Claude Haiku 5.5" in text
    assert "Claude Sonnet 5.5" not in text
    text = page(client, "/manage/models/?provider=openai")
    assert "GPT-6.2 Sol" in text
    assert "Claude Haiku 5.5" not in text
    text = page(client, "/manage/models/?state=verified")
    assert "Claude Mythos 5.2" in text
    assert "Claude Haiku 5.5" not in text
    assert "No model fits" in page(client, "/manage/models/?q=nothing-of-the-kind")


@pytest.mark.usefixtures("keyed")
def test_the_page_takes_few_queries_however_many_models(
    owner: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = signed_in(owner)
    page(client, "/manage/models/")
    with django_assert_max_num_queries(8):
        page(client, "/manage/models/?provider=azure")


def test_a_hostile_search_is_text(owner: User) -> None:
    text = page(signed_in(owner), "/manage/models/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in text


def test_an_unknown_model_is_not_found(owner: User) -> None:
    client = signed_in(owner)
    page(client, "/manage/models/of/anthropic/claude-nobody", 404)
    page(client, "/manage/models/of/nobody/claude-sonnet-5-5", 404)


@pytest.mark.usefixtures("keyed")
def test_a_model_that_is_switched_off_is_refused_to_calls(admin: User, member: User) -> None:
    caller = Caller(user_id=member.pk)
    assert asyncio.run(known_models.resolve(caller, SONNET)).ref == SONNET
    save(signed_in(admin), enabled="off")
    with pytest.raises(CallRefused) as refusal:
        asyncio.run(known_models.resolve(caller, SONNET))
    assert refusal.value.code == "not_allowed"
    assert "switched off" in refusal.value.message


@pytest.mark.usefixtures("keyed")
def test_a_model_that_is_switched_off_is_not_offered(admin: User, member: User) -> None:
    assert offers.find(member, SONNET) is not None
    save(signed_in(admin), enabled="off")
    assert offers.find(member, SONNET) is None
    save(signed_in(admin), enabled="")
    assert offers.find(member, SONNET) is not None


@pytest.mark.usefixtures("keyed")
def test_a_verified_model_can_be_switched_on(admin: User, member: User) -> None:
    assert offers.find(member, "anthropic/claude-mythos-5-2") is None
    save(signed_in(admin), "/manage/models/of/anthropic/claude-mythos-5-2", enabled="on")
    assert offers.find(member, "anthropic/claude-mythos-5-2") is not None


@pytest.mark.usefixtures("keyed")
def test_a_new_name_and_corrected_facts_hold_everywhere(admin: User, member: User) -> None:
    save(
        signed_in(admin),
        display_name="Our <b>Sonnet</b>",
        max_output="1000",
        correct_abilities="on",
        capabilities=["vision"],
    )
    offer = offers.find(member, SONNET)
    assert offer is not None
    assert offer.spec.name == "Our <b>Sonnet</b>"
    assert offer.spec.max_output == 1000
    assert offer.spec.capabilities == {"vision"}
    text = page(signed_in(admin), "/manage/models/")
    assert "Our &lt;b&gt;Sonnet&lt;/b&gt;" in text
    save(signed_in(admin))
    offer = offers.find(member, SONNET)
    assert offer is not None
    assert offer.spec.max_output == 128_000
    assert "tools" in offer.spec.capabilities


@pytest.mark.usefixtures("keyed")
def test_facts_that_cannot_be_are_refused_and_what_was_typed_stays(admin: User) -> None:
    response = signed_in(admin).post(OF_SONNET, {"context": "10", "max_output": "20", "display_name": "Mine"})
    assert response.status_code == 422
    text = response.content.decode()
    assert "max_output" in text
    assert 'value="Mine"' in text
    assert ModelOverride.objects.count() == 0


@pytest.mark.usefixtures("keyed")
def test_the_default_is_the_admins_choice(admin: User, member: User) -> None:
    client = signed_in(admin)
    first = offers.default_offer(member)
    assert first is not None
    assert first.ref == SONNET
    opus = "anthropic/claude-opus-5-5"
    assert client.post(f"/manage/models/default/{opus}").status_code == 302
    chosen = offers.default_offer(member)
    assert chosen is not None
    assert chosen.ref == opus
    assert "Default" in page(client, "/manage/models/")
    # It cannot be switched off while it is the default.
    response = client.post(f"/manage/models/of/{opus}", {"enabled": "off"})
    assert response.status_code == 422
    client.post(f"/manage/models/default/{opus}", {"clear": "1"})
    again = offers.default_offer(member)
    assert again is not None
    assert again.ref == SONNET


@pytest.mark.usefixtures("keyed")
def test_a_price_of_ones_own_is_exact_and_wins_until_it_ends(admin: User, member: User) -> None:
    client = signed_in(admin)
    response = client.post(PRICE_OF_SONNET, {"input": "3.000001", "output": "15", "cache_read": "0.075"})
    assert response.status_code == 302
    row = Price.objects.get()
    assert (row.input, row.output, row.cache_read) == (3_000_001, 15_000_000, 75_000)
    assert (row.cache_write_5m, row.cache_write_1h) == (3_750_002, 6_000_002)
    assert row.batch_percent == 50
    tariff = prices.override("anthropic", "claude-sonnet-5-5", timezone.now())
    assert tariff is not None
    assert tariff.rates.input == 3_000_001
    offer = offers.find(member, SONNET)
    assert offer is not None
    assert (offer.input, offer.output) == (3_000_001, 15_000_000)
    text = page(client, "/manage/models/")
    assert "your price" in text
    assert "$3.000001" in text
    client.post(PRICE_OF_SONNET, {"end": "1"})
    assert prices.override("anthropic", "claude-sonnet-5-5", timezone.now()) is None
    assert "your price" not in page(client, "/manage/models/")


@pytest.mark.usefixtures("keyed")
def test_a_price_has_its_days_and_its_tier(admin: User) -> None:
    values = {
        "input": "2",
        "output": "10",
        "long_above": "100000",
        "long_input": "4",
        "long_output": "20",
        "valid_from": "2027-01-01",
        "valid_until": "2027-02-01",
    }
    assert signed_in(admin).post(PRICE_OF_SONNET, values).status_code == 302
    row = Price.objects.get()
    assert (row.valid_from, row.valid_until) == (
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 2, 1, tzinfo=UTC),
    )
    assert row.long_context_above == 100_000
    assert row.long_context == {
        "input": 4_000_000,
        "output": 20_000_000,
        "cache_read": 4_000_000,
        "cache_write_5m": 5_000_000,
        "cache_write_1h": 8_000_000,
    }
    assert prices.override("anthropic", "claude-sonnet-5-5", datetime(2027, 1, 15, tzinfo=UTC)) is not None
    assert prices.override("anthropic", "claude-sonnet-5-5", datetime(2027, 2, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"input": "0", "output": "1"}, "Nothing is free"),
        ({"input": "-1", "output": "1"}, "greater than or equal to 0"),
        ({"input": "1.0000001", "output": "1"}, "6 decimal places"),
        ({"input": "abc", "output": "1"}, "Enter a number"),
        ({"input": "NaN", "output": "1"}, "Enter a number"),
        ({"input": "1e9", "output": "1"}, "less than or equal"),
        ({"output": "1"}, "required"),
        ({"input": "1", "output": "1", "long_above": "5"}, "none of the three"),
        (
            {"input": "1", "output": "1", "valid_from": "2027-01-02", "valid_until": "2027-01-01"},
            "ends before it begins",
        ),
    ],
)
def test_a_price_that_cannot_be_is_refused_and_what_was_typed_stays(
    admin: User, values: dict[str, str], says: str
) -> None:
    response = signed_in(admin).post(PRICE_OF_SONNET, values | {"search": "7.5"})
    assert response.status_code == 422
    text = response.content.decode()
    assert says in text
    assert 'value="7.5"' in text
    assert Price.objects.count() == 0


def test_a_chain_is_kept_in_order_and_refuses_loops(admin: User) -> None:
    client = signed_in(admin)
    text = "anthropic/claude-haiku-5-5\n\n openai/gpt-6.2-sol \n"
    assert client.post(CHAIN_OF_SONNET, {"refs": text}).status_code == 302
    assert FallbackChain.objects.get().refs == ["anthropic/claude-haiku-5-5", "openai/gpt-6.2-sol"]
    for refs, says in (
        (SONNET, "its own place"),
        ("anthropic/claude-haiku-4-5\nanthropic/claude-haiku-4-5-20251001", "twice"),
        ("nobody/nothing", "There is no model"),
        ("openai/\n", "There is no model"),
        ("\n".join(f"openai/m{number}" for number in range(11)), "at most"),
    ):
        response = client.post(CHAIN_OF_SONNET, {"refs": refs})
        assert response.status_code == 422
        assert says in response.content.decode()
    assert len(FallbackChain.objects.get().refs) == 2
    client.post(CHAIN_OF_SONNET, {"refs": ""})
    assert FallbackChain.objects.count() == 0


@pytest.fixture
def house(nothing_changed: None, settings: Any) -> Iterator[ThreadServer]:
    """An address of the operator's own that lists a model which nobody else has."""
    settings.STANDIN_PRICE = None
    with ThreadServer(Simulator(scripted=True, models=["house-model-9"])) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": server.base_url}
        }
        yield server


@pytest.mark.usefixtures("house")
def test_a_listed_model_is_usable_once_an_admin_gives_it_a_price(admin: User, member: User) -> None:
    offer = offers.find(member, "anthropic/house-model-9")
    assert offer is not None
    assert not offer.usable
    assert "Needs a price" in page(signed_in(admin), "/manage/models/?q=house-model-9")
    path = "/manage/models/price/anthropic/house-model-9"
    assert signed_in(admin).post(path, {"input": "1", "output": "5"}).status_code == 302
    offer = offers.find(member, "anthropic/house-model-9")
    assert offer is not None
    assert offer.usable
    assert (offer.input, offer.output) == (1_000_000, 5_000_000)


@pytest.mark.usefixtures("house")
def test_a_call_is_held_at_an_admins_price_from_the_next_one_on(admin: User, member: User) -> None:
    first = answered(member)
    assert first.cost_nano == 2_000 * first.usage.input_tokens + 10_000 * first.usage.output_tokens
    signed_in(admin).post(PRICE_OF_SONNET, {"input": "3", "output": "15"})
    second = answered(member)
    assert second.cost_nano == 3_000 * second.usage.input_tokens + 15_000 * second.usage.output_tokens > 0


def answered(person: User) -> metering.Settlement:
    async def ask() -> metering.Settlement:
        caller = Caller(user_id=person.pk)
        async with metering.call(caller, asking(SONNET), purpose="chat", call_id=uuid7()) as call:
            async for _event in call:
                pass
        assert call.settlement is not None
        return call.settlement

    return asyncio.run(ask())


def save(client: Client, path: str = OF_SONNET, **values: Any) -> None:
    response = client.post(path, values)
    assert response.status_code == 302, response.content.decode()[-2000:]


@pytest.mark.usefixtures("keyed")
def test_a_model_that_nobody_lists_is_added_like_another_and_costs_what_that_costs(admin: User) -> None:
    fields = {"provider": "anthropic", "model": "our-tuned.one", "like": SONNET}
    response = signed_in(admin).post("/manage/models/new/", fields)
    assert response["location"] == "/manage/models/of/anthropic/our-tuned.one"
    added, like = known_models.about("anthropic/our-tuned.one"), known_models.about(SONNET)
    assert added is not None
    assert like is not None
    assert (added.context, added.api, added.capabilities) == (like.context, like.api, like.capabilities)
    usual = like.price_on(known_models.today())
    assert usual is not None
    price = Price.objects.get(provider="anthropic", model="our-tuned.one")
    assert (price.input, price.output, price.cache_read) == (usual.input, usual.output, usual.cache_read)
    again = signed_in(admin).post("/manage/models/new/", fields)
    assert again.status_code == 422
    assert "known already" in again.content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"like": "anthropic/nobody"}, "No such model is known"),
        ({}, "or give both numbers"),
        ({"context": "10"}, "or give both numbers"),
        ({"context": "10", "max_output": "20"}, "These facts cannot be"),
        ({"like": SONNET, "model": "a b<script>"}, "Use letters, digits"),
        ({"like": SONNET, "provider": "nobody"}, "Select a valid choice"),
    ],
)
def test_a_model_that_cannot_be_added_is_refused_and_what_was_typed_stays(
    admin: User, fields: dict[str, str], words: str
) -> None:
    typed = {"provider": "openai", "model": "mine", **fields}
    response = signed_in(admin).post("/manage/models/new/", typed)
    assert response.status_code == 422
    text = response.content.decode()
    assert words in text
    assert "<script>" not in text.partition("<main")[2]
    assert not ModelOverride.objects.exists()
