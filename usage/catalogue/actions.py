"""What admins change about models, prices and endpoints: each function one transaction, seen everywhere.

Nothing here asks whether the person may: views do (accounts.rights). `by` is the admin's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.keys import actions as key_actions
from accounts.keys.owners import Owner
from accounts.models import Credential, Organisation, User
from providers import registry
from providers.access import Secret
from providers.catalogue import LongContext, ModelSpec, Rates
from usage.catalogue import corrections, discovery, overrides
from usage.models import Endpoint, FallbackChain, ModelOverride, Price

MOST_FALLBACKS = 10
NAME_LENGTH = 80


class NotPossible(Exception):
    """The change makes no sense; the text says why, and may be shown."""


def change_model(
    *, by: UUID, ref: str, enabled: bool | None, display_name: str, facts: Mapping[str, Any]
) -> None:
    """Sets an admin's whole word on a model. Raises NotPossible for facts that do not fit together."""
    provider, _, model = ref.partition("/")
    now = overrides.known()
    if facts:
        try:
            base = overrides.spec_without_changes(ref)
            if base is None:
                corrections.described(provider, model, facts)
            else:
                corrections.corrected(base, facts)
        except ValueError as error:
            raise NotPossible(f"These facts cannot be: {error}.") from None
    if enabled is False and now.default == ref:
        raise NotPossible("This is the default model. Choose another default before you switch it off.")
    with transaction.atomic():
        was = ModelOverride.objects.filter(provider=provider, model=model).first()
        before = {"enabled": was and was.enabled, "display_name": was.display_name if was else ""}
        old, new = audit.changed(before, {"enabled": enabled, "display_name": display_name[:NAME_LENGTH]})
        corrected = sorted(facts) if facts != (was.facts if was else {}) else []
        if new or corrected:
            if corrected:
                new["facts"] = corrected
            audit.record(Verb.MODEL_CHANGED, actor=by, kind="model", name=ref, before=old, after=new)
        ModelOverride.objects.update_or_create(
            provider=provider,
            model=model,
            defaults={
                "enabled": enabled,
                "display_name": display_name[:NAME_LENGTH],
                "facts": dict(facts),
                "changed_by": by,
            },
        )
        overrides.changed()


def add_model(*, by: UUID, ref: str, facts: Mapping[str, Any], like: ModelSpec | None) -> None:
    """Describes a model that nobody lists and switches it on; it costs what `like` costs today.

    Raises NotPossible for facts that do not fit together.
    """
    with transaction.atomic():
        change_model(by=by, ref=ref, enabled=True, display_name="", facts=facts)
        price = like.price_on(timezone.now().date()) if like is not None else None
        if price is not None:
            set_price(
                by=by,
                ref=ref,
                rates=price,
                long_context=price.long_context,
                fast=price.fast,
                web_search_per_1000_nano=price.web_search_per_1000_nano,
                batch_percent=price.batch_percent,
                geo_us_percent=price.geo_us_percent,
                valid_from=timezone.now(),
                valid_until=None,
            )


def make_default(*, by: UUID, ref: str) -> None:
    """New conversations begin with this model, for whoever may use it. Raises NotPossible if it is off."""
    provider, _, model = ref.partition("/")
    if overrides.known().override(ref).enabled is False:
        raise NotPossible("This model is switched off. Switch it on before you make it the default.")
    with transaction.atomic():
        ModelOverride.objects.filter(is_default=True).update(is_default=False)
        ModelOverride.objects.update_or_create(
            provider=provider, model=model, defaults={"is_default": True, "changed_by": by}
        )
        audit.record(Verb.DEFAULT_CHANGED, actor=by, kind="model", name=ref, after={"default": True})
        overrides.changed()


def clear_default(*, by: UUID, ref: str) -> None:
    """The catalogue proposes again what new conversations begin with."""
    provider, _, model = ref.partition("/")
    with transaction.atomic():
        mine = ModelOverride.objects.filter(provider=provider, model=model, is_default=True)
        if mine.update(is_default=False, changed_by=by):
            audit.record(Verb.DEFAULT_CHANGED, actor=by, kind="model", name=ref, after={"default": False})
        overrides.changed()


def set_price(
    *,
    by: UUID,
    ref: str,
    rates: Rates,
    long_context: LongContext | None,
    fast: Rates | None,
    web_search_per_1000_nano: int | None,
    batch_percent: int | None,
    geo_us_percent: int | None,
    valid_from: datetime,
    valid_until: datetime | None,
) -> Price:
    """A price of this installation's own, in force from a moment on. Raises NotPossible.

    Calls before that moment keep their price, calls under way too.
    """
    provider, _, model = ref.partition("/")
    if valid_until is not None and valid_until <= valid_from:
        raise NotPossible("The price ends before it begins.")
    with transaction.atomic():
        if Price.objects.filter(provider=provider, model=model, valid_from=valid_from).exists():
            raise NotPossible("There is a price from this very moment already. Choose another one.")
        overrides.changed()
        audit.record(
            Verb.PRICE_SET,
            actor=by,
            kind="price",
            name=ref,
            after={
                "from": valid_from.isoformat(),
                "until": valid_until.isoformat() if valid_until else None,
                **(_stored(rates) or {}),
            },
        )
        return Price.objects.create(
            provider=provider,
            model=model,
            valid_from=valid_from,
            valid_until=valid_until,
            input=rates.input,
            output=rates.output,
            cache_read=rates.cache_read,
            cache_write_5m=rates.cache_write_5m,
            cache_write_1h=rates.cache_write_1h,
            long_context_above=long_context.threshold if long_context else None,
            long_context=_stored(long_context),
            fast=_stored(fast),
            web_search_per_1000_nano=web_search_per_1000_nano,
            batch_percent=batch_percent,
            geo_us_percent=geo_us_percent,
            source="admin",
            created_by=by,
        )


