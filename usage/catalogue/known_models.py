"""Which models a call may name, and what is known of each: the catalogue's facts, an import's, what the
vendor's live list says, and over all of them an admin's.
"""

from __future__ import annotations

import asyncio
import functools
from datetime import date
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from providers import catalogue, registry
from providers.access import ListedModel
from providers.catalogue import Capability, ModelSpec
from usage.caller import Caller
from usage.catalogue import corrections, discovery, overrides
from usage.catalogue.endpoints import WIRES
from usage.errors import CallRefused
from usage.writer import writer

# Where a list says nothing of a model's limits, these bound what is held for a call.
LISTED_CONTEXT = 1_000_000
LISTED_OUTPUT = 64_000
# What is assumed of a model of which nothing is known but its id; the server refuses what it cannot do.
LISTED_CAPABILITIES: frozenset[Capability] = frozenset({"tools", "parallel_tools", "stop_sequences"})
TURNED_OFF = "is switched off here. Choose another model, or ask an admin to switch it on."


async def resolve(caller: Caller, ref: str) -> ModelSpec:
    """The model that a call names by its full reference.

    Raises CallRefused ("unknown_model", "not_allowed").
    """
    await overrides.fresh()
    provider, _, name = ref.partition("/")
    spec = overrides.spec(ref)
    if spec is not None:
        spec = with_list(spec, discovery.told(provider, spec.id))
    elif registry.provider(provider) is not None:
        choices = await writer.run(
            functools.partial(credentials.for_call, caller.user_id, caller.team_id, provider)
        )
        if choices:
            beside = await asyncio.to_thread(unknown, choices[0])
            spec = next((one for one in beside if one.id == name), None)
    spec = must_be_on_offer(spec, ref)
    if caller.models and spec.ref not in caller.models:
        raise CallRefused("not_allowed", f"This access token is not for {spec.name}. Make one that is.")
    return spec


def must_be_on_offer(spec: ModelSpec | None, ref: str) -> ModelSpec:
    """The model that was found under this ref. Raises as `resolve` does; asks nobody."""
    if spec is None or spec.is_retired(today()) or (spec.demo and not settings.DEMO):
        raise CallRefused("unknown_model", f"The model {ref[:200]!r} is not on offer. Choose another one.")
    enabled = overrides.known().override(spec.ref).enabled
    if enabled is False:
        raise CallRefused("not_allowed", f"{spec.name} {TURNED_OFF}")
    if spec.restricted and not enabled:
        raise CallRefused(
            "not_allowed",
            f"{spec.name} is only for accounts that its vendor has verified. Choose another one.",
        )
    if needs_switch(spec) and not enabled:
        raise CallRefused("not_allowed", f"{spec.name} {TURNED_OFF}")
    return spec


def about(ref: str) -> ModelSpec | None:
    """All that is known of a model without asking anybody; None when nothing is. May be called on a loop,
    after `overrides.fresh`.
    """
    provider, _, name = ref.partition("/")
    spec = overrides.spec(ref)
    told = discovery.told(provider, spec.id if spec is not None else name)
    if spec is not None:
        return with_list(spec, told)
    return _spec(provider, told) if told is not None else None


def unknown(choice: CredentialChoice, *, wait: bool = True) -> list[ModelSpec]:
    """The models that the vendor lists for this credential and nothing else describes.

    Not to be called on an event loop.
    """
    listed = discovery.listed(choice, wait=wait) or []
    return [
        _spec(choice.provider, model)
        for model in listed
        if overrides.spec(f"{choice.provider}/{model.id}") is None
    ]


def needs_switch(spec: ModelSpec) -> bool:
    """Whether an admin must switch the model on before people may use it.

    A vendor lists much that is no model for a conversation; an address of this installation's choice lists
    what it was set up for.
    """
    return overrides.spec(spec.ref) is None and not discovery.is_own_address(spec.provider)


def with_list(spec: ModelSpec, listed: ListedModel | None) -> ModelSpec:
    """A known model with what the vendor's list says of it; an admin's facts stay."""
    if listed is None:
        return spec
    said = {
        "context": listed.context,
        "max_output": listed.max_output,
        "api": listed.api,
        "efforts": listed.efforts if spec.efforts else None,
        "deprecated_on": listed.deprecated_on,
        "retires_on": listed.retires_on,
    }
    mine = overrides.known().override(spec.ref).facts
    facts: dict[str, Any] = {name: value for name, value in said.items() if value and name not in mine}
    if "context" in facts and spec.max_input and spec.max_input > facts["context"]:
        facts["max_input"] = None
    try:
        return corrections.corrected(spec, facts) if facts else spec
    except ValueError:  # numbers that do not fit together: the list is wrong somewhere
        return spec


def today() -> date:
    return timezone.now().date()


def _spec(provider: str, model: ListedModel) -> ModelSpec:
    """A model that only a list names. What one of the same id can do elsewhere, it is assumed to do too."""
    wire = WIRES.get(overrides.known().wires.get(provider, ""))
    like = _like(model.id)
    context = model.context or (like.context if like else LISTED_CONTEXT)
    most = model.max_output or (like.max_output if like else LISTED_OUTPUT)
    api = model.api or (
        wire.api if wire else (like.api if like and like.provider == provider else _api(provider))
    )
    same_kind = like is not None and (like.api == "messages") == (api == "messages")
    capabilities = like.capabilities if like is not None and same_kind else LISTED_CAPABILITIES
    efforts = model.efforts or (like.efforts if like is not None and same_kind else ())
    spec = ModelSpec(
        provider=provider,
        id=model.id,
        api=api,
        name=model.display_name or model.id,
        display_name=model.display_name or model.id,
        description="Listed by the provider; not in the catalogue",
        context=context,
        max_output=min(most, context),
        status="active",
        deprecated_on=model.deprecated_on,
        retires_on=model.retires_on,
        capabilities=model.capabilities if model.capabilities is not None else capabilities - {"fast"},
        thinking=like.thinking if like is not None and same_kind else catalogue.Thinking(),
        efforts=efforts,
        default_effort=None if not efforts else ("medium" if "medium" in efforts else efforts[-1]),
        sampling=like.sampling if like is not None and same_kind else True,
    )
    return corrections.renamed(spec, overrides.known().override(spec.ref).display_name)


def _like(model: str) -> ModelSpec | None:
    """A model of the catalogue with this id, whoever serves it; its maker's name may stand before the id."""
    name = model.rpartition("/")[2]
    return _by_id().get(name) or _by_id().get(name.replace(".", "-"))


@functools.cache
def _by_id() -> dict[str, ModelSpec]:
    by_id: dict[str, ModelSpec] = {}
    for spec in catalogue.specs():
        for name in (spec.id, *spec.aliases):
            by_id.setdefault(name, spec)
    return by_id


def _api(provider: str) -> catalogue.Api:
    """How a vendor's other models are asked, where it has any in the catalogue."""
    known = overrides.specs(provider)
    return known[0].api if known else "chat"
