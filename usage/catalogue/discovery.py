"""Which models a vendor lists for a credential, asked live and remembered exactly, with an expiry.

The list is asked for in a thread of its own. Who asks for a stale list gets it at once while it is renewed;
who asks first may wait for a moment. A vendor that does not list its models is no error: there is no list.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from accounts.logins import grants
from providers import registry
from providers.access import ListedModel
from providers.errors import ProviderError

FRESH = 600.0  # seconds
AGAIN = 60.0  # seconds after which a vendor that gave no list is asked again
FIRST_WAIT = 2.0  # seconds that the first asker waits

log = logging.getLogger(__name__)
clock: Callable[[], float] = time.monotonic

Key = tuple[str, str, UUID | None]  # provider, address, credential


@dataclass(slots=True, eq=False)
class _Listing:
    models: list[ListedModel] = field(default_factory=list)
    came: bool = False  # a list has come, perhaps an empty one
    renew_at: float = float("-inf")  # of `clock`
    asking: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


_listings: dict[Key, _Listing] = {}
_by_name: dict[tuple[str, str], ListedModel] = {}  # the latest of all lists
_lock = threading.Lock()


def is_own_address(provider: str) -> bool:
    """Whether this provider is reached at an address of this installation's choice, not at the vendor's.

    What such an address serves need not be what the vendor does.
    """
    row = registry.provider(provider)
    if row is None or (credentials.needs_no_secret(provider) and not row.base_url):
        return False
    return row.guarded or credentials.base_url(provider) != row.base_url


def listed(choice: CredentialChoice, *, wait: bool = True) -> list[ListedModel] | None:
    """The models that the vendor lists for this credential, at most FRESH seconds old or being renewed.

    None where no list has come. Waits up to FIRST_WAIT seconds for a first one if `wait`. Not to be called on
    an event loop.
    """
    key = (choice.provider, choice.access.base_url, choice.id)
    with _lock:
        listing = _listings.setdefault(key, _Listing())
        if not listing.asking and clock() > listing.renew_at:
            listing.asking = True
            threading.Thread(target=_ask, args=(choice, listing), name="list-models", daemon=True).start()
    if wait and not listing.answered.wait(FIRST_WAIT):
        listing.answered.set()  # one page has waited; the others take what there is
    return listing.models if listing.came else None


def told(provider: str, model: str) -> ListedModel | None:
    """What any list of this process said last of a model. Asks nobody."""
    return _by_name.get((provider, model))


def note(provider: str, models: list[ListedModel]) -> None:
    """Remembers what a list said, for `told`."""
    with _lock:
        _by_name.update({(provider, model.id): model for model in models})


def forget(provider: str | None = None) -> None:
    """Drops every list, or those of one provider, so that the next asker waits for a new one."""
    with _lock:
        for key in [key for key in _listings if provider in (None, key[0])]:
            del _listings[key]
        for name in [name for name in _by_name if provider in (None, name[0])]:
            del _by_name[name]


async def _list(choice: CredentialChoice) -> list[ListedModel]:
    good = await grants.fresh(choice)
    return await registry.adapter(choice.provider).list_models(good.access)


def _ask(choice: CredentialChoice, listing: _Listing) -> None:
    patience = AGAIN
    try:
        # A loop of its own: the pools of the serving loop belong to that loop.
        models = asyncio.run(_list(choice))
        note(choice.provider, models)
        listing.models, listing.came = models, True
        patience = FRESH
    except ProviderError as error:
        log.warning("%s does not list its models: %s", choice.access.base_url, error.safe_message)
    except Exception:
        log.exception("Listing the models of %s failed", choice.access.base_url)
    finally:
        listing.renew_at = clock() + patience
        listing.asking = False
        listing.answered.set()
