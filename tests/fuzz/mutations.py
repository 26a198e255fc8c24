"""A good stream, spoilt: bytes flipped, events cut, doubled, moved or mixed, values replaced by junk."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    10**30,
    -0.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\x00",
    "\ud800",
    "\udc00 \ud83d",
    "9" * 400,
    [],
    {},
    [None],
    [[[[[]]]]],
    {"": {}},
    {"type": "text"},
    {"type": None, "index": -1},
    "text_delta",
    "message_stop",
    "response.completed",
    "tool_use",
)
_FRAME = re.compile(rb"(?:\r\n|\r|\n){2}")
Mutation = Callable[[bytes, random.Random], bytes]


def frames(stream: bytes) -> list[bytes]:
    """The frames without the blank lines between them."""
    return [frame for frame in _FRAME.split(stream) if frame]


def joined(parts: list[bytes]) -> bytes:
    return b"".join(part + b"\n\n" for part in parts)


def mutated(stream: bytes, choice: random.Random, times: int) -> bytes:
    """The stream after so many mutations."""
    for _ in range(times):
        stream = choice.choice(MUTATIONS)(stream, choice)
    return stream


def _flip(stream: bytes, choice: random.Random) -> bytes:
    if not stream:
        return b"\xff"
    place = choice.randrange(len(stream))
    return stream[:place] + bytes([choice.randrange(256)]) + stream[place + 1 :]


def _cut(stream: bytes, choice: random.Random) -> bytes:
    start = choice.randrange(len(stream) + 1)
    end = min(len(stream), start + choice.randint(1, 40))
    return stream[:start] + stream[end:]


def _end(stream: bytes, choice: random.Random) -> bytes:
    return stream[: choice.randrange(len(stream) + 1)]


def _double(stream: bytes, choice: random.Random) -> bytes:
    parts = frames(stream) or [b""]
    place = choice.randrange(len(parts))
    return joined([*parts[: place + 1], *parts[place:]])


def _drop(stream: bytes, choice: random.Random) -> bytes:
    parts = frames(stream) or [b""]
    del parts[choice.randrange(len(parts))]
    return joined(parts)


def _move(stream: bytes, choice: random.Random) -> bytes:
    parts = frames(stream) or [b""]
    part = parts.pop(choice.randrange(len(parts)))
    parts.insert(choice.randrange(len(parts) + 1), part)
    return joined(parts)


def _junk(stream: bytes, choice: random.Random) -> bytes:
    """One value somewhere in one event becomes something else, or a key another key."""
    parts = frames(stream)
    places = [place for place, part in enumerate(parts) if b"data: {" in part]
    if not places:
        return stream
    place = choice.choice(places)
    head, _, data = parts[place].partition(b"data: ")
    try:
        event = json.loads(data)
    except ValueError:
        return stream
    _spoil(event, choice)
    parts[place] = head + b"data: " + json.dumps(event).encode()
    return joined(parts)


def _spoil(value: Any, choice: random.Random) -> None:
    """Go down some way, then replace, remove or add."""
    while isinstance(value, dict | list) and value:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = choice.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and choice.random() < 0.7:
            value = inner
            continue
        match choice.randrange(4):
            case 0 if isinstance(value, dict):
                del value[key]
            case 1 if isinstance(value, dict):
                value[choice.choice(["type", "index", "id", "error", "delta", "choices", "item"])] = inner
            case 2 if isinstance(value, list):
                value.append(inner)
            case _:
                value[key] = choice.choice(JUNK)
        return


MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _end, _double, _drop, _move, _junk, _junk, _junk, _junk)
