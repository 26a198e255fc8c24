"""Answers fed straight to the page's own elements: thousands of cuts in the time of one answer by the server.

The page must be one of the chat, so that its script is there. Fed answers stand in a box of their own, each
beside its twin: the live one, which came by events, and the fresh one, which was loaded finished.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from playwright.sync_api import Page

from providers.fold import Fold
from providers.types import Json
from tests.browser.chat import DRAWN

TOOLS = """
window.fed = (() => {
  const box = document.createElement("div");
  document.querySelector("main").append(box);
  const make = (name, payload, live) => {
    const view = document.createElement("answer-view");
    view.setAttribute("message", name);
    view.setAttribute("run", "run");
    view.setAttribute("seq", "0");
    view.toggleAttribute("live", live);
    const script = document.createElement("script");
    script.type = "application/json";
    script.textContent = JSON.stringify(payload);
    view.append(script);
    return view;
  };
  const pair = (name) => {
    const place = document.createElement("section");
    place.dataset.name = name;
    const live = document.createElement("div");
    const fresh = document.createElement("div");
    place.append(live, fresh);
    box.append(place);
    return { live, fresh };
  };
  return { box, make, pair };
})();
"""

# Applies the events frame by frame, draws after each, and puts the finished twin beside it.
PLAY = """
({ name, frames, finished, states }) => {
  const { live, fresh } = window.fed.pair(name);
  const view = window.fed.make(name, { state: null, blocks: [] }, true);
  live.append(view);
  view.replace({ run: "run", seq: 0, state: frames.state });
  const wrong = [];
  frames.events.forEach((events, at) => {
    view.take({ run: "run", after: at, seq: at + 1, events });
    view.draw();
    if (states[at + 1]) {
      const twin = window.fed.make(name, { state: states[at + 1] }, true);
      fresh.append(twin);
      twin.draw();
      const [ours, theirs] = [view, twin].map((one) => window.fed.words(one));
      if (ours !== theirs) wrong.push(`at ${at + 1}:\\n${ours}\\n---\\n${theirs}`);
      twin.remove();
    }
  });
  view.finish(finished);
  const twin = window.fed.make(name, finished, false);
  fresh.append(twin);
  return wrong;
}
"""

# The drawing of an answer, without colours and formulas, which come later.
WORDS = f"""
window.fed.words = (view) => {{
  const copy = view.querySelector(".answer").cloneNode(true);
  for (const code of copy.querySelectorAll("code, .math")) {{
    code.textContent = code.dataset.tex ?? code.textContent;
    delete code.dataset.state;
  }}
  return ({DRAWN.strip()})(copy);
}};
"""


def ready(page: Page) -> None:
    """Brings the tools to a page of the chat."""
    page.wait_for_load_state()
    page.evaluate(f"() => {{ {TOOLS} {WORDS} }}")


def play(page: Page, name: str, events: list[Json], *, frames: int = 30, seed: int = 1, looks: int = 4) -> list[str]:
    """One answer by its events in about so many frames; what of its middle differed from a page loaded then."""
    choice = random.Random(f"{seed} {name}")
    bounds = sorted({0, len(events), *(choice.randint(0, len(events)) for _ in range(frames))})
    parts = [events[start:end] for start, end in pairwise(bounds)]
    looked = set(choice.sample(range(1, len(parts) + 1), min(looks, len(parts)))) if parts else set()
    fold = Fold()
    first, states = fold.state(), {}
    for at, part in enumerate(parts, start=1):
        for event in part:
            fold.apply(event)
        if at in looked:
            states[at] = fold.state()
    given = {
        "name": name,
        "frames": {"state": first, "events": parts},
        "finished": finished(fold),
        "states": states,
    }
    return [f"{name} {words}" for words in page.evaluate(PLAY, given)]


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
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    yield {"type": "message_start", "message": message}


def message_end() -> Iterator[Json]:
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}
