"""What this installation knows of models: the catalogue, imported lists, and the admins' changes to them.

Each process remembers all of it. It looks at one number in the database to learn that somebody changed
something: at most FRESH seconds pass until another process knows, none in the process of the change. Nothing
here waits for the database on an event loop; a coroutine calls `fresh` first.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.utils import timezone

from providers import catalogue, registry
from providers.catalogue import ModelSpec
from usage.catalogue import endpoints
from usage.catalogue.corrections import corrected, described, renamed
from usage.models import Endpoint, FallbackChain, ImportedModel, ModelOverride, Price, Revision
from usage.writer import writer

FRESH = 2.0  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An admin's word on one model. `enabled` None: none was said."""

    enabled: bool | None = None
    display_name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


NO_OVERRIDE = Override()


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """All of it at one revision. Refs are "provider/model"; `by_ref` knows aliases too."""

    revision: int
    specs: Mapping[str, tuple[ModelSpec, ...]]
    by_ref: Mapping[str, ModelSpec]
    imported: Mapping[str, ModelSpec]
    overrides: Mapping[str, Override]
    chains: Mapping[str, tuple[str, ...]]
    prices: tuple[Price, ...]  # of admins, that have not ended, by their beginning
    default: str
    wires: Mapping[str, str]  # by the slugs of endpoints, those that are off too
    off: Mapping[str, str]  # labels of the endpoints that are off

    def override(self, ref: str) -> Override:
        return self.overrides.get(ref, NO_OVERRIDE)

    def canonical(self, ref: str) -> str:
        """The ref under which a model is known, for one of its aliases; any other ref as it is."""
        spec = self.by_ref.get(ref)
        return spec.ref if spec is not None else ref


_lock = threading.Lock()
_known: Knowledge | None = None
_looked_at = float("-inf")
clock: Callable[[], float] = time.monotonic


def known() -> Knowledge:
    """What is known, at most FRESH seconds old; on an event loop, what `fresh` found last.

    Raises django.db's OperationalError only when nothing was ever read.
    """
    if _known is None or (_is_stale() and not _on_a_loop()):
        refresh()
    if _known is None:
        raise RuntimeError("usage.catalogue.overrides.fresh() was not awaited before")
    return _known


async def fresh() -> None:
    """For coroutines, before they ask: sees to it that `known` is fresh. Raises as it does."""
    if _known is None or _is_stale():
        await _refreshed()


async def keep_fresh(sleep: Callable[[float], Any] = asyncio.sleep) -> None:
    """Looks for changes for ever, so that no request has to. To be run by a process that serves."""
    while True:
        try:
            await _refreshed()
        except DatabaseError as error:
            log.warning("The changes to models and endpoints cannot be read now: %s", error)
        await sleep(FRESH / 2)


def spec(ref: str) -> ModelSpec | None:
    """The model with this ref, or one of its aliases, as this installation knows it."""
    return known().by_ref.get(ref)


def specs(provider: str) -> tuple[ModelSpec, ...]:
    """The models of a provider: in the catalogue's order, then what was imported or described beside it."""
    return known().specs.get(provider, ())


def spec_without_changes(ref: str) -> ModelSpec | None:
    """The model as it was before an admin changed a word of it; aliases count."""
    ours = catalogue.spec(ref)
    return known().imported.get(ours.ref if ours is not None else ref) or ours


def troubles() -> list[str]:
    """What is stored and cannot be used, a sentence each."""
    found = []
    for row in ImportedModel.objects.order_by("id"):
        try:
            msgspec.convert(row.spec, ModelSpec)
        except msgspec.ValidationError as error:
            found.append(f"{row.provider}/{row.model}: the imported facts cannot be used: {error}")
    for change in ModelOverride.objects.exclude(facts={}).order_by("id"):
        ref = f"{change.provider}/{change.model}"
        base = spec_without_changes(ref)
        try:
            if base is None:
                described(change.provider, change.model, change.facts)
            else:
                corrected(base, change.facts)
        except ValueError as error:
            found.append(f"{ref}: the admin's facts cannot be used: {error}")
    return found


def cheapest(provider: str, may_use: Callable[[ModelSpec], bool] = lambda spec: True) -> ModelSpec:
    """The model of a provider that costs least, that nobody switched off and that `may_use` allows, for small
    jobs such as titles.

    Raises LookupError when there is none.
    """
    now = known()
    offered = [
        spec
        for spec in now.specs.get(provider, ())
        if spec.status in ("active", "legacy")
        and spec.prices
        and not spec.restricted
        and now.override(spec.ref).enabled is not False
        and may_use(spec)
    ]
    if not offered:
        raise LookupError(f"there is no model of {provider!r} with a price")
    return min(offered, key=lambda model: model.prices[-1].input + model.prices[-1].output)


