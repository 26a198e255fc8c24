"""What people ask, and what the simulator will answer: known to the last character.

A question carries its directive, so whoever reads the question knows the whole answer (`answer_to`). Answers
are compared as scripts: the text of all blocks in their order, each behind a mark that says what it is.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

GO_ON = "Please go on exactly where you stopped."  # what Continue asks
OPENING, CLOSING = "[[simulate ", "]]"

TEXT, THINKING, TOOL, NAMED, OTHER = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
MARKS = (TEXT, THINKING, TOOL, NAMED, OTHER)

WORDS = (
    "river stone lamp harbour winter bread letter garden window copper thread market bridge candle "
    "naïve façade Größe Ångström žluťoučký 東京 القاهرة עברית Ωμέγα 👩‍💻 🧵 🇧🇪 `code` **bold** "
    "$x^2$ a|b [1] <b> &amp;"
).split()
ENDS = (". ", ", ", ".\n\n", "\n- ", "; ", " ", " ", " ", "\r\n", "\u2028")


@dataclass(frozen=True, slots=True)
class Question:
    """`endless`: so long that somebody has to stop it."""

    tag: str
    text: str
    kind: str
    endless: bool = False


def compose(choose: random.Random, tag: str, kind: str = "") -> Question:
    """A question; its tag makes it and its answer like no other."""
    kind = kind or choose.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    fields = KINDS[kind][1](choose, tag)
    directive = f"{OPENING}{json.dumps({'id': tag, **fields}, ensure_ascii=False)}{CLOSING}"
    return Question(tag, f"Question {tag}, {kind}.\n{directive}", kind, endless=kind == "endless")


def lasting(choose: random.Random, tag: str, seconds: float) -> Question:
    """A question whose answer takes about so long."""
    fields = {"id": tag, "thinking": False, **_paced(choose, tag, seconds, rate=12)}
    directive = f"{OPENING}{json.dumps(fields, ensure_ascii=False)}{CLOSING}"
    return Question(tag, f"Question {tag}, {seconds:.0f} s.\n{directive}", "lasting")


def prose(choose: random.Random, tag: str, length: int) -> str:
    """About so many characters that occur nowhere else: every few words the tag stands there, counted."""
    parts, size, count = [f"Answer {tag}: "], 0, 0
    while size < length:
        count += 1
        words = " ".join(choose.choices(WORDS, k=choose.randint(2, 7)))
        parts.append(f"{words} {tag}.{count}{choose.choice(ENDS)}")
        size += len(parts[-1])
    return "".join(parts) + "End."


def _paced(choose: random.Random, tag: str, seconds: float, *, rate: int = 0) -> dict[str, Any]:
    rate = rate or choose.choice((8, 15, 25, 60))
    deltas = max(2, round(rate * seconds))
    return {
        "text": prose(choose, tag, min(1600, deltas * choose.choice((4, 9, 15)))),
        "deltas": deltas,
        "rate": rate,
        "jitter": choose.choice((0, 0.5)),
        "seed": choose.randint(0, 999),
    }


def _plain(choose: random.Random, tag: str) -> dict[str, Any]:
    return {"thinking": False, **_paced(choose, tag, choose.uniform(1, 6))}


def _short(choose: random.Random, tag: str) -> dict[str, Any]:
    return {"thinking": False, "text": prose(choose, tag, 40), "deltas": choose.randint(1, 4)}


def _slow_to_begin(choose: random.Random, tag: str) -> dict[str, Any]:
    waiting = choose.choice(("header_delay", "first_delay"))
    return {"thinking": False, waiting: choose.uniform(1, 5), **_paced(choose, tag, 2)}


def _thinking(choose: random.Random, tag: str) -> dict[str, Any]:
    return {"thinking": prose(choose, f"{tag}t", 150), **_paced(choose, tag, 3)}


def _tool(choose: random.Random, tag: str) -> dict[str, Any]:
    call = {
        "name": "lookup",
        "input": {"query": prose(choose, f"{tag}q", 60), "limit": 3},
        "id": f"toolu_{tag}",
    }
    return {"thinking": False, **_paced(choose, tag, 1.5), "tool_use": call}


def _endless(choose: random.Random, tag: str) -> dict[str, Any]:
    return {"thinking": False, **_paced(choose, tag, 60, rate=20)}


def _busy_vendor(choose: random.Random, tag: str) -> dict[str, Any]:
    then = {"thinking": False, **_paced(choose, tag, 2)}
    return {"status": choose.choice((500, 529)), "times": 1, "then": then, "thinking": False}


def _refused(choose: random.Random, tag: str) -> dict[str, Any]:
    return {"status": choose.choice((400, 529)), "thinking": False}


def _broken_off(choose: random.Random, tag: str) -> dict[str, Any]:
    fault = choose.choice(("cut_after", "reset_after", "error_event_after"))
    return {"thinking": False, **_paced(choose, tag, 2), fault: choose.randint(3, 25)}


KINDS = {
    "plain": (40, _plain),
    "short": (10, _short),
    "slow": (12, _slow_to_begin),
    "thinking": (10, _thinking),
    "tool": (8, _tool),
    "endless": (8, _endless),
    "busy": (4, _busy_vendor),
    "refused": (3, _refused),
    "broken": (8, _broken_off),
}


def directive_of(question: str) -> dict[str, Any] | None:
    start = question.find(OPENING)
    if start < 0:
        return None
    found, _end = json.JSONDecoder().raw_decode(question, start + len(OPENING))
    return dict(found)


def answer_to(question: str) -> str | None:
    """The script of the whole answer that the simulator sends; None for a question without a directive."""
    fields = directive_of(question)
    if fields is None:
        return None
    if "times" in fields:
        fields = fields["then"]
    elif "status" in fields:
        return ""
    blocks: list[dict[str, Any]] = []
    if fields.get("thinking"):
        blocks.append({"type": "thinking", "thinking": fields["thinking"]})
    blocks.append({"type": "text", "text": fields["text"]})
    if call := fields.get("tool_use"):
        blocks.append({"type": "tool_use", **call})
    return script(blocks)


def script(blocks: list[dict[str, Any]], opened: dict[str, Any] | None = None) -> str:
    """Blocks as one text that only grows while they are being written.

    `opened`: {"index", "json"} of a block whose input is still coming (or was cut), as in Fold.state.
    """
    parts: list[str] = []
    for index, block in enumerate(blocks):
        kind = block.get("type")
        if kind == "text":
            parts += [TEXT, block.get("text", "")]
        elif kind == "thinking":
            parts += [THINKING, block.get("thinking", "")]
        elif kind == "tool_use":
            parts += [TOOL, str(block.get("name")), NAMED]
            if opened is not None and opened.get("index") == index and opened.get("json"):
                parts.append(opened["json"])
            elif block.get("input"):
                parts.append(json.dumps(block["input"], ensure_ascii=False, separators=(",", ":")))
        else:
            parts += [OTHER, json.dumps(block, ensure_ascii=False)]
    return "".join(parts)


def characters(text: str) -> int:
    """How many characters of a script a person sees."""
    return len(text) - sum(map(text.count, MARKS))
