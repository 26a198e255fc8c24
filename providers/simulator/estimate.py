"""Token numbers of the simulator: rough (four characters a token), but consistent from call to call.

Caching follows the rules of Anthropic's prompt caching page as far as they change numbers: a marked prefix of
at least `MINIMUM` tokens is written once and read by later requests that begin with the same blocks; the
prefix runs tools, system, messages; a reader looks back at most 20 blocks from its marker.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from providers.types import Json

MINIMUM: Final = 1024
LOOK_BACK: Final = 20
REMEMBERED: Final = 5000
FILE_TOKENS: Final = 1600
"""What an image or a document counts for, whatever its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTokens:
    """Tokens of a prompt, split as the vendor's usage object does; their sum is the whole prompt."""

    uncached: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def total(self) -> int:
        return self.uncached + self.read + self.written_5m + self.written_1h

    def usage(self) -> Json:
        """The prompt's part of a `usage` object."""
        return {
            "input_tokens": self.uncached,
            "cache_creation_input_tokens": self.written_5m + self.written_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.written_5m,
                "ephemeral_1h_input_tokens": self.written_1h,
            },
        }


def text_tokens(characters: int) -> int:
    """Tokens of a text of that many characters."""
    return -(-characters // 4)


class PromptCounter:
    """Counts prompts; remembers (per simulator) which prefixes are cached."""

    def __init__(self) -> None:
        self._cached: OrderedDict[bytes, None] = OrderedDict()

    def count(self, body: Json) -> PromptTokens:
        """The prompt's tokens, without touching the cache."""
        return PromptTokens(uncached=max(1, sum(text_tokens(_length(unit)) for unit in _units(body))))

    def count_and_cache(self, body: Json) -> PromptTokens:
        """The prompt's tokens as they would be billed now, and the marked prefixes kept for the next call."""
        units = list(_units(body))
        markers = [_marker(unit) for unit in units]
        if units and _marker(body) and not any(markers):
            markers[-1] = _marker(body)
        if not any(markers):
            return self.count(body)
        ends: list[int] = []
        digests: list[bytes] = []
        hasher, total = hashlib.sha256(), 0
        for unit in units:
            total += text_tokens(_length(unit))
            hasher.update(msgspec.json.encode(_without_marker(unit)))
            ends.append(total)
            digests.append(hasher.digest())
        marked = [index for index, marker in enumerate(markers) if marker and ends[index] >= MINIMUM]
        read = 0
        for index in marked:
            for back in range(index, max(-1, index - LOOK_BACK), -1):
                if digests[back] in self._cached:
                    read = max(read, ends[back])
                    break
        written, done = {"5m": 0, "1h": 0}, read
        for index in marked:
            if ends[index] > done:
                written["1h" if markers[index] == "1h" else "5m"] += ends[index] - done
                done = ends[index]
            self._keep(digests[index])
        return PromptTokens(
            uncached=max(0, total - done), read=read, written_5m=written["5m"], written_1h=written["1h"]
        )

    def _keep(self, digest: bytes) -> None:
        self._cached[digest] = None
        self._cached.move_to_end(digest)
        while len(self._cached) > REMEMBERED:
            self._cached.popitem(last=False)


def _units(body: Json) -> Iterator[Any]:
    """The cacheable units in the order of the prefix: tools, system blocks, message blocks."""
    yield from body.get("tools") or ()
    system = body.get("system")
    yield from [system] if isinstance(system, str) else system or ()
    for message in body.get("messages") or ():
        content = message.get("content") if isinstance(message, dict) else None
        yield from [content] if isinstance(content, str) else content or ()


def _marker(unit: Any) -> str | None:
    control = unit.get("cache_control") if isinstance(unit, dict) else None
    return str(control.get("ttl") or "5m") if isinstance(control, dict) else None


def _without_marker(unit: Any) -> Any:
    if isinstance(unit, dict):
        return {key: value for key, value in unit.items() if key != "cache_control"}
    return unit


def _length(unit: Any) -> int:
    """Characters of all text in a unit; an image or document counts as `FILE_TOKENS` tokens."""
    if isinstance(unit, str):
        return len(unit)
    if isinstance(unit, dict):
        if unit.get("type") in ("image", "document"):
            return FILE_TOKENS * 4
        return sum(
            len(key) + _length(value) for key, value in unit.items() if key not in ("cache_control", "type")
        )
    if isinstance(unit, list):
        return sum(_length(part) for part in unit)
    return len(str(unit)) if unit is not None else 0
