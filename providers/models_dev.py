"""Reads model facts in the JSON form of models.dev.

The form (models.dev, README, "Schema"): provider id -> {"models": {model id -> {"name", "limit" {"context",
"input", "output"}, "cost" {"input", "output", "cache_read", "cache_write", "context_over_200k", "tiers"} in
dollars per million tokens, "modalities", "reasoning", "tool_call", "structured_output", "temperature",
"release_date", "knowledge", "status"}}}. It says nothing of efforts, kinds of thinking or forced tools:
where our catalogue knows the model, these stay as they are.

A price of zero is taken for an unknown one. Models that do not answer in text are passed over.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from providers.catalogue import Capability, LongContext, ModelSpec, Price, Rates, Thinking
from providers.model_changes import price_changes

LARGEST_FILE = 64 * 1024 * 1024  # bytes
MOST_TOKENS = 100_000_000
MOST_DOLLARS = Decimal(100_000)  # per million tokens
SLUGS = {"github-copilot": "copilot"}  # where our slug is another
OVER_200K = 200_000
PICO = 1_000_000  # pico-dollars per token, for a dollar per million tokens

_ID = re.compile(r"[!-~]{1,200}")
_DAY = re.compile(r"\d{4}-\d{2}(-\d{2})?")


class BadForm(Exception):
    """The file is not in the form; the text names the place and the reason."""


class _Limit(msgspec.Struct):
    context: int
    output: int
    input: int | None = None


class _TierSize(msgspec.Struct):
    type: str = ""
    size: int | None = None


class _Rates(msgspec.Struct):
    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None


class _Tier(_Rates):
    tier: _TierSize | None = None


class _Cost(_Rates):
    context_over_200k: _Rates | None = None
    tiers: list[_Tier] | None = None


class _Modalities(msgspec.Struct):
    input: list[str] = []
    output: list[str] = []


class Entry(msgspec.Struct, kw_only=True):
    """One model of the file. What is None, the file does not say."""

    name: str
    limit: _Limit
    cost: _Cost | None = None
    modalities: _Modalities | None = None
    reasoning: bool | None = None
    tool_call: bool | None = None
    structured_output: bool | None = None
    temperature: bool | None = None
    release_date: str | None = None
    knowledge: str | None = None
    status: str | None = None


def read(text: bytes, *, only: Iterable[str] | None = None) -> dict[str, dict[str, Entry]]:
    """The entries by our provider slug and model id; `only` these slugs. Raises BadForm."""
    if len(text) > LARGEST_FILE:
        raise BadForm("the file is too large")
    try:
        file = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadForm(f"this is no JSON: {str(error)[:200]}") from None
    wanted = None if only is None else set(only)
    found: dict[str, dict[str, Entry]] = {}
    for name, provider in _mapping(file, "the file").items():
        slug = SLUGS.get(name, name)
        if wanted is not None and slug not in wanted:
            continue
        place = f"{name}.models"
        models = _mapping(_mapping(provider, name).get("models"), place)
        entries = {
            model: entry
            for model, raw in models.items()
            if (entry := _entry(raw, model, f"{place}.{model}")) is not None
        }
        if entries:
            found[slug] = entries
    return found


def merged(
    provider: str, model: str, entry: Entry, known: ModelSpec | None, *, day: date, source: str
) -> ModelSpec:
    """The model as it is with the entry's facts, its price valid from `day` on where it is another."""
    base = known or _unknown(provider, model, entry)
    context = entry.limit.context
    most_input = entry.limit.input if entry.limit.input is not None else base.max_input
    return msgspec.structs.replace(
        base,
        context=context,
        max_input=most_input if most_input is not None and most_input <= context else None,
        max_output=min(entry.limit.output, context),
        status="deprecated" if entry.status == "deprecated" else base.status,
        knowledge=(entry.knowledge or base.knowledge)[:7],
        released_on=_day(entry.release_date) or base.released_on,
        capabilities=_capabilities(entry, base),
        sampling=base.sampling if entry.temperature is None else entry.temperature,
        prices=_prices(entry, base, day, source),
    )


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _mapping(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadForm(f"{place} is no object")
    return value


def _entry(raw: object, model: str, place: str) -> Entry | None:
    if not _ID.fullmatch(model):
        raise BadForm(f"{place[:200]!r} is no id of a model")
    try:
        entry = msgspec.convert(raw, Entry, strict=True)
    except msgspec.ValidationError as error:
        raise BadForm(f"{place}: {error}") from None
    if entry.modalities is not None and "text" not in entry.modalities.output:
        return None
    limit = entry.limit
    for name in ("context", "output"):
        if not 0 < getattr(limit, name) <= MOST_TOKENS:
            raise BadForm(f"{place}.limit.{name} is no number of tokens: {getattr(limit, name)}")
    if limit.input is not None and not 0 < limit.input <= MOST_TOKENS:
        raise BadForm(f"{place}.limit.input is no number of tokens: {limit.input}")
    name = entry.name.strip()
    if not name or not name.isprintable() or len(name) > 200:
        raise BadForm(f"{place}.name is no name")
    for field in ("release_date", "knowledge"):
        value = getattr(entry, field)
        if value and not _DAY.fullmatch(value[:10]):
            raise BadForm(f"{place}.{field} is no day: {value[:40]!r}")
    if entry.cost is not None:
        _check(entry.cost, f"{place}.cost")
        _check(entry.cost.context_over_200k, f"{place}.cost.context_over_200k")
        for number, tier in enumerate(entry.cost.tiers or ()):
            _check(tier, f"{place}.cost.tiers[{number}]")
    return entry


def _check(rates: _Rates | None, place: str) -> None:
    for field in ("input", "output", "cache_read", "cache_write"):
        value = getattr(rates, field, None)
        if value is None:
            continue
        if not 0 <= value <= MOST_DOLLARS:
            raise BadForm(f"{place}.{field} is no price: {value}")
        if value * PICO != int(value * PICO):
            raise BadForm(f"{place}.{field} is finer than a millionth of a dollar: {value}")


def _unknown(provider: str, model: str, entry: Entry) -> ModelSpec:
    """A model that the catalogue does not know. New models that think take `adaptive`."""
    name = entry.name.strip()[:80]
    thinks = bool(entry.reasoning)
    return ModelSpec(
        provider=provider,
        id=model,
        api="messages"
        if provider == "anthropic"
        else ("responses" if provider == "openai" and thinks else "chat"),
        name=name,
        display_name=name,
        description="Imported; not in the catalogue of this version",
        context=entry.limit.context,
        max_output=min(entry.limit.output, entry.limit.context),
        status="active",
        capabilities=frozenset({"stop_sequences"}),
        thinking=Thinking(kinds=("adaptive",), default_on=True) if thinks else Thinking(),
    )


def _capabilities(entry: Entry, base: ModelSpec) -> frozenset[Capability]:
    reads = entry.modalities.input if entry.modalities is not None else None
    said: dict[Capability, bool | None] = {
        "tools": entry.tool_call,
        "structured_output": entry.structured_output,
        "vision": None if reads is None else "image" in reads,
        "pdf": None if reads is None else "pdf" in reads,
    }
    able = {flag for flag, value in said.items() if value}
    unable = {flag for flag, value in said.items() if value is False}
    return (base.capabilities | able) - unable


def _prices(entry: Entry, base: ModelSpec, day: date, source: str) -> tuple[Price, ...]:
    """The model's prices with a further one from `day` on if it differs from the one in force."""
    cost = entry.cost
    if cost is None or not cost.input or not cost.output:
        return base.prices
    old = base.price_on(day)
    rates = _rates(cost, old)
    price = Price(
        valid_from=day,
        **msgspec.structs.asdict(rates),
        long_context=_tier(cost, old),
        fast=old.fast if old is not None else None,
        web_search_per_1000_nano=old.web_search_per_1000_nano if old is not None else None,
        batch_percent=old.batch_percent if old is not None else None,
        geo_us_percent=old.geo_us_percent if old is not None else None,
        source=source,
    )
    if old is not None and not price_changes(old, price):
        return base.prices
    return (*(price for price in base.prices if price.valid_from < day), price)


def _tier(cost: _Cost, old: Price | None) -> LongContext | None:
    """The lowest tier whose size the file says; the one that is known where it names none.

    The field of older files, context_over_200k, says no size whatever its name: the tiers of most models
    begin elsewhere. It counts from the size that is known of the model, else from the one in its name, the
    lowest that is usual.
    """
    known = old.long_context if old is not None else None
    named: list[tuple[int, _Rates]] = [
        (tier.tier.size, tier)
        for tier in cost.tiers or ()
        if tier.tier is not None and tier.tier.type == "context" and tier.tier.size
    ]
    if cost.context_over_200k is not None and not named:
        named.append((known.threshold if known is not None else OVER_200K, cost.context_over_200k))
    for threshold, rates in sorted(named, key=lambda one: one[0]):
        if rates.input and rates.output:
            return LongContext(threshold=threshold, **msgspec.structs.asdict(_rates(rates, known)))
    return known


def _rates(said: _Rates, old: Rates | None) -> Rates:
    """What the file leaves out costs what it did, or as much as the dearest that is usual."""
    asked, answered = (int((value or 0) * PICO) for value in (said.input, said.output))
    same = old is not None and old.input == asked
    read = int(said.cache_read * PICO) if said.cache_read else (old.cache_read if same and old else asked)
    if said.cache_write:
        write = int(said.cache_write * PICO)
    else:
        write = old.cache_write_5m if same and old else asked
    if same and old is not None and old.cache_write_5m == write:
        hour = old.cache_write_1h
    else:
        hour = max(write, 2 * asked if said.cache_write else asked)
    return Rates(
        input=asked, output=answered, cache_read=min(read, asked), cache_write_5m=write, cache_write_1h=hour
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text and len(text) >= 10 else None
    except ValueError:
        return None
