"""A small world in which every law holds; tests break one of them at a time."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos import story
from chaos.bills import price
from chaos.facts import BUCKETS, DAY_SUMS, Conversation, Facts, Hold, Line, Message, Run
from chaos.shown import Shown, Witness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RATES = {
    "input": 2_000,
    "output": 10_000,
    "cache_read": 200,
    "cache_write_5m": 2_500,
    "cache_write_1h": 4_000,
}
DAY = ("2026-11-20", "u" * 32, "0" * 32, "0" * 32, "anthropic", "claude", "chat", "environment")
QUESTION = story.compose(random.Random(7), "tag1", "plain")
ANSWER = story.answer_to(QUESTION.text) or ""
TEXT = ANSWER.removeprefix(story.TEXT)


def blocks(text: str) -> str:
    return json.dumps([{"type": "text", "text": text}])


def message(id_: str, parent: str, role: str, text: str, **more: Any) -> Message:
    made = Message(
        id=id_,
        conversation="c1",
        parent=parent,
        role=role,
        status="completed",
        blocks=blocks(text),
        cut_input="",
        deleted=False,
    )
    return replace(made, **more)


def run(**more: Any) -> Run:
    made = Run(
        id="r1",
        message="m2",
        conversation="c1",
        status="completed",
        host="here:1",
        lease_until=None,
        attempts=0,
        call="k1",
        finished=True,
    )
    return replace(made, **more)


def hold(**more: Any) -> Hold:
    made = Hold(
        call="k1",
        run="r1",
        purpose="chat",
        state="closed",
        renewed_until=NOW - timedelta(seconds=5),
        tariff={"rates": RATES},
    )
    return replace(made, **more)


def line(**more: Any) -> Line:
    tokens = dict.fromkeys(BUCKETS, 0) | {"input_tokens": 50, "output_tokens": max(1, len(TEXT) // 4)}
    made = Line(
        call="k1",
        attempt=1,
        line=0,
        run="r1",
        purpose="chat",
        source="reported",
        outcome="completed",
        error="",
        cost=price(tokens, RATES),
        tokens=tokens,
        day=DAY,
    )
    return replace(made, **more)


def days(lines: list[Line]) -> dict[tuple[str, ...], dict[str, int]]:
    sums = dict.fromkeys(DAY_SUMS, 0)
    for each in lines:
        for name in BUCKETS:
            sums[name] += each.tokens[name]
        sums["cost_nano"] += each.cost
        sums["calls"] += int(each.line == 0 and each.attempt == 1)
        sums["estimated"] += int(each.source == "estimated")
    return {DAY: sums}


def world(**more: Any) -> Facts:
    """One question, its whole answer, one call, one ledger line; `more` replaces parts of it."""
    made: dict[str, Any] = {
        "at": NOW,
        "runs": [run()],
        "messages": [message("m1", "", "user", QUESTION.text), message("m2", "m1", "assistant", TEXT)],
        "conversations": [Conversation("c1", "m2")],
        "journal": {},
        "holds": [hold()],
        "lines": [line()],
    }
    made |= more
    made.setdefault("days", days(made["lines"]))
    return Facts(**made)


def seen(script: str = ANSWER) -> dict[str, Shown]:
    """What somebody was shown of the run."""
    witness = Witness()
    witness.saw("r1", "m2", "", script, "p0.1")
    return witness.runs
