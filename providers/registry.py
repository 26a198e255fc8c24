"""Which providers there are, and how each is spoken to. An adapter is imported when it is first asked for.

Beside the vendors of PROVIDERS there are *endpoints*: addresses that an admin has entered, which speak one of
the known wires. `replace_endpoints` takes them; from then on they are providers like the others.
"""

import functools
import importlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, cast

from providers.access import Access, AccessKind, Account, ListedModel
from providers.catalogue import ModelSpec
from providers.heard import Heard, nobody
from providers.types import MessageRequest, StreamEvent


class Adapter(Protocol):
    """What every adapter offers; all of it raises ProviderError and nothing else of the network's.

    `spec` is what is known of the model (None: an adapter does what fits most models). `count_tokens` is the
    size of the prompt as the vendor counts it, None where the vendor offers no count.
    """

    def stream(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None, heard: Heard = nobody
    ) -> AsyncGenerator[StreamEvent, None]: ...

    async def count_tokens(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None
    ) -> int | None: ...

    async def check(self, access: Access) -> Account: ...

    async def list_models(self, access: Access) -> list[ListedModel]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that an access needs beside its secret; `name` is its key in Access.options.

    `variable` is the environment variable of the operator. `kinds`: the kinds of access that need it.
    """

    name: str
    label: str
    help: str = ""
    required: bool = False
    variable: str = ""
    kinds: tuple[AccessKind, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row of the registry.

    `adapter` is "module:class". `base_url` is empty where the installation itself says where the provider is:
    each credential then has an address of its own. `key_variable` and `url_variable` name the environment
    variables that an operator may set; empty: none. An endpoint's connections are `guarded`: they reach
    public addresses, and others only where the operator allows it.
    """

    label: str
    adapter: str
    base_url: str
    auth_kinds: tuple[AccessKind, ...]
    key_variable: str = ""
    url_variable: str = ""
    options: tuple[Option, ...] = ()
    guarded: bool = False


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

_endpoints: Mapping[str, Provider] = MappingProxyType({})


def providers() -> Mapping[str, Provider]:
    """The vendors, then the endpoints, by slug."""
    return {**PROVIDERS, **_endpoints} if _endpoints else PROVIDERS


def provider(slug: str) -> Provider | None:
    return PROVIDERS.get(slug) or _endpoints.get(slug)


def replace_endpoints(endpoints: Mapping[str, Provider]) -> None:
    """From now on these are the endpoints of this process. Raises ValueError for the slug of a vendor."""
    global _endpoints
    if taken := sorted(set(endpoints) & set(PROVIDERS)):
        raise ValueError(f"this is the name of a vendor: {', '.join(taken)}")
    _endpoints = MappingProxyType(dict(endpoints))


def adapter(slug: str) -> Adapter:
    """The adapter of a provider. Raises KeyError for an unknown slug."""
    found = provider(slug)
    if found is None:
        raise KeyError(slug)
    return _adapter(found.adapter, found.guarded)


@functools.cache
def _adapter(path: str, guarded: bool) -> Adapter:
    """One instance per process, for it holds the state of no call."""
    module, _, name = path.partition(":")
    return cast(Adapter, getattr(importlib.import_module(module), name)())
