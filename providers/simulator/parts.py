"""Blocks of an answer, cut into deltas as a model's are."""

import base64
import hashlib
import itertools
import random
import re
from collections.abc import Iterator
from typing import Final

from providers.simulator.answer import Part
from providers.simulator.replies import encode_json
from providers.simulator.rules import Asked
from providers.types import Json

_WORD: Final = re.compile(r"\s*\S{1,12}|\s+")


def natural(text: str, *, seed: int = 0) -> Iterator[str]:
    """The text in pieces of one to three words with their leading space. Joined they are the text; the same
    text and seed give the same pieces.
    """
    choice = random.Random(seed)  # noqa: S311 - repeatable pacing, not secrecy
    waiting: list[str] = []
    size = choice.randint(1, 3)
    for match in _WORD.finditer(text):
        waiting.append(match.group())
        if len(waiting) >= size:
            yield "".join(waiting)
            waiting, size = [], choice.randint(1, 3)
    if waiting:
        yield "".join(waiting)


def evenly(text: str, count: int) -> list[str]:
    """The text in at most `count` pieces of nearly equal length, in order; none of them empty."""
    count = max(1, min(count, len(text)))
    bounds = [len(text) * step // count for step in range(count + 1)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


def text_part(text: str) -> Part:
    return Part({"type": "text", "text": text}, list(natural(text, seed=len(text))))


def thinking_part(text: str, asked: Asked) -> Part:
    """Thinking with its text, or with the signature alone where the request asked for thinking without
    display.
    """
    shown = asked.shows_thinking or asked.thinks is None
    seal = hashlib.sha256(b"simulated thinking:" + text.encode()).digest()
    signature = base64.b64encode(seal * 4).decode()
    block = {"type": "thinking", "thinking": text if shown else "", "signature": signature}
    return Part(block, list(natural(text)) if shown else [])


def tool_part(block: Json, raw: str | None = None) -> Part:
    """A tool call whose input comes in pieces; raw: other JSON text than that of its input, valid or not."""
    return Part(block, list(natural(encode_json(block["input"]).decode() if raw is None else raw)))
