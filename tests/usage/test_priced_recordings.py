"""Every recorded answer of every vendor is charged to the nano-dollar what a separate calculation says.

The product's way: the adapter's reader, the attempt, the tariff of the catalogue, integers. The other way,
below, shares nothing with it: it looks for the vendor's own numbers in the raw JSON, reads the prices from
catalogue.json as text and calculates in Decimal dollars.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

import msgspec
import pytest

from providers import catalogue
from providers.event_reader import EventReader
from providers.openai_chat import ChatReader
from providers.openai_responses import ResponsesReader
from providers.types import StreamEvent
from tests.corpus import ROOT, Recording, needs_corpus, recordings
from usage.calls.attempts import Attempt
from usage.prices.prices import listed
from usage.prices.pricing import cost_nano

PROVIDERS = {
    "anthropic": "anthropic",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "azure": "azure",
    "copilot": "copilot",
}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDPOINTS = ("messages", "chat", "responses")
STREAMS = [one for one in recordings(*PROVIDERS) if one.facts["endpoint"] in ENDPOINTS]
ANSWERS = [one for one in recordings(*PROVIDERS, kind="response") if one.facts["endpoint"] in ENDPOINTS]
ADVICE = "advisor_message"  # a run of another model: its price is not the call's


@dataclass(frozen=True, slots=True)
class Counted:
    """One request as the vendor counts it, in tokens."""

    fresh: int
    read: int
    five_minutes: int
    hour: int
    output: int

    @property
    def prompt(self) -> int:
        return self.fresh + self.read + self.five_minutes + self.hour


@dataclass(frozen=True, slots=True)
class Bill:
    """What the raw numbers say was used."""

    requests: list[Counted]
    searches: int
    guessed: bool
    tier: str
    speed: str
    geo: str


# The other way, first half: the vendor's numbers.


def raw_events(recording: Recording) -> Iterator[dict[str, Any]]:
    text = recording.bytes().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n"):
        if line.startswith("data:"):
            try:
                event = json.loads(line[5:])
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def raw_usage(recording: Recording, events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The latest value of each field of the usage objects in a stream; {} where the last never came."""
    latest: dict[str, Any] = {}
    complete = False
    for event in events:
        found = None
        match recording.api:
            case "messages":
                message = event.get("message") or {}
                found = event.get("usage") or message.get("usage")
                ends = event.get("type") == "message_delta" or message.get("stop_reason")
                complete = complete or (bool(ends) and found is not None)
            case "chat":
                if event.get("error"):
                    break  # nothing after an error is read, nor the counts beside it
                found = event.get("usage") or (event.get("x_groq") or {}).get("usage")
                complete = complete or found is not None
            case _:
                found = (event.get("response") or {}).get("usage")
                if found:
                    tools = event["response"].get("tool_usage") or {}
                    found = {**found, "searches": (tools.get("web_search") or {}).get("num_requests")}
                complete = complete or found is not None
        latest.update({name: value for name, value in (found or {}).items() if value is not None})
    return latest if complete else {}


def bill(api: str, usage: dict[str, Any]) -> Bill:
    if api == "messages":
        searches = (usage.get("server_tool_use") or {}).get("web_search_requests") or 0
        requests = [anthropic_request(usage)]
        runs = usage.get("iterations") or []
        if any(run["type"] == "fallback_message" for run in runs):
            requests += [anthropic_request(run) for run in runs[:-1] if run["output_tokens"]]
        else:
            requests += [anthropic_request(run) for run in runs if run["type"] != "message"]
        return Bill(
            requests,
            searches,
            any(run["type"] == ADVICE for run in runs),
            usage.get("service_tier") or "",
            usage.get("speed") or "",
            usage.get("inference_geo") or "",
        )
    chat = api == "chat"
    prompt, output = ("prompt_tokens", "completion_tokens") if chat else ("input_tokens", "output_tokens")
    of_prompt, of_output = (usage.get(f"{name}_details") or {} for name in (prompt, output))
    read = of_prompt.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    written = of_prompt.get("cache_write_tokens") or 0
    wrote = usage[output]
    thought = of_output.get("reasoning_tokens") or usage.get("reasoning_tokens") or 0
    if usage.get("total_tokens") == usage[prompt] + wrote + thought:
        wrote += thought
    one = Counted(max(0, usage[prompt] - read - written), read, written, 0, wrote)
    # One server counts more as cached than was sent: how much of it was fresh, nobody knows.
    return Bill([one], usage.get("searches") or 0, read + written > usage[prompt], "", "", "")


