"""Which providers there are, and how each is spoken to. An adapter is imported when it is first asked for.

Beside the vendors (providers/vendors.py) there are *endpoints*: addresses that an admin has entered, which
speak one of the known wires. `replace_endpoints` takes them; from then on they are providers like the others.
"""

import functools
import importlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol, cast

from providers.access import Access, Account, ListedModel
from providers.catalogue import ModelSpec
from providers.heard import Heard, nobody
from providers.timeouts import Timeouts
from providers.types import MessageRequest, StreamEvent
from providers.usage_reports import Reporter
from providers.vendors import PROVIDERS as PROVIDERS
from providers.vendors import Option as Option
from providers.vendors import Provider as Provider
from providers.vendors import Reports as Reports


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


_endpoints: Mapping[str, Provider] = MappingProxyType({})
_timeouts: Mapping[str, tuple[tuple[str, float], ...]] = MappingProxyType({})


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
    return _adapter(found.adapter, found.guarded, _timeouts.get(slug, ()))


def speaker(row: Provider) -> Adapter:
    """The adapter that speaks to this row, whether or not it is in the registry."""
    return _adapter(row.adapter, row.guarded, ())


def reporting() -> dict[str, Provider]:
    """The providers that tell what was used, by slug; each has `reports`."""
    return {slug: row for slug, row in providers().items() if row.reports is not None}


def reporter(slug: str) -> Reporter:
    """Who asks a provider what was used. Raises KeyError for one that does not tell."""
    found = provider(slug)
    if found is None or found.reports is None:
        raise KeyError(slug)
    return cast(Reporter, _adapter(found.reports.reporter, found.guarded, ()))


def configure(timeouts: Mapping[str, Mapping[str, float]]) -> None:
    """From now on the adapters of these providers, by slug, have these timeouts (seconds, by the names of
    timeouts.Timeouts) in place of their usual ones. What is not named stays as usual.
    """
    global _timeouts
    _timeouts = MappingProxyType({slug: tuple(sorted(own.items())) for slug, own in timeouts.items()})


@functools.cache
def _adapter(path: str, guarded: bool, timeouts: tuple[tuple[str, float], ...]) -> Adapter:
    """One instance per process, for it holds the state of no call.

    An adapter whose usual timeouts are not the transport's names its own TIMEOUTS in its module.
    """
    module_name, _, name = path.partition(":")
    module = importlib.import_module(module_name)
    wishes: dict[str, object] = {}
    if timeouts:
        usual = getattr(module, "TIMEOUTS", None) or Timeouts()
        wishes["timeouts"] = replace(usual, **dict(timeouts))
    if guarded:
        wishes["through"] = importlib.import_module("providers.outbound").outbound
    return cast(Adapter, getattr(module, name)(**wishes))
