"""The models as an admin looks at them: every one that is known or listed, with its state in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from accounts.keys import credentials
from accounts.models import User
from providers import registry
from providers.catalogue import Capability, ModelSpec
from usage.catalogue import discovery, known_models, overrides
from usage.models import Price
from usage.prices import prices

SHORT: dict[Capability, str] = {
    "tools": "tools",
    "vision": "images",
    "pdf": "PDF",
    "structured_output": "schemas",
    "caching": "cache",
    "web_search": "web",
    "code_execution": "code",
}
# The states of a model, by their names in the address of the page.
STATES = {
    "on": "In use",
    "price": "Needs a price",
    "unlisted": "Not listed",
    "off": "Switched off",
    "new": "Not switched on",
    "verified": "Verified accounts",
    "keyless": "No key",
    "retired": "Retired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model. Prices are pico-dollars per token, None where unknown."""

    spec: ModelSpec
    state: str
    input: int | None
    output: int | None
    overridden: bool  # the price is the admin's
    described: bool  # the catalogue or an import knows it, or an admin
    is_default: bool
    chain: tuple[str, ...]
    price_until: datetime | None

    @property
    def state_label(self) -> str:
        return STATES[self.state]

    @property
    def words(self) -> list[str]:
        found = [word for flag, word in SHORT.items() if flag in self.spec.capabilities]
        return ["thinking", *found] if self.spec.thinking.kinds else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One provider. `trouble` says why none of its models can be used, "" if they can."""

    slug: str
    label: str
    trouble: str
    is_endpoint: bool
    rows: list[Row]


def groups(user: User) -> list[Group]:
    """All providers with all their models; asks vendors for their lists, but waits for none."""
    known = overrides.known()
    usable = credentials.usable_providers(user.pk, None)
    blocked = [slug for slug in registry.providers() if slug not in usable]
    reasons = credentials.blocked_reasons(user.pk, None, blocked)
    own_prices = prices.overridden(timezone.now())
    found = []
    for slug, provider in registry.providers().items():
        specs = list(known.specs.get(slug, ()))
        if specs and all(spec.demo for spec in specs) and not settings.DEMO:
            continue
        trouble = reasons.get(slug, "")
        listed: set[str] | None = None
        choices = [] if trouble or (specs and specs[0].demo) else credentials.for_call(user.pk, None, slug)
        if choices:
            models = discovery.listed(choices[0], wait=False)
            listed = {model.id for model in models} if models else None
            specs += known_models.unknown(choices[0], wait=False)
        rows = [row(spec, own_prices.get(spec.ref), listed, usable=not trouble) for spec in specs]
        found.append(
            Group(
                slug=slug,
                label=provider.label,
                trouble=trouble,
                is_endpoint=slug in known.wires,
                rows=rows,
            )
        )
    return found


def row(spec: ModelSpec, own: Price | None, listed: set[str] | None, *, usable: bool) -> Row:
    """One model; `own` is the admin's price in force, `listed` the ids that the vendor lists, if it does."""
    known = overrides.known()
    price = spec.price_on(known_models.today())
    standin = prices.standin()
    asked, answered = (
        (own.input, own.output) if own else (price.input, price.output) if price else (None, None)
    )
    return Row(
        spec=spec,
        state=_state(spec, listed, usable=usable, priced=asked is not None or standin is not None),
        input=asked,
        output=answered,
        overridden=own is not None,
        described=spec.ref in known.by_ref,
        is_default=known.default == spec.ref,
        chain=known.chains.get(spec.ref, ()),
        price_until=own.valid_until if own else None,
    )


def _state(spec: ModelSpec, listed: set[str] | None, *, usable: bool, priced: bool) -> str:
    enabled = overrides.known().override(spec.ref).enabled
    if spec.is_retired(known_models.today()):
        return "retired"
    if enabled is False:
        return "off"
    if not usable:
        return "keyless"
    if spec.restricted and not enabled:
        return "verified"
    if known_models.needs_switch(spec) and not enabled:
        return "new"
    if not priced:
        return "price"
    if listed is not None and not listed.intersection((spec.id, *spec.aliases)):
        return "unlisted"
    return "on"
