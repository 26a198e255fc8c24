"""Made-up streams for tests: hypothesis strategies over Anthropic's event vocabulary."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)


def _deltas(kind: str, field: str, index: int, parts: list[str]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: part}}
        for part in parts
    ]


@st.composite
def _block(draw: st.DrawFn, index: int) -> list[dict[str, Any]]:
    kind = draw(st.sampled_from(["text", "thinking", "tool_use", "redacted_thinking", "unheard_of"]))
    parts = draw(st.lists(TEXT, max_size=6))
    start: dict[str, Any] = {"type": kind}
    events: list[dict[str, Any]] = []
    match kind:
        case "text":
            start["text"] = ""
            events = _deltas("text_delta", "text", index, parts)
        case "thinking":
            start |= {"thinking": "", "signature": ""}
            events = _deltas("thinking_delta", "thinking", index, parts)
            events += _deltas("signature_delta", "signature", index, ["sig"])
        case "tool_use":
            start |= {"id": f"toolu_{index}", "name": "look", "input": {}}
            events = _deltas("input_json_delta", "partial_json", index, ['{"q":', ' "', *parts, '"}'])
        case "redacted_thinking":
            start["data"] = "sealed"
        case _:
            start |= {"extra": parts}
            events = [{"type": "a_new_event", "index": index}]
    opening = {"type": "content_block_start", "index": index, "content_block": start}
    return [opening, *events, {"type": "content_block_stop", "index": index}]


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A whole answer; tests cut it where they like."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index in range(draw(st.integers(0, 4))):
        events += draw(_block(index))
    events.append(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    )
    events.append({"type": "message_stop"})
    return events
