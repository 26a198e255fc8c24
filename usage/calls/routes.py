"""The ways on which one call may go: a model as reached with a credential, in the order of trying.

All credentials of one call belong to one owner. A call moves on among the credentials of the owner whose
credential it began with, and to other models with credentials of that same owner; nobody's call moves to
somebody else's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from accounts.keys.credentials import CredentialChoice
from providers.catalogue import ModelSpec
from providers.resilience import Key
from providers.types import MessageRequest
from usage.models import Hold, LedgerLine
from usage.prices.pricing import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a call goes. `vendor_account` is "" where the vendor has not said whose the credential is."""

    provider: str
    model: str
    label: str
    vendor_account: str
    credential_id: UUID | None


@dataclass(frozen=True, slots=True)
class Fallback:
    """A model that was asked for and did not answer; `label` is its name, `reason` a sentence for people."""

    ref: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of a call; `index` is its number among the hold's routes. `request` is what is sent on it,
    under the vendor's own id of the model; `whole` says that nothing was left out of it.
    """

    index: int
    spec: ModelSpec
    choice: CredentialChoice
    request: MessageRequest
    whole: bool

    @property
    def key(self) -> Key:
        return key_of(self.choice)

    @property
    def paced(self) -> bool:
        """The demo, which runs in this process, is as fast as it likes."""
        return self.choice.access.kind != "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRoute:
    """What a hold knows of a route: who is asked for what, with whose key, at which price."""

    provider: str
    model: str
    credential: UUID | None
    credential_scope: str
    tariff: Tariff
    prompt_tokens: int
    max_tokens: int

    def to_json(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "model": self.model,
            "credential": str(self.credential) if self.credential else None,
            "credential_scope": self.credential_scope,
            "tariff": self.tariff.to_json(),
            "prompt_tokens": self.prompt_tokens,
            "max_tokens": self.max_tokens,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        credential = UUID(stored["credential"]) if stored["credential"] else None
        return cls(**stored | {"credential": credential, "tariff": Tariff.from_json(stored["tariff"])})


def held_route(hold: Hold, index: int) -> HeldRoute:
    """The route with this number; the hold's own for a number that it does not know."""
    if 0 < index <= len(hold.routes):
        return HeldRoute.from_json(hold.routes[index - 1])
    return HeldRoute(
        provider=hold.provider,
        model=hold.model,
        credential=hold.credential,
        credential_scope=hold.credential_scope,
        tariff=Tariff.from_json(hold.tariff),
        prompt_tokens=hold.prompt_tokens,
        max_tokens=hold.max_tokens,
    )


def index_of(hold: Hold, line: LedgerLine) -> int:
    """The number of the route that a line of this hold was written for."""
    for number, stored in enumerate(hold.routes, start=1):
        route = HeldRoute.from_json(stored)
        if (route.provider, route.model, route.credential) == (
            line.provider,
            line.model_asked,
            line.credential,
        ):
            return number
    return 0


def key_of(choice: CredentialChoice) -> Key:
    """Whose guard stands before this credential."""
    return Key(choice.provider, choice.access.base_url, str(choice.id or choice.scope))
