"""Which models a call may name: those of the catalogue, and those that an operator's own address lists."""

from __future__ import annotations

import asyncio
from datetime import date
from functools import partial

from django.conf import settings
from django.utils import timezone

from accounts import credentials
from accounts.credentials import CredentialChoice
from providers import catalogue, registry
from providers.access import ListedModel
from providers.catalogue import ModelSpec, Price

from . import discovery
from .caller import Caller
from .errors import CallRefused
from .writer import writer

# A listed model says nothing of its limits that could be relied on; these bound what is held for a call.
LISTED_CONTEXT = 1_000_000
LISTED_OUTPUT = 64_000


async def resolve(caller: Caller, ref: str) -> ModelSpec:
    """The model that a call names by its full reference.

    Raises CallRefused ("unknown_model", "not_allowed").
    """
    provider, _, name = ref.partition("/")
    spec = catalogue.spec(ref)
    if spec is None and registry.provider(provider) is not None and discovery.applies(provider):
        choices = await writer.run(partial(credentials.for_call, caller.user_id, caller.team_id, provider))
        if choices:
            spec = {one.id: one for one in await asyncio.to_thread(listed, choices[0])}.get(name)
    if spec is None or spec.is_retired(today()) or (spec.demo and not settings.DEMO):
        raise CallRefused("unknown_model", f"The model {ref[:200]!r} is not on offer. Choose another one.")
    if spec.restricted:
        raise CallRefused(
            "not_allowed",
            f"{spec.name} is only for accounts that its vendor has verified. Choose another one.",
        )
    return spec


def listed(choice: CredentialChoice) -> list[ModelSpec]:
    """The models that the address of this credential lists and the catalogue does not know."""
    found = discovery.listed(choice)
    return [
        _spec(choice.provider, model)
        for model in found
        if catalogue.spec(f"{choice.provider}/{model.id}") is None
    ]


def today() -> date:
    return timezone.now().date()


def _spec(provider: str, model: ListedModel) -> ModelSpec:
    return ModelSpec(
        provider=provider,
        id=model.id,
        name=model.display_name or model.id,
        display_name=model.display_name or model.id,
        description="Listed by the provider's address; not in the catalogue",
        context=LISTED_CONTEXT,
        max_output=LISTED_OUTPUT,
        status="active",
        prices=(_dearest(),),
    )


def _dearest() -> Price:
    """A spec must have a price.

    Nobody pays this one: usage.prices takes the catalogue's own models from there.
    """
    return max((price for spec in catalogue.specs() for price in spec.prices), key=lambda price: price.output)
