"""What a page's markup says, as far as a page's script reads it."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import Any

from chaos.story import script


@dataclass(slots=True)
class Turn:
    """One turn: a person's (`text`), or an answer (its `script`; `state` while it is being written)."""

    id: str
    role: str
    status: str
    text: str = ""
    run: str = ""
    seq: int = 0
    live: bool = False
    state: dict[str, Any] | None = None
    script: str = ""
    acts: set[str] = field(default_factory=set)  # what its buttons post to: continue, retry


def turns_in(markup: str) -> list[Turn]:
    return [_turn(article) for article in re.findall(r"<article\b.*?</article>", markup, re.S)]


def version_in(markup: str) -> int:
    found = re.search(r"<live-thread\b[^>]*>", markup)
    return int(_attribute(found[0], "version") or 0) if found else 0


def _turn(article: str) -> Turn:
    head = article[: article.index(">") + 1]
    turn = Turn(
        id=_attribute(head, "id").removeprefix("turn-"),
        role=_attribute(head, "data-role"),
        status=_attribute(head, "data-status"),
    )
    payload = _payload(article)
    if turn.role == "user":
        turn.text = str(payload)
        return turn
    view = re.search(r"<answer-view\b[^>]*>", article)
    if view is None or not isinstance(payload, dict):
        raise ValueError(f"A turn without its answer: {article[:300]}")
    turn.run = _attribute(view[0], "run")
    turn.seq = int(_attribute(view[0], "seq") or 0)
    turn.live = re.search(r"\slive[\s>]", view[0]) is not None
    turn.acts = set(re.findall(r'hx-post="[^"]*/(continue|retry)/"', article))
    if "state" in payload:
        turn.state = payload["state"]
        turn.script = state_script(payload["state"])
    else:
        turn.script = script(payload["blocks"], payload.get("open"))
    return turn


def state_script(state: dict[str, Any]) -> str:
    return script((state.get("message") or {}).get("content", []), state.get("open"))


def _payload(article: str) -> Any:
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', article, re.S)
    if found is None:
        raise ValueError(f"A turn without its words: {article[:300]}")
    return json.loads(found[1])


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\s{name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""
