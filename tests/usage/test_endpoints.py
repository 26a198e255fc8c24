"""Endpoints: asked before they are kept, guarded, providers like others from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.ids import uuid7
from accounts.models import Credential, User
from providers import addresses, registry
from providers.outbound import NOT_REACHED
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage import metering
from usage.caller import Caller
from usage.catalogue import chains, discovery, overrides
from usage.models import Endpoint, Revision
from usage.offers import offers

from .conftest import asking
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in

NEW = "/manage/models/endpoints/new/"
HOUSE = "/manage/models/endpoints/house/"
CANARY = "house-canary-key-4471"


@pytest.fixture
def server(nothing_changed: None, settings: Any) -> Iterator[ThreadServer]:
    """A model server inside the network, which the operator allows."""
    settings.STANDIN_PRICE = (1_000_000, 2_000_000)
    with ThreadServer(Simulator(scripted=True, models=["llama-house"])) as running:
        addresses.allow(addresses.private_hosts([running.base_url.removeprefix("http://")]))
        yield running


def values(server: ThreadServer | None = None, **more: Any) -> dict[str, Any]:
    return {
        "label": "The house",
        "slug": "house",
        "wire": "anthropic",
        "base_url": server.base_url if server else "https://models.example.com/v1",
        "needs_key": "on",
        "secret": CANARY,
        "enabled": "on",
        **more,
    }


def test_an_endpoint_that_lists_its_models_is_kept_with_its_key_sealed(
    owner: User, member: User, server: ThreadServer
) -> None:
    client = signed_in(owner)
    response = client.post(NEW, values(server))
    assert response.status_code == 302, response.content.decode()[-1500:]
    stored = Credential.objects.get()
    assert (stored.provider, stored.base_url, stored.scope, stored.hint) == (
        "house",
        server.base_url,
        "organisation",
        "4471",
    )
    row = registry.provider("house")
    assert row is not None
    assert (row.label, row.guarded) == ("The house", True)
    offer = offers.find(member, "house/llama-house")
    assert offer is not None
    assert offer.usable
    assert offer.provider == "The house"
    assert "llama-house" in page(client, "/manage/models/?provider=house")
    assert CANARY not in page(client, HOUSE)


def test_a_call_goes_through_the_one_door(owner: User, member: User, server: ThreadServer) -> None:
    signed_in(owner).post(NEW, values(server))

    async def ask() -> metering.Settlement:
        caller = Caller(user_id=member.pk)
        request = asking("house/llama-house")
        async with metering.call(caller, request, purpose="chat", call_id=uuid7()) as call:
            async for _event in call:
                pass
        assert call.settlement is not None
        return call.settlement

    settled = asyncio.run(ask())
    used = settled.usage
    assert settled.cost_nano == 1_000 * used.input_tokens + 2_000 * used.output_tokens > 0


def test_an_endpoint_without_a_key_is_a_provider_too(
    owner: User, member: User, server: ThreadServer, settings: Any
) -> None:
    settings.DEMO = False
    response = signed_in(owner).post(NEW, values(server, needs_key="", secret=""))
    assert response.status_code == 302
    assert Credential.objects.count() == 0
    offer = offers.find(member, "house/llama-house")
    assert offer is not None
    assert offer.usable


INSIDE = [
    "https://127.0.0.1/v1",
    "https://localhost/v1",
    "http://models.example.com/v1",
    "https://10.1.2.3:8000",
    "https://169.254.169.254/latest",
    "https://[::1]/v1",
    "https://[::ffff:10.0.0.1]/v1",
    "https://2130706433/v1",
    "https://models.internal.example/v1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_the_network_are_refused_in_one_sentence(owner: User, address: str) -> None:
    response = signed_in(owner).post(NEW, values(base_url=address))
    assert response.status_code == 422
    text = response.content.decode()
    assert NOT_REACHED in text
    assert f'value="{address}"' in text  # what was typed stays
    assert CANARY not in text  # but for the secret
    assert Endpoint.objects.count() == Credential.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base_url": "ftp://models.example.com"}, "begins with https"),
        ({"base_url": "https://me:secret@models.example.com"}, "without user"),
        ({"base_url": "https://models.example.com/?key=1"}, "without user"),
        ({"base_url": "https://"}, "begins with https"),
        ({"base_url": "${HOME}"}, "begins with https"),
        ({"slug": "openai"}, "name of a vendor"),
        ({"slug": "a/b"}, "small letters"),
        ({"slug": "Up"}, "small letters"),
        ({"secret": ""}, "Enter the key"),
        ({"secret": "with space"}, "characters that no key has"),
        ({"wire": "carrier-pigeon"}, "Select a valid choice"),
        ({"label": ""}, "required"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(owner: User, change: dict[str, str], says: str) -> None:
    response = signed_in(owner).post(NEW, values(**change))
    assert response.status_code == 422
    assert says in response.content.decode()
    assert Endpoint.objects.count() == 0


def test_a_key_that_the_endpoint_refuses_is_not_kept(owner: User, server: ThreadServer) -> None:
    with ThreadServer(Simulator(scripted=True, keys={"the-only-one": "org"})) as strict:
        addresses.allow(addresses.private_hosts([strict.base_url.removeprefix("http://")]))
        response = signed_in(owner).post(NEW, values(strict))
    assert response.status_code == 422
    assert "does not accept this key" in response.content.decode()
    assert Endpoint.objects.count() == 0


def test_an_endpoint_is_changed_and_its_key_never_follows_to_another_address(
    owner: User, member: User, server: ThreadServer
) -> None:
    client = signed_in(owner)
    client.post(NEW, values(server))
    assert client.post(HOUSE, values(server, label="Our house", secret="")).status_code == 302
    assert Endpoint.objects.get().label == "Our house"
    with ThreadServer(Simulator(scripted=True)) as other:
        hosts = [running.base_url.removeprefix("http://") for running in (server, other)]
        addresses.allow(addresses.private_hosts(hosts))
        refused = client.post(HOUSE, values(other, secret=""))
        assert refused.status_code == 422
        assert "Enter the key" in refused.content.decode()
        assert [seen for seen in other.app.counters.recent if seen["path"] == "/v1/models"] == []
        assert client.post(HOUSE, values(other, secret="another-key")).status_code == 302
    assert Endpoint.objects.get().base_url == other.base_url
    assert Credential.objects.exclude(state="revoked").get().base_url == other.base_url


def test_an_endpoint_that_is_off_offers_nothing(owner: User, member: User, server: ThreadServer) -> None:
    client = signed_in(owner)
    client.post(NEW, values(server))
    client.post(HOUSE, values(server, enabled="", secret=""))
    assert registry.provider("house") is None
    assert offers.find(member, "house/llama-house") is None
    assert "is switched off" in page(client, "/manage/models/")


def test_a_removed_endpoint_is_gone_and_its_key_is_revoked(owner: User, server: ThreadServer) -> None:
    client = signed_in(owner)
    client.post(NEW, values(server))
    assert "keys are revoked" in page(client, HOUSE + "remove/")
    assert Endpoint.objects.count() == 1
    assert client.post(HOUSE + "remove/").status_code == 302
    assert Endpoint.objects.count() == 0
    assert registry.provider("house") is None
    credential = Credential.objects.get()
    assert credential.state == "revoked"
    assert credential.secret is None
    page(client, HOUSE, 404)


def test_another_process_knows_within_two_seconds(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(overrides, "clock", lambda: now[0])
    overrides.forget()
    assert overrides.known().wires == {}
    # As another process writes: nothing is told to this one.
    Endpoint.objects.create(slug="far", label="Far", wire="openai-chat", base_url="https://far.example.com")
    Revision.objects.create(number=1)
    now[0] += 1.9
    overrides.known()
    assert registry.provider("far") is None
    now[0] += 0.2
    overrides.known()
    assert registry.provider("far") is not None


async def test_on_an_event_loop_nothing_waits_for_the_database(nothing_changed: None) -> None:
    await overrides.fresh()
    assert chains.of("anthropic/claude-sonnet-5-5") == []
    discovery.forget()
