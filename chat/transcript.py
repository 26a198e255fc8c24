"""A branch of messages as one request to a model.

The rows stay as they are; what a vendor would refuse is left out here: empty parts, and tool calls whose
results are missing because the answer was cut. Thinking is left out: without it every vendor account and
model accepts the history, and nobody's reasoning is sent to another account.
"""

from __future__ import annotations

from typing import Any

from providers.catalogue import ModelSpec
from providers.types import Block, Json, MessageRequest

from .models import Message

MAX_TOKENS = 16_000  # tokens of an answer, where the person set nothing
THINKING_BUDGET = 8_000  # tokens, for models that want a number
NOT_RUN = "This tool was not run: the answer was cut before its result."

_LEFT_OUT = {"thinking", "redacted_thinking"}


def request(path: list[Message], model: str, settings: Json, spec: ModelSpec | None) -> MessageRequest:
    """The request whose answer continues `path`; `settings` are the conversation's."""
    ceiling = spec.max_output if spec is not None else MAX_TOKENS
    max_tokens = min(settings.get("max_tokens") or MAX_TOKENS, ceiling)
    return MessageRequest(
        model=model,
        messages=turns(path),
        max_tokens=max_tokens,
        system=settings.get("system") or None,
        thinking=_thinking(settings.get("thinking"), spec, max_tokens),
    )


def turns(path: list[Message]) -> list[Json]:
    """The vendor's turns: user first, neighbours of one role joined, tool calls paired with results."""
    answered: list[Json] = []
    for message in path:
        if message.role == Message.Role.USER:
            _add(answered, "user", [block for block in message.blocks if not _is_empty(block)])
            continue
        if message.stop_reason == "refusal":
            continue  # what the vendor declined half-way is not to be sent back (Anthropic, "Stop reasons")
        blocks, unanswered = _sendable(message.blocks)
        _add(answered, "assistant", blocks)
        _add(answered, "user", [_not_run(call) for call in unanswered])
    return answered


def _add(answered: list[Json], role: str, blocks: list[Block]) -> None:
    if not blocks:
        return
    if answered and answered[-1]["role"] == role:
        answered[-1]["content"].extend(blocks)
    elif answered or role == "user":
        answered.append({"role": role, "content": list(blocks)})


def _sendable(blocks: list[Block]) -> tuple[list[Block], list[Block]]:
    """What of an answer can be sent back, and the client tool calls in it that have no result."""
    results = {block.get("tool_use_id") for block in blocks if "tool_use_id" in block}
    kept: list[Block] = []
    unanswered: list[Block] = []
    for block in blocks:
        kind = block.get("type")
        if kind in _LEFT_OUT or _is_empty(block):
            continue
        if kind in {"server_tool_use", "mcp_tool_use"} and block.get("id") not in results:
            continue  # the vendor runs these itself; one without its result is refused
        if kind == "tool_use" and block.get("id") not in results:
            unanswered.append(block)
        kept.append(block)
    return kept, unanswered


def _is_empty(block: Block) -> bool:
    return block.get("type") == "text" and not str(block.get("text", "")).strip()


def _not_run(call: Block) -> Block:
    return {"type": "tool_result", "tool_use_id": call.get("id"), "is_error": True, "content": NOT_RUN}


def _thinking(wish: Any, spec: ModelSpec | None, max_tokens: int) -> Json | None:
    """The vendor's `thinking` field for the person's wish: on, off, or None for the model's own way.

    Reasoning is asked for in its summarised form wherever the model thinks, because the newer models' default
    is to send none of it (Anthropic, "Extended thinking": display).
    """
    if spec is None or not spec.thinking.kinds:
        return None
    kinds = spec.thinking.kinds
    if wish == "off":
        return {"type": "disabled"} if "disabled" in kinds else None
    if wish != "on" and not spec.thinking.default_on:
        return None
    if "adaptive" in kinds:
        return {"type": "adaptive", "display": "summarized"}
    if "enabled" in kinds and max_tokens > 2_048:
        return {"type": "enabled", "budget_tokens": min(THINKING_BUDGET, max_tokens // 2)}
    return None
