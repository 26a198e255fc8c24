"""Tells whoever counts (metrics, health) how each attempt at a model ended, and what each call came to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from providers.types import Usage

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """One attempt that is over.

    `outcome` is one of models.Outcome, `error` the kind of error (providers.errors) or "". `first_content`
    and `duration` are seconds; None: no content came. `usage` is the vendor's count as far as it came, not
    what is billed. `retries` counts the attempts of this call before this one. `route` is 0 for the model and
    credential that the call began with, and counts up in the order in which others were held for it.
    """

    call_id: UUID
    provider: str
    model: str
    credential: UUID | None
    purpose: str
    outcome: str
    error: str
    first_content: float | None
    duration: float
    usage: Usage
    retries: int
    route: int


on_attempt_end: list[Callable[[AttemptEnded], None]] = []
"""Called in this order, on the event loop of the call: listeners must be quick and must not wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettled:
    """A call of this process is in the ledger, for so many nano-dollars, all attempts together. Provider and
    model are those that were asked last.
    """

    provider: str
    model: str
    cost_nano: int


on_call_settled: list[Callable[[CallSettled], None]] = []
"""As on_attempt_end."""


def announce(ended: AttemptEnded) -> None:
    """A listener's mistake is logged and harms nobody."""
    _tell(on_attempt_end, ended)


def announce_settled(settled: CallSettled) -> None:
    """As announce."""
    _tell(on_call_settled, settled)


def _tell(listeners: list[Callable[[T], None]], what: T) -> None:
    for listener in listeners:
        try:
            listener(what)
        except Exception:
            log.exception("A listener to the ends of attempts or calls failed")
