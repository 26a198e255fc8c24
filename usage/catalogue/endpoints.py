"""Addresses that admins have entered, as rows of the registry, where they are providers like others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from providers.catalogue import Api
from providers.registry import Provider
from usage.models import Endpoint


@dataclass(frozen=True, slots=True)
class Wire:
    """How an endpoint is spoken to, and which API its models have unless somebody knows better."""

    adapter: str
    api: Api


WIRES: dict[str, Wire] = {
    Endpoint.Wire.OPENAI_CHAT: Wire("providers.openai:OpenAIAdapter", "chat"),
    Endpoint.Wire.OPENAI_RESPONSES: Wire("providers.openai:OpenAIAdapter", "responses"),
    Endpoint.Wire.ANTHROPIC: Wire("providers.anthropic:AnthropicAdapter", "messages"),
    Endpoint.Wire.AZURE: Wire("providers.azure:AzureAdapter", "chat"),
}


def registered(endpoints: Iterable[Endpoint]) -> dict[str, Provider]:
    """The registry's rows of these endpoints, those that are off left out."""
    return {endpoint.slug: provider(endpoint) for endpoint in endpoints if endpoint.enabled}


def provider(endpoint: Endpoint) -> Provider:
    """The row of one endpoint. Its connections are guarded, whatever its address."""
    return Provider(
        label=endpoint.label,
        adapter=WIRES[endpoint.wire].adapter,
        base_url=endpoint.base_url,
        auth_kinds=("api_key",) if endpoint.needs_key else ("none",),
        values=endpoint.options,
        guarded=True,
    )
