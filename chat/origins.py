"""Where answers come from: what a run remembers of it, and what is read of that later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from providers.types import Json

LEFT_OUT = "thinking_left_out"  # the code of a note (`wishes.Note`)


@dataclass(frozen=True, slots=True)
class Answered:
    """Where an answer comes from, for its run to remember; `notes` are what the page says beside it."""

    vendor_account: str = ""
    model_served: str = ""
    prefix_hash: str = ""
    notes: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an answer came from; `model` is the ref of the one that answered, texts are "" where unknown.

    `left_out`: thinking before it was not sent along. `container` is the vendor's container in which its code
    ran, open until `container_until`.
    """

    vendor_account: str = ""
    model: str = ""
    prefix: str = ""
    left_out: bool = False
    container: str = ""
    container_until: str = ""

    def container_is_open(self, now: datetime) -> bool:
        try:
            until = datetime.fromisoformat(self.container_until)
        except ValueError:
            return False
        return now < (until if until.tzinfo is not None else until.replace(tzinfo=UTC))
