"""Whose thinking it is: sealed reasoning goes back only to where it came from.

Vendors seal what a model thought and take it back from the same account and model, after the same system
prompt, tools and messages (Anthropic, "Extended thinking": preserving thinking blocks). So each answer's run
remembers its account, its model and a fingerprint of all that stood before it. Either all thinking of a
branch matches and goes along whole, or none does: thinking must not be cut out of the middle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

import msgspec

from providers.types import Block, Json

from .origins import Origin

_encode = msgspec.json.Encoder().encode


class Prefix:
    """The fingerprint of a request's beginning: system and tools, then every block with its role."""

    def __init__(self, system: str | None, tools: list[Json] | None) -> None:
        self._sum = hashlib.sha256(_encode([system, tools]))

    def add(self, role: str, blocks: list[Block]) -> None:
        for block in blocks:
            self._sum.update(_encode([role, block]))

    def fingerprint(self) -> str:
        return self._sum.copy().hexdigest()


class Placed(Protocol):
    """An answer with thinking, as far as it matters whether that may be sent back."""

    @property
    def origin(self) -> Origin | None: ...

    @property
    def prefix(self) -> str: ...


def is_bound(found: Iterable[Placed], model: str) -> bool:
    """Whether all of this thinking may be sent to `model`, to the one account that it came from."""
    accounts = set()
    for answer in found:
        origin = answer.origin
        if origin is None or not origin.vendor_account:
            return False
        if (origin.model, origin.prefix) != (model, answer.prefix):
            return False
        accounts.add(origin.vendor_account)
    return len(accounts) == 1


def is_thinking(block: Block) -> bool:
    return block.get("type") in {"thinking", "redacted_thinking"}


def is_sealed(block: Block) -> bool:
    """Whether a thinking block arrived whole: its seal is its last part."""
    return bool(block.get("signature" if block.get("type") == "thinking" else "data"))
