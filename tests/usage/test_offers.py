from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from accounts.ids import uuid7
from accounts.keys import credentials
from accounts.models import User
from providers import catalogue, registry
from providers.registry import Provider
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage import metering
from usage.catalogue import actions, discovery, overrides
from usage.errors import CallRefused
from usage.metering import Caller
from usage.offers import offers

from .conftest import SONNET, asking, database

pytestmark = pytest.mark.django_db(transaction=True)

LISTED = "anthropic/house-model-1"


@pytest.fixture
def house(vendor: ThreadServer, settings: Any) -> Any:
    """An address of the operator's own, which lists a model that nobody else has."""
    with ThreadServer(Simulator(scripted=True, models=["house-model-1"])) as server:
        settings.PROVIDER_ENVIRONMENT["anthropic"]["base_url"] = server.base_url
        yield server


def by_ref(person: User) -> dict[str, offers.Offer]:
    return {offer.ref: offer for offer in offers.offered(person)}


@pytest.mark.usefixtures("vendor")
def test_the_catalogue_is_offered_without_restricted_and_retired_models(person: User) -> None:
    found = by_ref(person)
    for spec in catalogue.specs("anthropic"):
        assert (spec.ref in found) == (not spec.restricted)
    assert found[SONNET].usable
    assert offers.find(person, "anthropic/claude-mythos-5-2") is None


@pytest.mark.usefixtures("vendor")
def test_the_demo_is_offered_once_its_simulator_listens(person: User, settings: Any) -> None:
    settings.DEMO_BASE_URL = ""
    assert not by_ref(person)["demo/parley-demo"].usable
    settings.DEMO_BASE_URL = "http://127.0.0.1:1"
    assert by_ref(person)["demo/parley-demo"].usable
    settings.DEMO = False
    assert "demo/parley-demo" not in by_ref(person)


def test_without_a_key_the_reason_says_so_and_the_demo_is_proposed(person: User, settings: Any) -> None:
    settings.PROVIDER_ENVIRONMENT = {}
    settings.DEMO_BASE_URL = "http://127.0.0.1:1"
    offer = offers.find(person, SONNET)
    assert offer is not None
    assert not offer.usable
    assert "key" in offer.reason
    proposed = offers.default_offer(person)
    assert proposed is not None
    assert proposed.spec.demo
    settings.DEMO_BASE_URL = ""
    assert offers.default_offer(person) is None


@pytest.mark.usefixtures("vendor")
def test_with_a_key_a_real_model_is_proposed(person: User, settings: Any) -> None:
    settings.DEMO_BASE_URL = "http://127.0.0.1:1"
    proposed = offers.default_offer(person)
    assert proposed is not None
    assert proposed.usable
    assert not proposed.spec.demo


@pytest.mark.usefixtures("vendor")
def test_an_alias_finds_its_model(person: User) -> None:
    offer = offers.find(person, "anthropic/claude-opus-4-5-20251101")
    assert offer is not None
    assert offer.ref == "anthropic/claude-opus-4-5"


@pytest.mark.usefixtures("house")
def test_a_listed_model_without_a_price_is_shown_unusable(person: User, settings: Any) -> None:
    settings.STANDIN_PRICE = None
    offer = offers.find(person, LISTED)
    assert offer is not None
    assert not offer.usable
    assert "price" in offer.reason


@pytest.mark.usefixtures("house")
async def test_a_listed_model_is_called_at_the_stand_in_price(
    caller: Caller, person: User, settings: Any
) -> None:
    settings.STANDIN_PRICE = (15_000_000, 75_000_000)
    offer = await database(lambda: offers.find(person, LISTED))
    assert offer is not None
    assert offer.usable
    discovery.forget()  # as in a process that has shown no page yet
    async with metering.call(caller, asking(LISTED), purpose="chat", call_id=uuid7()) as call:
        async for _event in call:
            pass
    assert call.settlement is not None
    used = call.settlement.usage
    assert call.settlement.cost_nano == 15_000 * used.input_tokens + 75_000 * used.output_tokens > 0


