"""What can keep a call from being made. Errors of a call that was made are providers.errors.

Exception
├── CallRefused    Parley declines, before any money is held and before the vendor is asked
├── DuplicateCall  the call id was used before: the first call under it counts
├── KeyRevoked     the credential was revoked while the call was made with it (an InterruptedStream)
└── TokenEnded     the access token that asked for the call may not be used any more (an InterruptedStream)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from providers.errors import InterruptedStream

Code = Literal["no_credential", "unknown_model", "unknown_price", "over_budget", "not_allowed", "unsupported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverBudget:
    """Which limit a call does not fit into. `limit`, `used` (settled and held) and `needed` are in the
    budget's measure: nano-dollars, requests or tokens.

    `subject` is the row of the budget that is full (BudgetPeriod.subject), `inherited_from` says for people
    whose limit it is. `resets_at` is None where it never does. `cheaper_model` answers instead, "" where the
    call is refused. `fits` is the longest answer (max_tokens) with which the call would fit, None where there
    is none. `bound_nano` is the most that the call could have cost.
    """

    budget: UUID
    subject: UUID
    name: str
    inherited_from: str
    measure: str
    period: str
    limit: int
    used: int
    needed: int
    resets_at: datetime | None
    cheaper_model: str = ""
    fits: int | None = None
    bound_nano: int = 0

    @property
    def room(self) -> int:
        """What is left, in the budget's measure."""
        return max(0, self.limit - self.used)

    def to_json(self) -> dict[str, Any]:
        """What is kept beside the sentence, for the page that shows it."""
        return {
            "budget": str(self.budget),
            "subject": str(self.subject),
            "name": self.name,
            "inherited_from": self.inherited_from,
            "measure": self.measure,
            "period": self.period,
            "limit": self.limit,
            "used": self.used,
            "needed": self.needed,
            "resets_at": self.resets_at.isoformat() if self.resets_at else None,
        }


class CallRefused(Exception):
    """Nothing was sent and nothing is held. `message` may be shown to the person and says what to do.

    `detail` is there with "over_budget".
    """

    def __init__(self, code: Code, message: str, detail: OverBudget | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail


class DuplicateCall(Exception):
    """A call id names one call for ever, so that a request sent twice is neither made nor paid twice."""

    def __init__(self, call_id: UUID) -> None:
        super().__init__(f"There is a call {call_id} already.")
        self.call_id = call_id


class KeyRevoked(InterruptedStream):
    """Raised to whoever iterates the call; what came of the answer is settled."""

    kind = "key_revoked"
    says = "The key that this answer was made with was revoked or replaced."


class TokenEnded(InterruptedStream):
    """As KeyRevoked, where it was the program's access token that ended."""

    kind = "token_ended"
    says = "The access token of this call was revoked, or its owner may not use it any more."
