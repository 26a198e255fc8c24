"""The messages of OpenAI's Chat Completions API: which it takes, and what they are in Anthropic's words.

Source: OpenAI's API reference, "Create chat completion", `messages`.
"""

from collections.abc import Mapping
from typing import Any, Final

from providers.simulator.call import any_text
from providers.simulator.openai_rules import check_list, must
from providers.simulator.replies import Refusal
from providers.types import Json

PARTS: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset({"text"}),
    "developer": frozenset({"text"}),
    "user": frozenset({"text", "image_url", "input_audio", "file"}),
    "assistant": frozenset({"text", "refusal"}),
    "tool": frozenset({"text"}),
}
"""The kinds of content parts that each role may have."""
# Copilot's clients send this back with the answer it came with.
ASSISTANT: Final = frozenset(
    {
        "role",
        "content",
        "refusal",
        "name",
        "audio",
        "tool_calls",
        "function_call",
        "reasoning_opaque",
        "reasoning_text",
    }
)


def read_messages(messages: Any) -> tuple[list[Json], str, bool]:
    """The messages in Anthropic's words, the system text, and whether there are images."""
    given = check_list(messages, "messages")
    must(
        bool(given),
        "Invalid 'messages': empty array. Expected an array with minimum length 1.",
        "messages",
        "empty_array",
    )
    turned: list[Json] = []
    system: list[str] = []
    open_calls: set[str] = set()
    images = False
    for index, message in enumerate(given):
        where = f"messages[{index}]"
        must(isinstance(message, dict), f"Invalid type for '{where}': expected an object.", where)
        role = message.get("role")
        must(
            role in PARTS,
            f"Invalid value: '{role}'. Supported values are: {', '.join(PARTS)}.",
            f"{where}.role",
            "invalid_value",
        )
        if role != "tool" and open_calls:
            raise Refusal(400, _unanswered(open_calls), param=f"messages.[{index}].role")
        blocks = _blocks(message, role, where)
        images = images or any(block["type"] == "image" for block in blocks)
        if role in ("system", "developer"):
            system += [block["text"] for block in blocks]
        elif role == "assistant":
            calls = [
                _call(call, where) for call in check_list(message.get("tool_calls"), f"{where}.tool_calls")
            ]
            must(
                bool(blocks or calls),
                "Invalid value for 'content': expected a string, got null.",
                f"{where}.content",
            )
            open_calls = {call["id"] for call in calls}
            must(set(message) <= ASSISTANT, f"Additional properties are not allowed in '{where}'.", where)
            turned.append({"role": "assistant", "content": blocks + calls})
        elif role == "tool":
            answered = message.get("tool_call_id")
            must(
                answered in open_calls,
                "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
                f"messages.[{index}].role",
            )
            open_calls.discard(str(answered))
            result = {"type": "tool_result", "tool_use_id": answered, "content": blocks}
            if turned[-1]["role"] == "user":
                turned[-1]["content"].append(result)
            else:
                turned.append({"role": "user", "content": [result]})
        else:
            must(bool(blocks), f"Invalid type for '{where}.content': expected content.", f"{where}.content")
            turned.append({"role": "user", "content": blocks})
    must(not open_calls, _unanswered(open_calls))
    return turned, "\n".join(system), images


def _blocks(message: Json, role: str, where: str) -> list[Json]:
    content = message.get("content")
    if content is None and role == "assistant":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    must(
        isinstance(content, list), f"Invalid type for '{where}.content'.", f"{where}.content", "invalid_type"
    )
    return [_block(part, role, f"{where}.content[{index}]") for index, part in enumerate(content or ())]


def _block(given: Any, role: str, where: str) -> Json:
    part: Json = given if isinstance(given, dict) else {}
    kind = part.get("type")
    must(
        kind in PARTS[role],
        f"Invalid value: '{kind}'. Supported values are: {', '.join(sorted(PARTS[role]))}.",
        f"{where}.type",
        "invalid_value",
    )
    if kind in ("text", "refusal"):
        must(isinstance(part.get(str(kind)), str), f"Missing required parameter: '{where}.{kind}'.", where)
        return {"type": "text", "text": part[str(kind)]}
    inner: Any = part.get(str(kind))
    must(isinstance(inner, dict), f"Missing required parameter: '{where}.{kind}'.", where)
    if kind == "image_url":
        must(
            any_text(inner.get("url") or "").startswith(("https://", "http://", "data:image/")),
            f"Invalid '{where}.image_url': expected a URL or a data URL of an image.",
            f"{where}.image_url",
            "invalid_image_url",
        )
        return {"type": "image", "source": inner}
    return {"type": "document", "source": inner}


def _call(call: Any, where: str) -> Json:
    function: Any = call.get("function") if isinstance(call, dict) else None
    must(
        isinstance(function, dict)
        and isinstance(call.get("id"), str)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str),
        f"Invalid '{where}.tool_calls': expected id, function.name and function.arguments as a string.",
        f"{where}.tool_calls",
    )
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": function["arguments"]}


def _unanswered(calls: set[str]) -> str:
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        "'tool_call_id'. The following tool_call_ids did not have response messages: "
        f"{', '.join(sorted(calls))}"
    )
