"""Reads prices from a file of this installation's own, or in the JSON form of models.dev.

Our own form (docs/money.md, "Importing prices"): {"prices": [{"model": "provider/model", "from": day or
moment, "until", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "long_context":
{"above", …rates}, "fast": {…rates}, "web_search_per_1000", "batch_percent", "geo_us_percent"}]}. Dollars per
million tokens, as numbers or texts; moments are UTC. What is left out of the cache's rates costs as much as
is usual at the dearest: reads as input, writes twice the input.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from providers import models_dev, registry
from providers.models_dev import LARGEST_FILE, MOST_DOLLARS, MOST_TOKENS, PICO, BadForm
from usage.catalogue import overrides
from usage.prices.prices import of_catalogue
from usage.prices.pricing import Rates, Tariff

NANO = 1_000_000_000
RATES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
PERCENTS = ("batch_percent", "geo_us_percent")
FIELDS = {
    *RATES,
    *PERCENTS,
    "model",
    "from",
    "until",
    "long_context",
    "fast",
    "web_search_per_1000",
}
MOST_PERCENT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One price that a file names, for one model from a moment on."""

    provider: str
    model: str
    valid_from: datetime
    valid_until: datetime | None
    tariff: Tariff

    @property
    def ref(self) -> str:
        return f"{self.provider}/{self.model}"


def read(text: bytes, *, source: str, at: datetime) -> list[Listed]:
    """The prices of a file in either form. Raises BadForm, naming the place.

    A file in the form of models.dev names no moment: its prices are valid from `at` on; of it only the models
    count that are known here and whose price it says.
    """
    if len(text) > LARGEST_FILE:
        raise BadForm("the file is too large")
    try:
        file = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadForm(f"this is no JSON: {str(error)[:200]}") from None
    if not isinstance(file, dict):
        raise BadForm("the file is no object")
    if not isinstance(file.get("prices"), list):
        return list(_of_models_dev(text, source=source, at=at))
    found = [_price(one, f"prices[{number}]", source) for number, one in enumerate(file["prices"])]
    seen = {(one.ref, one.valid_from) for one in found}
    if len(seen) != len(found):
        raise BadForm("the file names two prices of one model from the same moment")
    return found


def _of_models_dev(text: bytes, *, source: str, at: datetime) -> Iterator[Listed]:
    day = at.astimezone(UTC).date()
    for provider, models in models_dev.read(text, only=list(registry.providers())).items():
        for model, entry in models.items():
            known = overrides.spec(f"{provider}/{model}")
            if known is None or known.id != model:
                continue
            price = models_dev.merged(provider, model, entry, known, day=day, source=source).price_on(day)
            if price is not None and entry.cost is not None and entry.cost.input and entry.cost.output:
                yield Listed(
                    provider=provider,
                    model=model,
                    valid_from=at,
                    valid_until=None,
                    tariff=of_catalogue(price, source=source),
                )


def _price(raw: object, place: str, source: str) -> Listed:
    one = _object(raw, place)
    if unknown := sorted(set(one) - FIELDS):
        raise BadForm(f"{place} has unknown fields: {', '.join(unknown)[:200]}")
    provider, model = _model(one.get("model"), f"{place}.model")
    valid_from = _moment(one.get("from"), f"{place}.from")
    until = one.get("until")
    valid_until = None if until is None else _moment(until, f"{place}.until")
    if valid_until is not None and valid_until <= valid_from:
        raise BadForm(f"{place} ends before it begins")
    rates = {name: one[name] for name in RATES if name in one}
    tier = one.get("long_context")
    above = None
    if tier is not None:
        tier = dict(_object(tier, f"{place}.long_context"))
        above = _whole(tier.pop("above", None), MOST_TOKENS, f"{place}.long_context.above")
    searches = one.get("web_search_per_1000")
    tariff = Tariff(
        rates=_rates(rates, place),
        long_context_above=above,
        long_context=None if tier is None else _rates(tier, f"{place}.long_context"),
        fast=None if one.get("fast") is None else _rates(one["fast"], f"{place}.fast"),
        web_search_per_1000_nano=(
            None if searches is None else _dollars(searches, NANO, f"{place}.web_search_per_1000")
        ),
        batch_percent=_percent(one, "batch_percent", place),
        geo_us_percent=_percent(one, "geo_us_percent", place),
        source=source,
    )
    return Listed(
        provider=provider, model=model, valid_from=valid_from, valid_until=valid_until, tariff=tariff
    )


def _model(value: object, place: str) -> tuple[str, str]:
    """The provider and the id under which calls look for their price: never an alias."""
    if not isinstance(value, str) or "/" not in value or len(value) > 200 or not value.isprintable():
        raise BadForm(f"{place} is no provider/model")
    provider, _, model = overrides.known().canonical(value).partition("/")
    if registry.provider(provider) is None or not model:
        raise BadForm(f"{place}: there is no provider {provider!r}")
    return provider, model


def _rates(raw: object, place: str) -> Rates:
    said = _object(raw, place)
    if unknown := sorted(set(said) - set(RATES)):
        raise BadForm(f"{place} has unknown rates: {', '.join(unknown)[:200]}")
    for name in ("input", "output"):
        if name not in said:
            raise BadForm(f"{place}.{name} is missing")
    asked = _dollars(said["input"], PICO, f"{place}.input")
    usual = {"cache_read": asked, "cache_write_5m": 2 * asked, "cache_write_1h": 2 * asked}
    return Rates(**usual | {name: _dollars(said[name], PICO, f"{place}.{name}") for name in said})


def _dollars(value: object, unit: int, place: str) -> int:
    """Dollars as a whole number of `unit` parts of a dollar; nothing is rounded."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise BadForm(f"{place} is no price")
    try:
        dollars = Decimal(value)
        if not 0 <= dollars <= MOST_DOLLARS:  # NaN raises
            raise BadForm(f"{place} is no price: {str(value)[:40]}")
    except InvalidOperation:
        raise BadForm(f"{place} is no price: {str(value)[:40]!r}") from None
    if dollars * unit != int(dollars * unit):
        raise BadForm(f"{place} is finer than can be stored: {str(value)[:40]}")
    return int(dollars * unit)


def _percent(one: Mapping[str, Any], name: str, place: str) -> int | None:
    return None if one.get(name) is None else _whole(one[name], MOST_PERCENT, f"{place}.{name}")


def _whole(value: object, most: int, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise BadForm(f"{place} is no whole number from 1 to {most:,}")
    return value


def _moment(value: object, place: str) -> datetime:
    try:
        if not isinstance(value, str):
            raise ValueError
        if len(value) == len("2026-12-01"):
            return datetime.combine(date.fromisoformat(value), time(), UTC)
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise BadForm(f"{place} is no day or moment, such as 2026-12-01 or 2026-12-01T08:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _object(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadForm(f"{place} is no object")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
