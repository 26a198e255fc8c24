from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers import registry, tuning
from providers.access import Access, Secret
from providers.errors import DeadlineExceeded
from providers.types import MessageRequest

from .loopback import Exchange, loopback


def test_timeouts_are_read_by_provider_and_name() -> None:
    assert tuning.timeouts("openai:first=120,idle=90  azure:total=900 openai:connect=2.5") == {
        "openai": {"first": 120.0, "idle": 90.0, "connect": 2.5},
        "azure": {"total": 900.0},
    }
    assert tuning.timeouts("  ") == {}


@pytest.mark.parametrize(
    "text",
    "openai openai: :first=1 openai:later=3 openai:first openai:first=0 openai:first=-1 openai:first=nan "
    "openai:first=inf openai:first=99999999 openai:first=1;idle=2".split(),
)
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        tuning.timeouts(text)


def test_retries_are_read_by_provider() -> None:
    assert tuning.retries("azure:0 openai:5") == {"azure": 0, "openai": 5}
    for wrong in ("azure:6", "azure:-1", "azure:x", "azure"):
        with pytest.raises(ValueError, match="must"):
            tuning.retries(wrong)


@pytest.fixture
def _usual_again() -> Iterator[None]:
    yield
    registry.configure({})


@pytest.mark.usefixtures("_usual_again")
async def test_the_adapter_of_a_provider_waits_as_long_as_was_said() -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.until_left()

    registry.configure({"anthropic": {"first": 0.05}})
    async with loopback(silent) as server:
        access = Access(server.url, Secret("sk-test"), "api_key")
        request = MessageRequest(model="m", messages=[{"role": "user", "content": "Hi"}], max_tokens=9)
        with pytest.raises(DeadlineExceeded):
            async for _event in registry.adapter("anthropic").stream(request, access):
                pass


@pytest.mark.usefixtures("_usual_again")
def test_a_provider_of_which_nothing_was_said_keeps_its_adapter() -> None:
    usual = registry.adapter("anthropic")
    registry.configure({"openai": {"first": 9.0}})
    assert registry.adapter("anthropic") is usual
    registry.configure({"anthropic": {"first": 9.0}})
    assert registry.adapter("anthropic") is not usual
    registry.configure({})
    assert registry.adapter("anthropic") is usual
