"""Which providers there are, and how each is spoken to. An adapter is imported when it is first asked for."""

import functools
import importlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol, cast

from providers.access import Access, Account, ListedModel
from providers.types import MessageRequest, StreamEvent


class Adapter(Protocol):
    """What every adapter offers; all of it raises ProviderError and nothing else of the network's."""

    def stream(self, request: MessageRequest, access: Access) -> AsyncGenerator[StreamEvent, None]: ...

    async def check(self, access: Access) -> Account: ...

    async def list_models(self, access: Access) -> list[ListedModel]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row of the registry.

    `adapter` is "module:class". `base_url` is empty where the installation itself says where the provider is.
    `key_variable` and `url_variable` name the environment variables that an operator may set; empty: none.
    """

    label: str
    adapter: str
    base_url: str
    auth_kinds: tuple[Literal["api_key", "oauth", "none"], ...]
    key_variable: str = ""
    url_variable: str = ""


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "anthropic": Provider(
            label="Anthropic",
            adapter="providers.anthropic:AnthropicAdapter",
            base_url="https://api.anthropic.com",
            auth_kinds=("api_key", "oauth"),
            key_variable="ANTHROPIC_API_KEY",
            url_variable="ANTHROPIC_BASE_URL",
        ),
        # The simulator of this installation. It speaks Anthropic's wire and asks for no key.
        "demo": Provider(
            label="Demo",
            adapter="providers.anthropic:AnthropicAdapter",
            base_url="",
            auth_kinds=("none",),
        ),
    }
)


@functools.cache
def adapter(slug: str) -> Adapter:
    """The adapter of a provider, one instance per process. Raises KeyError for an unknown slug."""
    module, _, name = PROVIDERS[slug].adapter.partition(":")
    return cast(Adapter, getattr(importlib.import_module(module), name)())
