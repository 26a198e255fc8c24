"""The input of a tool call, parsed from the text that its deltas add up to.

Anthropic streams it as fragments of one JSON object ("Streaming messages", input JSON delta). The text can be
cut, at max_tokens or with fine-grained tool streaming, or garbled; then what is whole in it is kept to be
shown, and the call is never run.
"""

import re
from typing import Any

from providers.cleaning import clean, decode

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")
      | (?P<plain>true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?=[ \t\r\n,\]}]|$)
      | (?P<mark>[\[\]{},:])
    )""",
    re.VERBOSE,
)
_CLOSES = {"{": "}", "[": "]"}


def parse_input(text: str) -> tuple[dict[str, Any], bool]:
    """The input object, and whether the text was one whole valid JSON object.

    Blank text is the whole object {}. Of any other text that is not valid, the values that are complete are
    kept, by `whole_part`; where nothing of an object is left, {}. NUL and lone surrogates in its strings are
    cleaned.
    """
    if not text.strip():
        return {}, True
    value = _parsed(text)
    if isinstance(value, dict):
        return value, True
    value = _parsed(whole_part(text))
    return (value, False) if isinstance(value, dict) else ({}, False)


def whole_part(text: str) -> str:
    """The longest beginning of a JSON text that holds only complete values, what is open in it closed.

    A string that is not ended is left out with its key; so is a number at the very end, which may go on.
    Reading stops at the first thing that is no JSON.
    """
    closers: list[str] = []
    wants = "value"  # what may come next: value, first (value or ]), key, first-key (key or }), colon, next
    position = end = 0  # text[:end] is whole when `closers` follow it
    while match := _TOKEN.match(text, position):
        position = match.end()
        mark = match["mark"]
        if mark is None:
            if match["string"] is not None and wants in ("key", "first-key"):
                wants = "colon"
                continue
            number_may_go_on = match["plain"] is not None and position == len(text) and text[-1].isdigit()
            if wants not in ("value", "first") or number_may_go_on:
                break
            wants = "next"
        elif mark == ":" and wants == "colon":
            wants = "value"
            continue
        elif mark == "," and wants == "next" and closers:
            wants = "key" if closers[-1] == "}" else "value"
            continue
        elif mark in _CLOSES and wants in ("value", "first"):
            closers.append(_CLOSES[mark])
            wants = "first-key" if mark == "{" else "first"
        elif closers and mark == closers[-1] and wants in ("next", "first", "first-key"):
            closers.pop()
            wants = "next"
        else:
            break
        end = position
    return text[:end] + "".join(reversed(closers))


def _parsed(text: str) -> Any:
    """The clean value, or None when the text is no valid JSON or nested too deeply."""
    try:
        value, dirty = decode(text.encode("utf-8", "surrogatepass"), nan_is_null=False)
    except ValueError:
        return None
    return clean(value, seals=False) if dirty else value