def end_prices(*, by: UUID | None = None, ref: str, at: datetime | None = None) -> int:
    """From this moment on the catalogue's price counts again. Returns how many prices it ended."""
    provider, _, model = ref.partition("/")
    moment = at or timezone.now()
    with transaction.atomic():
        mine = Price.objects.select_for_update().filter(provider=provider, model=model)
        ended = mine.filter(Q(valid_until=None) | Q(valid_until__gt=moment))
        count = 0
        for price in ended:
            # One that has not begun ends as it begins: it was never in force.
            price.valid_until = max(moment, price.valid_from)
            price.save(update_fields=["valid_until"])
            count += 1
        if count:
            audit.record(Verb.PRICES_ENDED, actor=by, kind="price", name=ref, after={"prices": count})
        overrides.changed()
        return count


def set_chain(*, by: UUID, ref: str, refs: Sequence[str], enabled: bool = True) -> None:
    """The models to ask after this one, in order. Raises NotPossible for unknown models and loops."""
    now = overrides.known()
    own = now.canonical(ref)
    chain = [now.canonical(other) for other in refs]
    if own in chain:
        raise NotPossible("A model cannot take its own place. Leave it out of its chain.")
    if len(set(chain)) < len(chain):
        raise NotPossible("A model is in the chain twice.")
    if len(chain) > MOST_FALLBACKS:
        raise NotPossible(f"A chain has {MOST_FALLBACKS} models at most.")
    for other in chain:
        if registry.provider(other.partition("/")[0]) is None or not other.partition("/")[2]:
            raise NotPossible(f"There is no model {other[:200]!r}.")
    with transaction.atomic():
        was = FallbackChain.objects.filter(ref=own).first()
        old, new = audit.changed({"models": was.refs if was else []}, {"models": chain})
        if new:
            audit.record(Verb.CHAIN_SET, actor=by, kind="chain", name=own, before=old, after=new)
        if chain:
            FallbackChain.objects.update_or_create(
                ref=own, defaults={"refs": chain, "enabled": enabled, "changed_by": by}
            )
        else:
            FallbackChain.objects.filter(ref=own).delete()
        overrides.changed()


def save_endpoint(
    *,
    by: UUID,
    organisation: Organisation,
    endpoint: Endpoint,
    secret: Secret | None,
    vendor_account: str = "",
) -> Endpoint:
    """Stores a checked endpoint, new or changed, and its key for the organisation if one was entered.

    Keys that were entered for an earlier address stay behind it and are not used any more
    (accounts.keys.credentials). Raises NotPossible for the name of a vendor or of another endpoint.
    """
    if endpoint.slug in registry.PROVIDERS:
        raise NotPossible(f"{endpoint.slug!r} is the name of a vendor. Choose another one.")
    with transaction.atomic():
        if Endpoint.objects.filter(slug=endpoint.slug).exclude(pk=endpoint.pk).exists():
            raise NotPossible(f"There is an endpoint {endpoint.slug!r} already.")
        if endpoint.created_by is None:
            endpoint.created_by = by
        endpoint.save()
        audit.record(
            Verb.ENDPOINT_SAVED,
            actor=by,
            kind="endpoint",
            id=endpoint.pk,
            name=endpoint.label,
            after={"slug": endpoint.slug, "address": endpoint.base_url, "enabled": endpoint.enabled},
        )
        if secret is not None:
            key_actions.save_only_credential(
                owner=Owner(organisation=organisation),
                provider=endpoint.slug,
                base_url=endpoint.base_url,
                secret=secret,
                vendor_account=vendor_account,
                label=endpoint.label,
                by=User.objects.filter(pk=by).first(),
            )
        overrides.changed()
        transaction.on_commit(lambda: discovery.forget(endpoint.slug))
    return endpoint


def remove_endpoint(*, by: UUID | None = None, endpoint: Endpoint) -> None:
    """The endpoint is gone and its keys are revoked; what the ledger says of it stays."""
    slug = endpoint.slug
    with transaction.atomic():
        for credential in Credential.objects.filter(provider=slug).exclude(state=Credential.State.REVOKED):
            key_actions.revoke(credential=credential, via="endpoint removed")
        ModelOverride.objects.filter(provider=slug, is_default=True).update(is_default=False)
        audit.record(Verb.ENDPOINT_REMOVED, actor=by, kind="endpoint", id=endpoint.pk, name=endpoint.label)
        endpoint.delete()
        overrides.changed()
        transaction.on_commit(lambda: discovery.forget(slug))


def _stored(rates: Rates | None) -> dict[str, int] | None:
    if rates is None:
        return None
    names: Iterable[str] = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    return {name: getattr(rates, name) for name in names}
