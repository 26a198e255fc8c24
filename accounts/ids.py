"""Identifiers of rows: UUID version 7 (RFC 9562, section 5.7), which sort by the time of their making."""

from __future__ import annotations

import secrets
import time
from threading import Lock
from uuid import UUID

_RANDOM_BITS = 74
_lock = Lock()
_last = 0


def uuid7() -> UUID:
    """A new id, larger than all that this process made before, even when the clock was set back."""
    global _last
    with _lock:
        drawn = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        _last = drawn if drawn > _last else _last + 1 + secrets.randbits(32)
        number = _last
    milliseconds = number >> _RANDOM_BITS
    high, low = number >> 62 & 0xFFF, number & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
