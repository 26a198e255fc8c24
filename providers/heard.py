"""What the head of a vendor's answer says beside the answer: limits, and whose account was asked.

An adapter calls its `heard` once for each HTTP answer to a call, before the first event, refusals included.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is left of the vendor's rate limits. Resets are seconds from now; None: not said."""

    requests: int | None = None
    requests_left: int | None = None
    requests_reset: float | None = None
    tokens: int | None = None
    tokens_left: int | None = None
    tokens_reset: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of one answer. Ids are "" when unsaid."""

    status: int
    request_id: str = ""
    vendor_account: str = ""
    limits: Limits | None = None


Heard = Callable[[Head], None]


def nobody(_head: Head) -> None:
    """For callers that want only the answer."""
