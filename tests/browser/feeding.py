"""Answers fed straight to the page's own elements: thousands of cuts in the time of one answer by the server.

The page must be one of the chat, so that its script is there. Fed answers stand in a box of their own, each
beside its twin: the live one, which came by events, and the fresh one, which was loaded finished.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from playwright.sync_api import Page, TimeoutError

from providers.fold import Fold
from providers.types import Json
from tests.browser.chat import until
from tests.browser.page import script


def ready(page: Page) -> None:
    """Brings the tools to a page of the chat."""
    page.wait_for_load_state()
    page.evaluate(f"() => ({script('feeding')})({script('drawn')})")


def play(page: Page, name: str, events: list[Json], *, frames: int = 30, looks: int = 4) -> list[str]:
    """One answer in about so many frames; what of its middle differed from a page loaded at that moment."""
    choice = random.Random(name)
    bounds = sorted({0, len(events), *(choice.randint(0, len(events)) for _ in range(frames))})
    parts = [events[start:end] for start, end in pairwise(bounds)]
    looked = set(choice.sample(range(1, len(parts) + 1), min(looks, len(parts))))
    found: list[str] = page.evaluate("(given) => window.fed.play(given)", _given(name, parts, looked))
    return found


def play_within(page: Page, name: str, events: list[Json], *, frames: int, milliseconds: float) -> bool:
    """One answer in about so many frames; whether the page had drawn it in time. If not, it may hang."""
    size = max(1, len(events) // frames)
    parts = [events[at : at + size] for at in range(0, len(events), size)]
    page.evaluate("(given) => window.fed.playSoon(given)", _given(name, parts, set()))
    try:
        page.wait_for_function("() => window.played", timeout=milliseconds)
    except TimeoutError:
        return False
    page.evaluate("window.fed.box.replaceChildren()")
    return True


def assert_twins_are_equal(page: Page) -> None:
    """All live answers that were fed are drawn like their finished twins."""
    until(page, lambda: page.evaluate(f"() => ({script('dressed')})(window.fed.box)"))
    different = page.evaluate("window.fed.different()")
    told = [f"{name}\nlive:  {ours}\nfresh: {theirs}" for name, ours, theirs in different[:3]]
    assert not different, "\n\n".join(told)


def _given(name: str, parts: list[list[Json]], looked: set[int]) -> Json:
    fold = Fold()
    given: Json = {"name": name, "first": fold.state(), "parts": parts, "states": {}}
    for at, part in enumerate(parts, start=1):
        for event in part:
            fold.apply(event)
        if at in looked:
            given["states"][at] = fold.state()
    return given | {"finished": finished(fold)}


def finished(fold: Fold) -> Json:
    """What a page is loaded with when the answer has ended here."""
    state: dict[str, Any] = fold.state()
    cut = (state.get("open") or {}).get("json")
    blocks = fold.blocks()
    return {"blocks": blocks, "open": {"index": len(blocks) - 1, "json": cut}} if cut else {"blocks": blocks}


def text_events(pieces: list[str], *, thinking: bool = False) -> list[Json]:
    """The events of an answer that is one block of text, or of thinking, in these pieces."""
    kind, field = ("thinking", "thinking") if thinking else ("text", "text")
    start: Json = {"type": kind, field: ""}
    return [
        *message_start(),
        {"type": "content_block_start", "index": 0, "content_block": start},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", field: piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        *message_end(),
    ]


def block_events(blocks: list[Json]) -> list[Json]:
    """The events of an answer of these blocks, each whole at its start."""
    events = list(message_start())
    for index, block in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_stop", "index": index},
        ]
    return [*events, *message_end()]


def message_start() -> Iterator[Json]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {},
    }
    yield {"type": "message_start", "message": message}


def message_end() -> Iterator[Json]:
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}
