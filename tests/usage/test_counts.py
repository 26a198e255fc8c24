from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from providers.errors import ProviderError
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage import metering
from usage.calls import counts
from usage.calls.counts import ExactCache
from usage.errors import CallRefused
from usage.metering import Caller
from usage.models import Hold

from .conftest import DEMO, asking, clock, database, lines

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    counts.cache.clear()


def asked(vendor: ThreadServer) -> int:
    return sum(seen["path"].endswith("count_tokens") for seen in vendor.app.counters.recent)


async def test_the_vendor_counts_for_nothing_and_once(caller: Caller, vendor: ThreadServer) -> None:
    request = asking(text="word " * 100)
    first = await metering.count(caller, request)
    assert first is not None
    assert first > 100
    assert await metering.count(caller, request) == first
    assert asked(vendor) == 1
    longer = await metering.count(caller, asking(text="word " * 200))
    assert longer is not None
    assert longer > first
    assert asked(vendor) == 2
    assert not await database(Hold.objects.exists)
    assert await database(lines) == []


async def test_what_a_vendor_does_not_count_is_none(caller: Caller, vendor: ThreadServer) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    request = asking()
    assert await metering.count(caller, request) is not None
    with_tool = type(request)(**{**_fields(request), "tools": [search]})
    assert await metering.count(caller, with_tool) is None


def _fields(request: Any) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__dataclass_fields__}


async def test_a_count_is_made_by_whoever_may_call(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    await database(lambda: User.objects.filter(pk=person.pk).update(is_active=False))
    with pytest.raises(CallRefused):
        await metering.count(caller, asking())
    assert asked(vendor) == 0


async def test_a_broken_circuit_is_not_asked_for_counts(
    caller: Caller, vendor: ThreadServer, settings: Any
) -> None:
    time = clock()
    settings.PROVIDER_ENVIRONMENT["anthropic"]["base_url"] = "http://127.0.0.1:9"
    kinds = []
    for number in range(7):
        with pytest.raises(ProviderError) as failure:
            await metering.count(caller, asking(text=str(number)))
        kinds.append(failure.value.kind)
    assert kinds == ["connection_error"] * 5 + ["circuit_open"] * 2
    time.now += 300
    with pytest.raises(ProviderError) as failure:
        await metering.count(caller, asking(text="probe"))
    assert failure.value.kind == "connection_error"


async def test_the_demo_counts_too(caller: Caller, settings: Any) -> None:
    with ThreadServer(Simulator(demo_rate=0)) as demo:
        settings.DEMO_BASE_URL = demo.base_url
        assert await metering.count(caller, asking(DEMO)) is not None


def test_the_cache_forgets_in_time_and_has_an_end() -> None:
    now = [0.0]
    cache = ExactCache(seconds=600, most=3, clock=lambda: now[0])
    for number in range(4):
        cache.put(b"%d" % number, number)
    assert [cache.get(b"%d" % number) for number in range(4)] == [None, (1,), (2,), (3,)]
    now[0] = 599.9
    assert cache.get(b"3") == (3,)
    cache.put(b"none", None)
    assert cache.get(b"none") == (None,)
    now[0] = 600.0
    assert cache.get(b"3") is None
