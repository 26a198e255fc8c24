"""Which models an address offers that is not the vendor's own: a proxy, a simulator, a company's gateway.

The list is asked for in a thread of its own and kept for a minute. Who asks for a stale list gets it at once
while it is renewed; who asks first waits for a moment.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

from accounts import credentials
from accounts.credentials import CredentialChoice
from providers import registry
from providers.access import ListedModel
from providers.errors import ProviderError

FRESH = 60.0  # seconds
FIRST_WAIT = 2.0  # seconds that the first asker waits

log = logging.getLogger(__name__)

Key = tuple[str, str, UUID | None]  # provider, address, credential


@dataclass(slots=True, eq=False)
class _Listing:
    models: list[ListedModel] = field(default_factory=list)
    listed_at: float = float("-inf")  # time.monotonic()
    asking: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


_listings: dict[Key, _Listing] = {}
_lock = threading.Lock()


def applies(provider: str) -> bool:
    """Whether this provider is reached at an address of the operator's choice."""
    return not credentials.needs_no_secret(provider) and (
        credentials.base_url(provider) != registry.providers()[provider].base_url
    )


def listed(choice: CredentialChoice) -> list[ListedModel]:
    """The models that the address lists for this credential, at most FRESH seconds old or being renewed.

    Waits up to FIRST_WAIT seconds for a first list; empty while there is none. Not to be called on an event
    loop.
    """
    key = (choice.provider, choice.access.base_url, choice.id)
    with _lock:
        listing = _listings.setdefault(key, _Listing())
        if not listing.asking and time.monotonic() - listing.listed_at > FRESH:
            listing.asking = True
            threading.Thread(target=_ask, args=(choice, listing), name="list-models", daemon=True).start()
    if not listing.answered.wait(FIRST_WAIT):
        listing.answered.set()  # one page has waited; the others take what there is
    return listing.models


def forget() -> None:
    """Drops every list, so that the next asker waits for a new one."""
    with _lock:
        _listings.clear()


def _ask(choice: CredentialChoice, listing: _Listing) -> None:
    try:
        # A loop of its own: the pools of the serving loop belong to that loop.
        listing.models = asyncio.run(registry.adapter(choice.provider).list_models(choice.access))
    except ProviderError as error:
        log.warning("%s does not list its models: %s", choice.access.base_url, error.safe_message)
    except Exception:
        log.exception("Listing the models of %s failed", choice.access.base_url)
    finally:
        listing.listed_at = time.monotonic()
        listing.asking = False
        listing.answered.set()
