"""What a vendor says was used and what it costs, in one shape for all vendors that can be asked.

A vendor that can has `reports` in its row (providers/vendors.py); `registry.reporter` gives who asks. Days
are those of UTC, amounts integer nano-dollars, sizes tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from providers.access import Access

# The kinds of tokens that have a price of their own, named as a ledger line names them.
Bucket = Literal[
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_5m",
    "cache_creation_1h",
    "output_tokens",
]
BUCKETS: tuple[Bucket, ...] = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_5m",
    "cache_creation_1h",
    "output_tokens",
)
LONGEST_REPORT = 31  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What may give the same tokens of a model another price; "" where the vendor does not say."""

    service_tier: str = ""
    context_window: str = ""
    inference_geo: str = ""

    def includes(self, other: "Mode") -> bool:
        """Whether the other is the same in all that this one says."""
        return (
            self.service_tier in ("", other.service_tier)
            and self.context_window in ("", other.context_window)
            and self.inference_geo in ("", other.inference_geo)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTokens:
    """What one key used of one model on one day, in one mode.

    `key_id` is "" for what was used without a key, in the vendor's own console for one. `input_tokens` is the
    prompt that was neither read from cache nor written to it.
    """

    day: date
    model: str
    key_id: str = ""
    mode: Mode = Mode()
    input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_5m: int = 0
    cache_creation_1h: int = 0
    output_tokens: int = 0
    web_search_requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One item of a day's bill. `model` and `bucket` are "" for what is not charged by token; `kind` says
    what it is then.
    """

    day: date
    kind: str
    amount_nano: int
    model: str = ""
    bucket: Bucket | Literal[""] = ""
    mode: Mode = Mode()


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorKey:
    """A key as its vendor lists it. `ending` is as many of its last characters as the vendor shows."""

    id: str
    name: str
    ending: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorAccount:
    """The account whose usage an admin key opens: the vendor's id of it, and its name there."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a vendor says of some days. A day of which neither list says anything may still be counted."""

    used: Sequence[UsedTokens]
    charges: Sequence[Charge]


class Reporter(Protocol):
    """What a vendor that reports usage can be asked with an admin key; all of it raises ProviderError."""

    async def account(self, access: Access) -> VendorAccount:
        """Whose usage the key opens; it is proven to open the reports."""
        ...

    async def report(self, access: Access, first: date, last: date) -> Report:
        """Whole days, both counted, at most LONGEST_REPORT."""
        ...

    async def keys(self, access: Access) -> list[VendorKey]:
        """Every key of the account."""
        ...