def changed() -> None:
    """To be called in the transaction of every change: others see it soon, this process at its commit."""
    if not Revision.objects.filter(pk=1).update(number=F("number") + 1):
        Revision.objects.get_or_create(pk=1, defaults={"number": 1})
    transaction.on_commit(_look_again, robust=True)


def _look_again() -> None:
    forget_age()
    refresh()


def forget_age() -> None:
    """The next look is a look at the database."""
    global _looked_at
    _looked_at = float("-inf")


def forget() -> None:
    """Drops everything, endpoints too, as in a process that has just begun."""
    global _known
    with _lock:
        _known = None
        forget_age()
        registry.replace_endpoints({})


async def _refreshed() -> None:
    await writer.run(refresh)


def refresh() -> None:
    """Reads what changed since the last time: one query when nothing did. Not to be called on a loop."""
    global _known, _looked_at
    looked_at = clock()
    with _lock:
        number = Revision.objects.filter(pk=1).values_list("number", flat=True).first() or 0
        if _known is None or _known.revision != number:
            rows = list(Endpoint.objects.all()) if number else []
            _known = _read(number, rows)
            registry.replace_endpoints(endpoints.registered(rows))
        _looked_at = looked_at


def _is_stale() -> bool:
    return clock() - _looked_at > FRESH


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _read(revision: int, endpoint_rows: list[Endpoint]) -> Knowledge:
    """Everything, from the database. Of an installation that never changed anything: no query at all."""
    imported_rows = list(ImportedModel.objects.order_by("id")) if revision else []
    override_rows = list(ModelOverride.objects.order_by("id")) if revision else []
    chain_rows = list(FallbackChain.objects.filter(enabled=True)) if revision else []
    unended = Q(valid_until=None) | Q(valid_until__gt=timezone.now())
    price_rows = list(Price.objects.filter(unended).order_by("valid_from")) if revision else []
    by_provider: dict[str, dict[str, ModelSpec]] = {}
    for spec in catalogue.specs():
        by_provider.setdefault(spec.provider, {})[spec.id] = spec
    imported = {found.ref: found for row in imported_rows if (found := _imported(row)) is not None}
    for spec in imported.values():
        by_provider.setdefault(spec.provider, {})[spec.id] = spec
    for change in override_rows:
        own = by_provider.setdefault(change.provider, {})
        if (overridden := _overridden(own.get(change.model), change)) is not None:
            own[change.model] = overridden
    specs = {provider: tuple(own.values()) for provider, own in by_provider.items()}
    return Knowledge(
        revision=revision,
        specs=specs,
        by_ref=_by_ref([spec for own in specs.values() for spec in own]),
        imported=imported,
        overrides={
            f"{row.provider}/{row.model}": Override(
                enabled=row.enabled, display_name=row.display_name, facts=row.facts
            )
            for row in override_rows
        },
        chains={row.ref: tuple(row.refs) for row in chain_rows},
        prices=tuple(price_rows),
        default=next((f"{row.provider}/{row.model}" for row in override_rows if row.is_default), ""),
        wires={row.slug: row.wire for row in endpoint_rows},
        off={row.slug: row.label for row in endpoint_rows if not row.enabled},
    )


def _by_ref(specs: list[ModelSpec]) -> dict[str, ModelSpec]:
    """An id wins over an equal alias."""
    aliases = {f"{spec.provider}/{alias}": spec for spec in specs for alias in spec.aliases}
    return aliases | {spec.ref: spec for spec in specs}


def _imported(row: ImportedModel) -> ModelSpec | None:
    try:
        return msgspec.convert(row.spec, ModelSpec)
    except msgspec.ValidationError as error:  # written by a newer version, perhaps
        log.warning("The imported facts of %s/%s cannot be used: %s", row.provider, row.model, error)
        return None


def _overridden(spec: ModelSpec | None, row: ModelOverride) -> ModelSpec | None:
    """The model after an admin's word; None when only its name is known, as with one that a vendor lists."""
    try:
        if spec is None and row.facts:
            spec = described(row.provider, row.model, row.facts)
        elif spec is not None and row.facts:
            spec = corrected(spec, row.facts)
    except ValueError as error:
        log.warning("The facts of %s/%s cannot be used: %s", row.provider, row.model, error)
    return spec if spec is None else renamed(spec, row.display_name)