def anthropic_request(usage: dict[str, Any]) -> Counted:
    split = usage.get("cache_creation") or {}
    hour = split.get("ephemeral_1h_input_tokens") or 0
    short = split.get("ephemeral_5m_input_tokens") or 0
    written = max(usage.get("cache_creation_input_tokens") or 0, hour + short)
    return Counted(
        usage.get("input_tokens") or 0,
        usage.get("cache_read_input_tokens") or 0,
        written - hour,
        hour,
        usage["output_tokens"],
    )


# The other way, second half: dollars.


@cache
def price_page(provider: str) -> dict[str, dict[str, Any]]:
    """The price in force at NOON of each of a provider's models that has one."""
    file = json.loads((ROOT / "providers" / "catalogue.json").read_text("utf-8"))
    page = {}
    for model in file["models"]:
        begun = [price for price in model.get("prices", ()) if price["valid_from"] <= "2026-11-20"]
        if model["provider"] == provider and begun:
            page[model["id"]] = max(begun, key=lambda price: str(price["valid_from"]))
    return page


def nano_dollars(price: dict[str, Any], billed: Bill) -> int:
    tokens = Decimal(0)
    for request in billed.requests:
        rates = price
        tier = price.get("long_context")
        if billed.speed == "fast" and price.get("fast"):
            rates = price["fast"]
        elif tier and request.prompt > tier["threshold"]:
            rates = tier
        dollars = {name: Decimal(rates[name]) / 10**12 for name in rates if isinstance(rates[name], int)}
        tokens += request.fresh * dollars["input"]
        tokens += request.read * dollars["cache_read"]
        tokens += request.five_minutes * dollars["cache_write_5m"]
        tokens += request.hour * dollars["cache_write_1h"]
        tokens += request.output * dollars["output"]
    if billed.tier == "batch":
        tokens *= Decimal(price["batch_percent"]) / 100
    if billed.geo == "us" and price.get("geo_us_percent"):
        tokens *= Decimal(price["geo_us_percent"]) / 100
    searches = billed.searches * Decimal(price.get("web_search_per_1000_nano", 10**10)) / 10**12
    return int(((tokens + searches) * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_UP))


# The product's way.


def events_of(recording: Recording) -> list[StreamEvent]:
    if recording.facts["kind"] == "response":
        answer = recording.response()
        if recording.api == "messages":
            return [{"type": "message_start", "message": answer}, {"type": "message_stop"}]
        whole = ChatReader() if recording.api == "chat" else ResponsesReader()
        return list(whole.whole(msgspec.json.encode(answer)))
    if recording.api == "messages":
        reader: Any = EventReader()
    else:
        reader = ChatReader() if recording.api == "chat" else ResponsesReader()
    return [*reader.feed(recording.bytes()), *reader.close()]


def charged(recording: Recording) -> tuple[dict[str, int], str]:
    """What each model of the recording's provider would be charged, and whether that is an estimate."""
    attempt = Attempt(number=1, asked=True)
    for event in events_of(recording):
        attempt.observe(event)
    usage, source = attempt.charge(prompt_tokens=10, max_tokens=1000, output_rate=50, hour_cache=False)
    costs = {}
    provider = PROVIDERS[recording.provider]
    for model in price_page(provider):
        spec = catalogue.spec(f"{provider}/{model}")
        assert spec is not None
        tariff = listed(spec, NOON)
        if tariff is not None:
            costs[model] = cost_nano(usage, tariff)
    return costs, str(source)


@pytest.mark.parametrize("recording", STREAMS, ids=str)
def test_a_stream_costs_what_its_last_counts_cost(recording: Recording) -> None:
    usage = raw_usage(recording, raw_events(recording))
    costs, source = charged(recording)
    if not usage:
        assert source == "estimated"
        return
    billed = bill(recording.api, usage)
    page = price_page(PROVIDERS[recording.provider])
    assert costs == {model: nano_dollars(page[model], billed) for model in costs}
    assert source == ("estimated" if billed.guessed else "reported")


@pytest.mark.parametrize("recording", ANSWERS, ids=str)
def test_an_answer_costs_what_its_counts_cost(recording: Recording) -> None:
    usage = dict(recording.response().get("usage") or {})
    tools = recording.response().get("tool_usage") or {}
    usage["searches"] = (tools.get("web_search") or {}).get("num_requests")
    billed = bill(recording.api, usage)
    costs, source = charged(recording)
    page = price_page(PROVIDERS[recording.provider])
    assert costs == {model: nano_dollars(page[model], billed) for model in costs}
    assert source == ("estimated" if billed.guessed else "reported")


@needs_corpus
def test_most_recordings_have_counts_of_the_vendors() -> None:
    counted = [one for one in STREAMS if raw_usage(one, raw_events(one))]
    assert len(counted) > 0.8 * len(STREAMS)
    assert {one.provider for one in counted} == set(PROVIDERS)
