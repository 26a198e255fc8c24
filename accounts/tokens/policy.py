"""Who may have access tokens, and for how long: what the organisation has decided of it.

In Organisation.policy, under TOKENS:

    who           whose programs may use tokens: "everybody", "admins" or "nobody"
    longest_days  how long a new token may last at most; none: as long as wished, for ever too

`who` holds at every use: a token of somebody who may have none is refused until they may again.
`longest_days` holds for tokens that are made from then on; those that are there keep their end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self, cast, get_args

from accounts import organisation_policy
from accounts.models import User

TOKENS = "tokens"
Who = Literal["everybody", "admins", "nobody"]
MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    who: Who = "everybody"
    longest_days: int | None = None

    @classmethod
    def of(cls, policy: Mapping[str, Any] | str | None) -> Self:
        """What a whole policy says, as its column holds it or as JSON text. What is not understood allows
        least.
        """
        held = json.loads(policy) if isinstance(policy, str) else policy or {}
        tokens = held.get(TOKENS)
        if tokens is None:
            return cls()
        if not isinstance(tokens, dict) or tokens.get("who") not in get_args(Who):
            return cls("nobody", 1)
        days = tokens.get("longest_days")
        if days is not None and not (type(days) is int and 0 < days <= MOST_DAYS):
            return cls("nobody", 1)
        return cls(cast(Who, tokens["who"]), days)

    @classmethod
    def current(cls) -> Self:
        return cls.of({TOKENS: organisation_policy.decided(TOKENS)})

    def to_json(self) -> dict[str, Any]:
        return {"who": self.who, "longest_days": self.longest_days}

    def allows(self, person: User) -> bool:
        """Whether this person may have tokens."""
        return self.who == "everybody" or (self.who == "admins" and person.is_admin)

    def latest_end(self, now: datetime) -> datetime | None:
        """The last moment at which a token made now may end; None: it need not end."""
        return None if self.longest_days is None else now + timedelta(days=self.longest_days)


def change(*, policy: TokenPolicy, by: User | None, via: str = "") -> bool:
    """`who` is in force at once, for tokens that are there too. Says whether anything changed."""
    return organisation_policy.change(by=by, name=TOKENS, value=policy.to_json(), via=via)
