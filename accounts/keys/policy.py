"""Whose keys calls may be made with, and in which order: what the organisation has decided of it.

In Organisation.policy, under OWN_KEYS:

    who        who may bring keys of their own: "everybody", "nobody", or "some": for `providers` alone
    providers  their slugs
    order      "person" (person, team, organisation) or "organisation" (the organisation's before the others)

Keys of teams are their managers' affair and always serve. A key of a person's own that is not allowed is
passed over as if it was not there: what it would have served is served by the team's or the organisation's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, get_args

from accounts import organisation_policy
from accounts.models import User

OWN_KEYS = "own_keys"
Who = Literal["everybody", "nobody", "some"]
Order = Literal["person", "organisation"]
SCOPES: Mapping[Order, tuple[str, ...]] = {
    "person": ("person", "team", "organisation"),
    "organisation": ("organisation", "person", "team"),
}


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """`providers` are the slugs of those for which people may bring keys, where `who` is "some"."""

    who: Who = "everybody"
    providers: frozenset[str] = frozenset()
    order: Order = "person"

    @classmethod
    def of(cls, policy: Mapping[str, Any] | str | None) -> Self:
        """What a whole policy says, as its column holds it or as JSON text. What is not understood allows
        least.
        """
        held = json.loads(policy) if isinstance(policy, str) else policy or {}
        own = held.get(OWN_KEYS)
        if own is None:
            return cls()
        if not isinstance(own, dict):
            return cls("nobody")
        providers = own.get("providers")
        return cls(
            cast(Who, own["who"]) if own.get("who") in get_args(Who) else "nobody",
            frozenset(providers) if isinstance(providers, list) else frozenset(),
            cast(Order, own["order"]) if own.get("order") in get_args(Order) else "person",
        )

    @classmethod
    def current(cls) -> Self:
        return cls.of({OWN_KEYS: organisation_policy.decided(OWN_KEYS)})

    def to_json(self) -> dict[str, Any]:
        return {"who": self.who, "providers": sorted(self.providers), "order": self.order}

    def allows_own(self, provider: str) -> bool:
        """Whether a person's own key serves this provider."""
        return self.who == "everybody" or (self.who == "some" and provider in self.providers)

    def serves(self, scope: str, provider: str) -> bool:
        """Whether keys of such an owner serve this provider."""
        return scope != "person" or self.allows_own(provider)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The owners in the order in which their keys are used."""
        return SCOPES[self.order]


def change(*, policy: KeyPolicy, by: User | None, via: str = "") -> bool:
    """In force from the next call on; running ones go on. Says whether anything changed."""
    return organisation_policy.change(by=by, name=OWN_KEYS, value=policy.to_json(), via=via)
