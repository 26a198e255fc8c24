"""Which vendors the organisation's own keys open, and a free test of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.keys import credentials
from accounts.models import Credential, User
from providers import registry
from usage.health import health
from usage.health.figures import Place


@dataclass(frozen=True, slots=True)
class Vendor:
    """One provider. `keys` are the places of the organisation's keys for it, the environment's among them;
    `trouble` is what keeps the only ones from being used, "" where at least one serves.
    """

    slug: str
    label: str
    keys: tuple[Place, ...]
    from_environment: bool
    needs_key: bool
    trouble: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a vendor said of one key; `why` is "" where it takes it. `key` is "" where none is needed."""

    key: str
    why: str


def listed() -> list[Vendor]:
    """Every provider but the demo, in the registry's order. One query."""
    own = Credential.objects.for_calls().filter(organisation__isnull=False)
    rows = list(own.exclude(state=Credential.State.REVOKED).order_by("-id"))
    slugs = [slug for slug in registry.providers() if not _is_demo(slug)]
    return [_vendor(slug, [row for row in rows if row.provider == slug]) for slug in slugs]


def test(*, by: User, slug: str) -> list[Verdict] | None:
    """Asks the vendor about each of the organisation's keys; None where there is none to ask about."""
    found = next((one for one in listed() if one.slug == slug), None)
    if found is None or not found.keys:
        return None
    names = {str(row.pk): row.label or f"the key ending in {row.hint}" for row in _rows(found.keys)}
    names["environment"] = "the key from the environment"
    asked = [(names.get(place[1], ""), health.try_now(by, place)) for place in found.keys]
    return [Verdict(key, why) for key, why in asked if why is not None]


def _vendor(slug: str, rows: list[Credential]) -> Vendor:
    serving = [row for row in rows if not row.paused]
    troubles = [credentials.trouble(row) for row in serving]
    places: list[Place] = [(slug, str(row.pk)) for row in serving]
    needs_key = not credentials.needs_no_secret(slug)
    from_environment = needs_key and credentials.in_environment(slug)
    if from_environment:
        places.append((slug, "environment"))
    elif not needs_key:
        places.append((slug, "organisation"))
    well = not needs_key or None in troubles or (from_environment and not serving)
    paused = "Every key is paused." if rows and not serving else ""
    return Vendor(
        slug=slug,
        label=registry.providers()[slug].label,
        keys=tuple(places),
        from_environment=from_environment,
        needs_key=needs_key,
        trouble="" if well else paused or next((one for one in troubles if one), ""),
    )


def _rows(places: Iterable[Place]) -> Iterable[Credential]:
    ids = [place[1] for place in places if place[1] not in health.NAMES]
    return Credential.objects.filter(pk__in=ids)


def _is_demo(slug: str) -> bool:
    """Its address is known only while this process serves, and there is nothing to test."""
    return credentials.needs_no_secret(slug) and not credentials.base_url(slug)
