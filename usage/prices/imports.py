"""Taking over prices from a file: what would change, and then the change itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from providers.model_changes import Change, dollars
from providers.models_dev import BadForm
from usage.catalogue import overrides
from usage.models import Price
from usage.prices import price_list, prices
from usage.prices.price_list import RATES, Listed
from usage.prices.pricing import Rates, Tariff

TIERS = {"": "rates", "long_context ": "long_context", "fast ": "fast"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do: prices with what is different from those in force at their moment."""

    source: str
    new: list[tuple[Listed, list[Change]]]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not self.new


def plan(text: bytes, *, source: str, at: datetime) -> Plan:
    """Compares a file with the prices that count. Raises BadForm, naming the place.

    `at` is the moment from which prices are valid where the file names none.
    """
    new, unchanged = [], 0
    for one in price_list.read(text, source=source[:200], at=at):
        before = _before(one)
        found = list(_changes(before, one.tariff))
        stored = Price.objects.filter(provider=one.provider, model=one.model, valid_from=one.valid_from)
        if not found and one.valid_until is None:
            unchanged += 1
        elif stored.exists():
            raise BadForm(
                f"{one.ref} has a price from {one.valid_from:%Y-%m-%d %H:%M} UTC already, and prices are "
                "never changed: give another moment"
            )
        else:
            new.append((one, found))
    return Plan(source, new, unchanged)


def carry_out(plan: Plan) -> None:
    """Stores what the plan says, in one transaction; every process knows it within seconds.

    Raises BadForm when somebody else has stored such a price meanwhile.
    """
    try:
        with transaction.atomic():
            Price.objects.bulk_create(_row(one) for one, _ in plan.new)
            overrides.changed()
    except IntegrityError:
        raise BadForm("one of these prices was stored by somebody else just now: look again") from None


def _before(one: Listed) -> Tariff | None:
    """The price that counts at the moment from which the new one is valid."""
    spec = overrides.spec(one.ref)
    found = prices.override(one.provider, one.model, one.valid_from)
    return found or (prices.listed(spec, one.valid_from) if spec is not None else None)


def _changes(old: Tariff | None, new: Tariff) -> Iterator[Change]:
    """What is different, as (field, old, new), in dollars per million tokens."""
    for label, name in TIERS.items():
        was, now = (_rates(tariff, name) for tariff in (old, new))
        for field in RATES:
            before, after = was.get(field), now.get(field)
            if before != after:
                percent = f" ({(after - before) * 100 / before:+.1f} %)" if before and after else ""
                yield f"{label}{field}", dollars(before), dollars(after) + percent
    for name, label in {
        "long_context_above": "long_context above",
        "web_search_per_1000_nano": "web searches, nano-dollars per 1,000",
        "batch_percent": "batch, percent",
        "geo_us_percent": "region us, percent",
    }.items():
        before, after = (getattr(tariff, name, None) for tariff in (old, new))
        if before != after:
            yield label, _shown(before), _shown(after)


def _rates(tariff: Tariff | None, name: str) -> dict[str, int]:
    rates: Rates | None = getattr(tariff, name, None)
    return asdict(rates) if rates is not None else {}


def _shown(number: int | None) -> str:
    return "none" if number is None else f"{number:,}"


def _row(one: Listed) -> Price:
    tariff = one.tariff
    return Price(
        provider=one.provider,
        model=one.model,
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        **asdict(tariff.rates),
        long_context_above=tariff.long_context_above,
        long_context=asdict(tariff.long_context) if tariff.long_context else None,
        fast=asdict(tariff.fast) if tariff.fast else None,
        web_search_per_1000_nano=tariff.web_search_per_1000_nano,
        batch_percent=tariff.batch_percent,
        geo_us_percent=tariff.geo_us_percent,
        source=tariff.source,
    )
