"""Which price a call is held and settled at: an admin's, the catalogue's, or the dear stand-in."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings

from providers import catalogue
from providers.catalogue import ModelSpec
from providers.types import MessageRequest
from usage import rows
from usage.catalogue import overrides
from usage.errors import CallRefused
from usage.estimates import Size
from usage.models import Price
from usage.prices.pricing import UNLISTED_SEARCHES, Rates, Tariff

# Where the vendor computes: without a word of its own, or anywhere, at the plain price.
PLAIN_GEOS = ("", "global", "not_available")


def tariff(spec: ModelSpec, request: MessageRequest, size: Size, at: datetime) -> Tariff:
    """The price of this model at this moment, with what the request asks for that changes it.

    Raises CallRefused ("unknown_price") when a part of it is not known: no call is made at a guess.
    """
    found = override(spec.provider, spec.id, at) or listed(spec, at) or standin()
    if found is None:
        raise CallRefused(
            "unknown_price",
            f"The price of {spec.name} is not known, so it is not used. An admin can add a price, or set "
            "PARLEY_STANDIN_PRICE for models without one.",
        )
    speed, geo = str(request.extra.get("speed") or ""), str(request.extra.get("inference_geo") or "")
    _must_be_priced(spec, found, speed=speed, geo=geo, searches=size.searches)
    return found.asking(hour_cache=size.hour_cache, speed=speed, geo=geo)


def override(provider: str, model: str, at: datetime) -> Tariff | None:
    """The newest price row of an admin or an import that is in force."""
    moment = rows.prepared(Price, "valid_from", at)
    found = rows.one(
        f"SELECT id FROM {rows.quoted(Price._meta.db_table)} "  # noqa: S608
        "WHERE provider = %s AND model = %s AND valid_from <= %s "
        "AND (valid_until IS NULL OR valid_until > %s) ORDER BY valid_from DESC LIMIT 1",
        provider,
        model,
        moment,
        moment,
    )
    if found is None:
        return None
    return of_row(Price.objects.get(pk=found))


def of_row(row: Price) -> Tariff:
    """What a price row says, as a tariff."""
    return Tariff(
        rates=Rates(row.input, row.output, row.cache_read, row.cache_write_5m, row.cache_write_1h),
        long_context_above=row.long_context_above,
        long_context=Rates(**row.long_context) if row.long_context else None,
        fast=Rates(**row.fast) if row.fast else None,
        web_search_per_1000_nano=row.web_search_per_1000_nano,
        batch_percent=row.batch_percent,
        geo_us_percent=row.geo_us_percent,
        source=row.source,
        price_id=row.pk,
    )


def price_of(spec: ModelSpec, at: datetime) -> Tariff | None:
    """What a call of this model is priced at, at a moment; None where only a stand-in would be. No query for
    prices that have not ended.
    """
    row = overridden(at).get(spec.ref)
    return of_row(row) if row is not None else listed(spec, at)


def overridden(at: datetime) -> dict[str, Price]:
    """The price row in force of each model that has one, by ref; no query, for pages that show prices."""
    return {
        f"{row.provider}/{row.model}": row
        for row in overrides.known().prices
        if row.valid_from <= at and (row.valid_until is None or row.valid_until > at)
    }


def listed(spec: ModelSpec, at: datetime) -> Tariff | None:
    """The model's own price of that day. Zero only for the demo: for any other model a zero is no price."""
    price = spec.price_on(at.astimezone(UTC).date())
    if price is None or not (spec.demo or (price.input and price.output)):
        return None
    return of_catalogue(price, source="demo" if spec.demo else f"catalogue {price.valid_from}")


def of_catalogue(price: catalogue.Price, *, source: str) -> Tariff:
    """A price as the catalogue and imports write it, as a tariff."""
    long_context = price.long_context
    return Tariff(
        rates=_rates(price),
        long_context_above=long_context.threshold if long_context else None,
        long_context=_rates(long_context) if long_context else None,
        fast=_rates(price.fast) if price.fast else None,
        web_search_per_1000_nano=price.web_search_per_1000_nano,
        batch_percent=price.batch_percent,
        geo_us_percent=price.geo_us_percent,
        source=source,
    )


def standin() -> Tariff | None:
    """PARLEY_STANDIN_PRICE, dear in every part: cache writes at twice the input, cache reads at the whole
    of it.
    """
    price: tuple[int, int] | None = settings.STANDIN_PRICE
    if price is None:
        return None
    asked, answered = price
    return Tariff(
        rates=Rates(asked, answered, cache_read=asked, cache_write_5m=2 * asked, cache_write_1h=2 * asked),
        web_search_per_1000_nano=UNLISTED_SEARCHES,
        source="stand-in",
    )


def _must_be_priced(spec: ModelSpec, found: Tariff, *, speed: str, geo: str, searches: int) -> None:
    unpriced = [
        what
        for what, missing in {
            "the fast mode": speed == "fast" and found.fast is None,
            f"the speed {speed!r}": speed not in ("", "standard", "fast"),
            "the region 'us'": geo == "us" and found.geo_us_percent is None,
            f"the region {geo!r}": geo not in ("us", *PLAIN_GEOS),
            "web searches": searches > 0 and found.web_search_per_1000_nano is None,
        }.items()
        if missing
    ]
    if unpriced:
        raise CallRefused("unknown_price", f"{spec.name} has no known price for {' and '.join(unpriced)}.")


def _rates(priced: catalogue.Rates) -> Rates:
    return Rates(priced.input, priced.output, priced.cache_read, priced.cache_write_5m, priced.cache_write_1h)
