"""What OpenAI's SDK made of a recording, said in our vocabulary: the other side of the comparison."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

CHAT_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
INCOMPLETE_REASONS = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}


@dataclass(frozen=True)
class Essence:
    """What of an answer must not depend on who reads it."""

    text: str
    calls: list[tuple[str, Any]]
    stop_reason: str | None
    usage: Json


def of_message(message: Json) -> Essence:
    """Of a folded message of ours."""
    blocks = message["content"]
    usage = message["usage"]
    counts = {
        "input": usage.get("input_tokens"),
        "output": usage.get("output_tokens"),
        "cache_read": usage.get("cache_read_input_tokens", 0),
        "cache_write": usage.get("cache_creation_input_tokens", 0),
    }
    return Essence(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        message["stop_reason"],
        counts,
    )


def of_chat(completion: Json) -> Essence:
    """Of the SDK's ChatCompletion. Its choices are parts of one answer."""
    choices = completion["choices"]
    texts: list[str] = []
    calls: list[tuple[str, Any]] = []
    for choice in choices:
        message = choice["message"]
        texts += [message.get("content") or "", message.get("refusal") or ""]
        for call in message.get("tool_calls") or []:
            function = call["function"]
            calls.append((function["name"], _arguments(function["arguments"])))
    finish = choices[0]["finish_reason"]
    reason = CHAT_REASONS.get(finish, finish)
    if calls and reason == "end_turn":
        reason = "tool_use"
    if any(choice["message"].get("refusal") for choice in choices):
        reason = "refusal"
    usage = completion.get("usage") or {}
    counts = _counts(usage, "prompt_tokens", "completion_tokens", usage.get("prompt_tokens_details"))
    return Essence("".join(texts), calls, reason, counts)


def of_response(response: Json) -> Essence:
    """Of the SDK's Response."""
    texts: list[str] = []
    calls: list[tuple[str, Any]] = []
    refused = False
    for item in response["output"]:
        if item["type"] == "message":
            for part in item["content"]:
                refused = refused or part["type"] == "refusal"
                texts.append(part.get("text") or part.get("refusal") or "")
        elif item["type"] == "function_call":
            calls.append((item["name"], _arguments(item["arguments"])))
    reason = "tool_use" if calls else "end_turn"
    if response["status"] == "incomplete":
        told = (response.get("incomplete_details") or {}).get("reason")
        reason = INCOMPLETE_REASONS.get(str(told), str(told))
    usage = response.get("usage") or {}
    counts = _counts(usage, "input_tokens", "output_tokens", usage.get("input_tokens_details"))
    return Essence("".join(texts), calls, "refusal" if refused else reason, counts)


def of_recorded(api: str, value: Json) -> Essence:
    return of_chat(value) if api == "chat" else of_response(value)


def _counts(usage: Json, prompt: str, output: str, details: Json | None) -> Json:
    read = (details or {}).get("cached_tokens") or 0
    written = (details or {}).get("cache_write_tokens") or 0
    total = usage.get(prompt)
    return {
        "input": None if total is None or total < read + written else total - read - written,
        "output": usage.get(output),
        "cache_read": read,
        "cache_write": written,
    }


def _arguments(text: str) -> Any:
    return json.loads(text) if text.strip() else {}
