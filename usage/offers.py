"""The models that a person may choose from now, and why one of them cannot be used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts import credentials
from accounts.models import User
from providers import catalogue, registry
from providers.catalogue import ModelSpec

from . import discovery, known_models, prices

REMEMBERED = 60.0  # seconds
MOST_REMEMBERED = 10_000

_found: dict[tuple[UUID, str], float] = {}


@dataclass(frozen=True, slots=True)
class Offer:
    """A model in the picker. `reason` says in a sentence why it is not usable, and what to do."""

    ref: str
    spec: ModelSpec
    usable: bool
    reason: str = ""


def offered(user: User) -> list[Offer]:
    """Every model that may be shown to this person, provider by provider in the catalogue's order, the demo
    included.

    Restricted and retired models are left out. Models that only the operator's own address lists come last.
    """
    usable = credentials.usable_providers(user.pk, None)
    offers: list[Offer] = []
    for provider in registry.providers():
        if credentials.needs_no_secret(provider) and not settings.DEMO:
            continue
        reason = "" if provider in usable else credentials.blocked_reason(user.pk, None, provider)
        for spec in catalogue.specs(provider):
            if not spec.restricted and not spec.is_retired(known_models.today()):
                offers.append(Offer(spec.ref, spec, not reason, reason))
        if not reason and discovery.applies(provider):
            offers += _listed(user, provider)
    return offers


def find(user: User, ref: str) -> Offer | None:
    """The offer with this reference, if it may be shown to this person; aliases of a model count."""
    spec = catalogue.spec(ref)
    wanted = spec.ref if spec is not None else ref
    found = next((offer for offer in offered(user) if offer.ref == wanted), None)
    if found is not None and found.usable:
        if len(_found) >= MOST_REMEMBERED:
            _found.clear()
        _found[user.pk, ref] = time.monotonic()
    return found


def lately_usable(user: User, ref: str) -> bool:
    """Whether `find` has found this offer usable within REMEMBERED seconds in this process.

    It spares a person who sends again the look at every offer. A call is judged anew in any case.
    """
    found_at = _found.get((user.pk, ref))
    return found_at is not None and time.monotonic() - found_at < REMEMBERED


def default_offer(user: User) -> Offer | None:
    """What a new conversation of this person begins with."""
    return propose(offered(user))


def propose(offers: list[Offer]) -> Offer | None:
    """Of these: the catalogue's proposal, else the first usable one; the demo only if there is no other."""
    usable = [offer for offer in offers if offer.usable]
    real = [offer for offer in usable if not offer.spec.demo]
    return next((offer for offer in real if offer.spec.proposed), None) or next(iter(real or usable), None)


def _listed(user: User, provider: str) -> list[Offer]:
    choices = credentials.for_call(user.pk, None, provider)
    found = known_models.listed(choices[0]) if choices else []
    known = prices.overridden(provider, timezone.now()) if found else set()
    return [_priced(spec, known=spec.id in known) for spec in found]


def _priced(spec: ModelSpec, *, known: bool) -> Offer:
    if known or prices.standin() is not None:
        return Offer(spec.ref, spec, True)
    reason = "Its price is not known. An admin can set PARLEY_STANDIN_PRICE for models without one."
    return Offer(spec.ref, spec, False, reason)
