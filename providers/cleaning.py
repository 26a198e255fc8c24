"""JSON from a provider, decoded and made safe to store, once, at the edge.

Two things are legal in JSON and poison further in: NUL, which PostgreSQL refuses in text, and lone
surrogates, which no UTF-8 can carry. In text they are removed and replaced. In sealed fields (signatures,
encrypted content) a change would break the seal, so there they are refused.
"""

import json
import re
from typing import Any

import msgspec

MAX_DEPTH = 100  # levels of lists and objects in one value
REPLACEMENT = "\ufffd"

_decode = msgspec.json.Decoder().decode
_SURROGATES = re.compile("[\ud800-\udfff]")
# A shorter text cannot be nested too deeply; a NUL inside a JSON string is always spelled like this.
_SHALLOW_BYTES = 2 * MAX_DEPTH
_ESCAPED_NUL = b"\\u0000"


def decode(data: bytes, *, nan_is_null: bool = True) -> tuple[Any, bool]:
    """The JSON value, and whether it may hold what `clean` must see.

    Raises ValueError when the data is no JSON, no UTF-8, or nested deeper than MAX_DEPTH. NaN and infinities
    are no JSON but are sent by some servers; they become null unless the caller wants them refused.
    """
    try:
        value = _decode(data)
        dirty = _ESCAPED_NUL in data
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = _decode_leniently(data, nan_is_null)
        dirty = True
    if len(data) > _SHALLOW_BYTES and data.count(b"{") + data.count(b"[") > MAX_DEPTH and _too_deep(value):
        raise ValueError("nested too deeply")
    return value, dirty


def clean_text(text: str) -> str:
    """Without NUL; lone surrogates replaced by U+FFFD, pairs that were decoded apart joined."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii() or _SURROGATES.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(value: Any, *, seals: bool = True) -> Any:
    """The same value with clean text everywhere.

    Raises ValueError when a sealed field is not clean; without `seals` no field counts as sealed.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean(item, seals=seals) for item in value]
    if isinstance(value, dict):
        cleaned = {clean_text(key): clean(item, seals=seals) for key, item in value.items()}
        if seals and any(_is_sealed(key, value) and cleaned[key] != value[key] for key in cleaned):
            raise ValueError("a sealed field holds characters that cannot be kept")
        return cleaned
    return value


def _is_sealed(key: str, block: dict[str, Any]) -> bool:
    """Anthropic's documentation of content blocks: what must be sent back exactly as it was received."""
    redacted = key == "data" and block.get("type") == "redacted_thinking"
    return redacted or key == "signature" or key.startswith("encrypted_")


def _decode_leniently(data: bytes, nan_is_null: bool) -> Any:
    """What msgspec refuses and the standard library reads: lone surrogates, NaN."""

    def no_number(name: str) -> None:
        if not nan_is_null:
            raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(data.decode(), parse_constant=no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level if isinstance(item, dict | list) for inner in _inside(item)]
    return any(isinstance(item, dict | list) for item in level)


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