@pytest.mark.usefixtures("house")
async def test_a_listed_model_without_a_price_is_refused(caller: Caller, settings: Any) -> None:
    settings.STANDIN_PRICE = None
    with pytest.raises(CallRefused) as refusal:
        await metering.complete(caller, asking(LISTED), purpose="chat", call_id=uuid7())
    assert refusal.value.code == "unknown_price"


def test_the_list_is_asked_for_once_while_it_is_fresh(person: User, house: ThreadServer) -> None:
    for _ in range(5):
        offers.offered(person)
    asked = [seen for seen in house.app.counters.recent if seen["path"] == "/v1/models"]
    assert len(asked) == 1


@pytest.mark.usefixtures("vendor")
def test_an_address_that_does_not_answer_delays_the_first_page_a_little_and_no_other(
    person: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "FIRST_WAIT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.PROVIDER_ENVIRONMENT["anthropic"]["base_url"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        assert by_ref(person)[SONNET].usable
        assert time.monotonic() - begun < 1
    while discovery_is_asking():
        time.sleep(0.01)


def discovery_is_asking() -> bool:
    return any(listing.asking for listing in discovery._listings.values())


@pytest.fixture
def plain_vendor() -> Any:
    """A vendor at its own address that lists one of two known models, and one that nobody knows."""
    discovery.forget()
    overrides.forget()
    with ThreadServer(Simulator(scripted=True, models=["listed", "unheard-of"])) as server:
        for model in ("listed", "unlisted"):
            actions.change_model(
                by=uuid7(),
                ref=f"plain/{model}",
                enabled=None,
                display_name="",
                facts={"context": 1000, "max_output": 100, "api": "messages"},
            )
        overrides.known()
        row = Provider(
            label="Plain",
            adapter="providers.anthropic:AnthropicAdapter",
            base_url=server.base_url,
            auth_kinds=("none",),
        )
        registry.replace_endpoints({"plain": row})
        yield server
    discovery.forget()
    overrides.forget()


def lists(person: User) -> dict[str, offers.Offer]:
    """The offers, once the vendor's list has come: nobody waits for a vendor's own."""
    by_ref(person)
    [choice] = credentials.for_call(person.pk, None, "plain")
    assert discovery.listed(choice) is not None
    return by_ref(person)


@pytest.mark.usefixtures("plain_vendor")
def test_a_model_that_the_vendor_does_not_list_for_the_key_is_marked(person: User, settings: Any) -> None:
    settings.STANDIN_PRICE = (1_000_000, 1_000_000)
    found = lists(person)
    assert found["plain/listed"].usable
    assert not found["plain/unlisted"].usable
    assert "does not list it" in found["plain/unlisted"].reason


@pytest.mark.usefixtures("plain_vendor")
async def test_what_a_vendor_lists_and_nobody_knows_waits_for_an_admin(
    person: User, caller: Caller, settings: Any
) -> None:
    settings.STANDIN_PRICE = (1_000_000, 1_000_000)
    ref = "plain/unheard-of"
    assert ref not in await database(lambda: lists(person))
    with pytest.raises(CallRefused) as refusal:
        await metering.complete(caller, asking(ref), purpose="chat", call_id=uuid7())
    assert refusal.value.code == "not_allowed"


def test_without_a_proposal_the_newest_able_model_at_a_usual_price_is_the_default() -> None:
    def offer(ref: str) -> offers.Offer:
        spec = catalogue.spec(ref)
        assert spec is not None
        return offers.Offer(ref, spec, True)

    refs = [
        "openai/gpt-3.5-turbo",
        "openai/gpt-5.5-pro",
        "openai/gpt-5.5",
        "openai/gpt-6.2-astra",
        "azure/phi-4",
    ]
    proposed = offers.propose([offer(ref) for ref in refs])
    assert proposed is not None
    assert proposed.ref == "openai/gpt-5.5"
