"""What a call costs: one dated tariff, one usage, integer arithmetic, rounded half up once.

Unit prices are pico-dollars per token, so that tokens × price is exact; costs are nano-dollars.

Anthropic's pricing page and its Messages API reference are the source of these rules:
- `input_tokens` is the uncached remainder; the prompt is input + cache reads + cache writes.
- Above the long-context threshold (strictly) the whole request is priced at the second rates, output too.
- Cache writes for an hour have a price of their own; a write without a known lifetime counts as five minutes
  (see usage.calls.attempts for streams).
- Requests that the vendor made within the call (usage.calls.iterations) are priced each by its own size.
- Web searches are paid per use, outside the token modifiers (batch, geography). Fetches are paid by their
  tokens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self
from uuid import UUID

from providers.types import Usage

PICO_PER_NANO = 1000
PERCENT = 100
# The counts of tokens that are priced.
TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_5m",
    "cache_creation_1h",
)
# Nano-dollars for a thousand searches where no price is listed: Anthropic's price, so that none is ever free.
UNLISTED_SEARCHES = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars per token of each kind."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    def dearest_input(self, *, cached: bool, for_an_hour: bool) -> int:
        """The most that one token of a prompt can cost, given what the request asks the vendor to cache."""
        prices = [self.input]
        if cached:
            prices += [self.cache_read, self.cache_write_5m]
        if for_an_hour:
            prices.append(self.cache_write_1h)
        return max(prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The price of one model at one moment, with what the request chose that the usage may not repeat.

    It is stored with the hold, so that a price change in mid-stream changes nothing. A modifier that is None
    is not offered by the vendor. `source` says where the numbers come from, `price_id` names the admin's row,
    if it was one.
    """

    rates: Rates
    long_context_above: int | None = None
    long_context: Rates | None = None
    fast: Rates | None = None
    web_search_per_1000_nano: int | None = None
    batch_percent: int | None = None
    geo_us_percent: int | None = None
    source: str
    price_id: UUID | None = None
    asked_hour_cache: bool = False
    asked_speed: str = ""
    asked_geo: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"price_id": str(self.price_id) if self.price_id else None}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        tiers = {name: Rates(**stored[name]) if stored[name] else None for name in ("long_context", "fast")}
        price_id = UUID(stored["price_id"]) if stored["price_id"] else None
        return cls(**stored | tiers | {"rates": Rates(**stored["rates"]), "price_id": price_id})

    def asking(self, *, hour_cache: bool, speed: str, geo: str) -> Self:
        """This tariff with what a request chose."""
        return replace(self, asked_hour_cache=hour_cache, asked_speed=speed, asked_geo=geo)

    @property
    def searches_nano(self) -> int:
        """Nano-dollars for a thousand web searches."""
        listed = self.web_search_per_1000_nano
        return UNLISTED_SEARCHES if listed is None else listed

    def percent(self, usage: Usage) -> tuple[int, int]:
        """What multiplies the token rates: for batches, and for the place where the vendor computed."""
        batch = self.batch_percent if usage.service_tier == "batch" else None
        geo = self.geo_us_percent if (usage.inference_geo or self.asked_geo) == "us" else None
        return batch or PERCENT, geo or PERCENT

    def rates_for(self, *, prompt_tokens: int, speed: str) -> Rates:
        """The rates of a request of this size (whole prompt, tokens) and speed."""
        if speed == "fast" and self.fast:
            return self.fast
        if (
            self.long_context
            and self.long_context_above is not None
            and prompt_tokens > self.long_context_above
        ):
            return self.long_context
        return self.rates


def cost_nano(usage: Usage, tariff: Tariff) -> int:
    """The cost of this usage in nano-dollars: an exact sum, rounded half up once."""
    speed = usage.speed or tariff.asked_speed
    pico = sum(_pico(request, tariff, speed) for request in (_without_steps(usage), *usage.steps))
    batch, geo = tariff.percent(usage)
    # One common denominator: percent × percent × pico per nano for tokens, a thousand searches for searches.
    parts = PERCENT * PERCENT * PICO_PER_NANO
    tokens = pico * batch * geo
    searches = usage.web_search_requests * tariff.searches_nano * (parts // 1000)
    return _divided_half_up(tokens + searches, parts)


def _pico(usage: Usage, tariff: Tariff, speed: str) -> int:
    """One request's tokens in pico-dollars, before the factors."""
    hour = usage.cache_creation_1h
    five_minutes = max(usage.cache_creation_5m, usage.cache_creation_input_tokens - hour)
    prompt = usage.input_tokens + usage.cache_read_input_tokens + five_minutes + hour
    rates = tariff.rates_for(prompt_tokens=prompt, speed=speed)
    return (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_read_input_tokens * rates.cache_read
        + five_minutes * rates.cache_write_5m
        + hour * rates.cache_write_1h
    )


def _without_steps(usage: Usage) -> Usage:
    if not usage.steps:
        return usage
    sums = {name: sum(getattr(step, name) for step in usage.steps) for name in TOKENS}
    return replace(usage, steps=(), **{name: getattr(usage, name) - sums[name] for name in TOKENS})


def upper_bound_nano(
    tariff: Tariff,
    *,
    prompt_tokens: int,
    max_tokens: int,
    cached: bool,
    searches: int,
    context: int,
) -> int:
    """The most that a call can cost in nano-dollars, from bounds on its parts.

    `prompt_tokens` bounds the prompt as sent; `cached`: the request asks for caching; each of at most
    `searches` server-tool uses may cost its price and one more context (tokens) of input.
    """
    whole = prompt_tokens + searches * context
    rates = tariff.rates_for(prompt_tokens=whole, speed=tariff.asked_speed)
    dearest = rates.dearest_input(cached=cached, for_an_hour=tariff.asked_hour_cache)
    _, geo = tariff.percent(Usage())
    tokens = (whole * dearest + max_tokens * rates.output) * geo
    searched = searches * tariff.searches_nano * PERCENT * PICO_PER_NANO // 1000
    return _divided_up(tokens + searched, PERCENT * PICO_PER_NANO)


def _divided_half_up(amount: int, by: int) -> int:
    return (2 * amount + by) // (2 * by)


def _divided_up(amount: int, by: int) -> int:
    return -(-amount // by)
