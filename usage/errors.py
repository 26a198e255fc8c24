"""What can keep a call from being made. Errors of a call that was made are providers.errors.

Exception
├── CallRefused      Parley declines, before any money is held and before the vendor is asked
├── DuplicateCall    the call id was used before: the first call under it counts
└── TriggersMissing  the ledger is not protected; the server must not start (usage.triggers)
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

Code = Literal["no_credential", "unknown_model", "unknown_price", "over_budget", "not_allowed", "unsupported"]


class CallRefused(Exception):
    """Nothing was sent and nothing is held. `message` may be shown to the person and says what to do."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DuplicateCall(Exception):
    """A call id names one call for ever, so that a request sent twice is neither made nor paid twice."""

    def __init__(self, call_id: UUID) -> None:
        super().__init__(f"There is a call {call_id} already.")
        self.call_id = call_id
