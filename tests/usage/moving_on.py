"""What makes a call go on elsewhere: chains of models, several keys, a vendor that answers in the end."""

from __future__ import annotations

from typing import Any

from accounts.ids import uuid7
from accounts.models import Credential, Organisation, User
from providers.access import Secret
from providers.simulator.server import ThreadServer
from usage.catalogue import overrides
from usage.models import FallbackChain

from .conftest import SONNET, database

HAIKU = "anthropic/claude-haiku-5-5"
OPUS = "anthropic/claude-opus-5-5"


async def chain(*refs: str, of: str = SONNET) -> None:
    def write() -> None:
        FallbackChain.objects.create(ref=of, refs=list(refs))
        overrides.changed()

    await database(write)


async def key(
    owner: User | Organisation,
    secret: str,
    vendor: ThreadServer,
    account: str = "",
    provider: str = "anthropic",
) -> Credential:
    """Of several keys of one owner the one entered last is used first."""
    whose = "person" if isinstance(owner, User) else "organisation"

    def enter() -> Credential:
        return Credential.objects.create(
            **{whose: owner},
            provider=provider,
            base_url=vendor.base_url,
            secret=Secret(secret),
            hint=secret[-4:],
            vendor_account=account,
            rank=100 - Credential.objects.count(),
        )

    return await database(enter)


def once(status: int, **then: Any) -> dict[str, Any]:
    """A script: this status the first time, then an answer."""
    return {"status": status, "times": 1, "then": {"text": "Here I am.", **then}, "id": uuid7().hex}
