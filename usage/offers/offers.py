"""The models that a person may choose from now, and why one of them cannot be used."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.keys import credentials
from accounts.models import User
from accounts.policies import store
from accounts.policies.standing import Standing
from providers import registry
from providers.catalogue import ModelSpec
from usage import policy
from usage.catalogue import discovery, known_models, overrides
from usage.policies import words
from usage.prices import prices

REMEMBERED = 60.0  # seconds
MOST_REMEMBERED = 10_000
NO_PRICE = "Its price is not known. An admin can set one under Manage, Models."
NOT_LISTED = "The provider does not list it for the key in use."
DEAR = 30_000_000  # pico-dollars per token of output: above it, nothing is proposed unasked

_found: dict[tuple[UUID, UUID | None, str], float] = {}


@dataclass(frozen=True, slots=True)
class Offer:
    """A model in the picker. `reason` says in a sentence why it is not usable, and what to do; `kept`: it is
    the rules that keep it from this person (usage.policy).

    `input` and `output` are pico-dollars per token, at which a call would be priced now; None: unknown.
    """

    ref: str
    spec: ModelSpec
    usable: bool
    reason: str = ""
    input: int | None = None
    output: int | None = None
    kept: bool = False

    @property
    def provider(self) -> str:
        """The provider's label."""
        row = registry.provider(self.spec.provider)
        return row.label if row is not None else self.spec.provider


def offered(user: User, team: UUID | None = None, *, standing: Standing | None = None) -> list[Offer]:
    """What is `on_offer`, as the rules find this person when `team` pays. Of what they keep, what could be
    used otherwise is there, not usable.
    """
    standing = standing or store.standing(user.pk, team)
    found = on_offer(user)
    kept = {offer.ref for offer in found if not policy.allows_model(standing, offer.spec)}
    if not kept:
        return found
    names = words.team_names({*standing.teams, *filter(None, [standing.paying])})
    return [
        _kept(offer, standing, names) if offer.ref in kept else offer
        for offer in found
        if offer.usable or offer.ref not in kept
    ]


def _kept(offer: Offer, standing: Standing, names: Mapping[UUID, str]) -> Offer:
    refused = policy.refused(standing, policy.comes_with(offer.spec))
    return replace(offer, usable=False, kept=True, reason=words.refusal(refused, offer.spec, names))


def on_offer(user: User) -> list[Offer]:
    """Every model that may be shown to this person, were it not for the rules: provider by provider in the
    catalogue's order, the demo included.

    Left out are retired models, what an admin has switched off, and what only an admin could switch on:
    restricted models, and those that a vendor lists and nobody described. Models that only an address of this
    installation's choice lists come last.
    """
    known = overrides.known()
    usable = credentials.usable_providers(user.pk, None)
    blocked = [provider for provider in registry.providers() if provider not in usable]
    reasons = credentials.blocked_reasons(user.pk, None, blocked)
    found: list[tuple[ModelSpec, str]] = []
    for provider in registry.providers():
        reason = reasons.get(provider, "")
        own = [spec for spec in known.specs.get(provider, ()) if _may_be_shown(spec)]
        if not own and reason:
            continue
        if reason or (all(spec.demo for spec in own) and own):
            found += [(spec, reason) for spec in own]
        else:
            found += _listed(user, provider, own)
    return _priced(found)


def find(user: User, ref: str, team: UUID | None = None) -> Offer | None:
    """The offer with this reference, if it may be shown to this person; aliases of a model count."""
    wanted = overrides.known().canonical(ref)
    found = next((offer for offer in offered(user, team) if offer.ref == wanted), None)
    if found is not None and found.usable:
        if len(_found) >= MOST_REMEMBERED:
            _found.clear()
        _found[user.pk, team, ref] = time.monotonic()
    return found


def lately_usable(user: User, ref: str, team: UUID | None = None) -> bool:
    """Whether `find` has found this offer usable within REMEMBERED seconds in this process.

    It spares a person who sends again the look at every offer. A call is judged anew in any case.
    """
    found_at = _found.get((user.pk, team, ref))
    return found_at is not None and time.monotonic() - found_at < REMEMBERED


def default_offer(user: User) -> Offer | None:
    """What a new conversation of this person begins with."""
    return propose(offered(user))


def propose(offers: list[Offer]) -> Offer | None:
    """Of these, the usable one that an admin chose, else one that the catalogue proposes, else the best by
    its abilities, its age and a price that nobody is startled by; the demo only if there is no other.
    """
    usable = [offer for offer in offers if offer.usable]
    chosen = overrides.known().default
    if chosen and (found := next((offer for offer in usable if offer.ref == chosen), None)):
        return found
    real = [offer for offer in usable if not offer.spec.demo]
    proposed = next((offer for offer in real if offer.spec.proposed), None)
    return proposed or max(real, key=_merit, default=next(iter(usable), None))


def _merit(offer: Offer) -> tuple[bool, bool, bool, bool, date]:
    spec = offer.spec
    price = spec.price_on(known_models.today())
    return (
        spec.status in ("active", "legacy"),
        "tools" in spec.capabilities,
        price is None or price.output <= DEAR,
        bool(spec.thinking.kinds),
        spec.released_on or date.min,
    )


def _may_be_shown(spec: ModelSpec) -> bool:
    enabled = overrides.known().override(spec.ref).enabled
    if spec.is_retired(known_models.today()) or (spec.demo and not settings.DEMO):
        return False
    return enabled is True or (enabled is None and not spec.restricted)


def _listed(user: User, provider: str, own: list[ModelSpec]) -> list[tuple[ModelSpec, str]]:
    """A usable provider's models after a look at its live list, and those that only the list names."""
    choices = credentials.for_call(user.pk, None, provider)
    if not choices:
        return [(spec, "") for spec in own]
    at_own_address = discovery.is_own_address(provider)
    models = discovery.listed(choices[0], wait=at_own_address)
    if models is None:
        return [(spec, "") for spec in own]
    by_id = {model.id: model for model in models}
    found: list[tuple[ModelSpec, str]] = []
    for spec in own:
        named = next((by_id[name] for name in (spec.id, *spec.aliases) if name in by_id), None)
        # An address of this installation's choice may serve more than it lists; a vendor does not.
        missing = named is None and by_id and not at_own_address
        found.append((known_models.with_list(spec, named), NOT_LISTED if missing else ""))
    for spec in known_models.unknown(choices[0], wait=False):
        enabled = overrides.known().override(spec.ref).enabled
        if enabled is True or (enabled is None and not known_models.needs_switch(spec)):
            found.append((spec, ""))
    return found


def _priced(found: Iterable[tuple[ModelSpec, str]]) -> list[Offer]:
    """The offers with their prices of now, an admin's before any other. One query."""
    now = timezone.now()
    own = prices.overridden(now)
    standin = prices.standin()
    offers: list[Offer] = []
    for spec, reason in found:
        row = own.get(spec.ref)
        tariff = None if row is not None else prices.listed(spec, now) or standin
        if row is None and tariff is None:
            offers.append(Offer(spec.ref, spec, False, reason or NO_PRICE))
            continue
        rates = row if row is not None else tariff.rates if tariff is not None else None
        asked, answered = (rates.input, rates.output) if rates is not None else (None, None)
        offers.append(Offer(spec.ref, spec, not reason, reason, asked, answered))
    return offers
