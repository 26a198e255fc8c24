"""What OpenAI's Responses API refuses, as far as it helps to find mistakes in our own requests.

Source: OpenAI's API reference, "Create a response", and the guides that openai_rules names.
"""

from dataclasses import dataclass
from typing import Any, Final

from providers.simulator.call import Call
from providers.simulator.openai_rules import (
    check_choice,
    check_effort,
    check_function,
    check_list,
    check_model,
    check_sampling,
    must,
    prompt_of,
)
from providers.simulator.responses_input import Items
from providers.simulator.rules import Asked, last_text
from providers.types import Json

COUNTED: Final = frozenset(
    "model input instructions tools tool_choice parallel_tool_calls reasoning text truncation conversation "
    "previous_response_id personality".split()
)
KNOWN: Final = COUNTED | frozenset(
    "stream stream_options store include max_output_tokens max_tool_calls temperature top_p top_logprobs "
    "metadata user safety_identifier prompt_cache_key prompt_cache_options prompt_cache_retention "
    "service_tier background context_management prompt moderation".split()
)
HOSTED: Final = frozenset(
    "web_search web_search_preview file_search code_interpreter image_generation mcp custom shell "
    "local_shell apply_patch tool_search computer".split()
)
LEAST_OUTPUT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesAsked:
    """An accepted request; `echo`: the fields that the response object repeats; padded: whether deltas carry
    padding (`obfuscation`).
    """

    asked: Asked
    echo: Json
    padded: bool
    has_images: bool


def read(call: Call, organization: str, *, counting: bool = False) -> ResponsesAsked:
    """Check a request; organization: whose reasoning may come back. Raises Refusal as the vendor would."""
    body = call.json()
    for name in body:
        must(
            name in (COUNTED if counting else KNOWN),
            f"Unknown parameter: '{name}'.",
            name,
            "unknown_parameter",
        )
    check_model(body)
    must(isinstance(body.get("stream", False), bool), "Invalid type for 'stream'.", "stream", "invalid_type")
    must(
        not body.get("stream_options") or body.get("stream") is True,
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
    )
    must(
        "previous_response_id" not in body and "conversation" not in body,
        "The simulator keeps no responses: previous_response_id and conversation find nothing.",
        "previous_response_id",
        "previous_response_not_found",
    )
    reasoning = body.get("reasoning") or {}
    must(isinstance(reasoning, dict), "Invalid type for 'reasoning'.", "reasoning", "invalid_type")
    check_effort(reasoning.get("effort"), "reasoning.effort")
    must(
        reasoning.get("summary") in (None, "auto", "concise", "detailed"),
        f"Invalid value: '{reasoning.get('summary')}'.",
        "reasoning.summary",
        "invalid_value",
    )
    check_sampling(body, reasoning.get("effort"), ("temperature", "top_p", "top_logprobs"))
    limit = body.get("max_output_tokens")
    must(
        limit is None or (type(limit) is int and limit >= LEAST_OUTPUT),
        f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST_OUTPUT}.",
        "max_output_tokens",
        "integer_below_min_value",
    )
    tools = _check_tools(body)
    _check_format(body.get("text"))
    instructions = body.get("instructions") or ""
    must(isinstance(instructions, str), "Invalid type for 'instructions'.", "instructions", "invalid_type")
    items = Items(organization)
    messages = items.messages(body.get("input"))
    system = "\n".join(text for text in (instructions, *items.system) if text)
    asked = Asked(
        body=prompt_of(system, messages, tools),
        model=body["model"],
        messages=messages,
        text=last_text(messages),
        system=system,
        max_tokens=limit,
        stream=body.get("stream") is True,
        thinks=None if "reasoning" not in body else reasoning.get("effort") != "none",
        shows_thinking=reasoning.get("summary") is not None,
        stop_sequences=(),
    )
    echo = {
        name: body.get(name)
        for name in ("instructions", "max_output_tokens", "metadata", "temperature", "top_p")
    }
    echo |= {"tools": tools, "tool_choice": body.get("tool_choice", "auto"), "store": body.get("store", True)}
    echo |= {"parallel_tool_calls": body.get("parallel_tool_calls", True), "reasoning": reasoning}
    padded = (body.get("stream_options") or {}).get("include_obfuscation", True) is True
    return ResponsesAsked(asked=asked, echo=echo, padded=padded, has_images=items.images)


def _check_tools(body: Json) -> list[Any]:
    tools = check_list(body.get("tools"), "tools")
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        where = f"tools[{index}]"
        must(
            kind == "function" or kind in HOSTED,
            f"Invalid value: '{kind}'.",
            f"{where}.type",
            "invalid_value",
        )
        if kind == "function":
            check_function(tool, where)
            must(
                set(tool) <= {"type", "name", "description", "parameters", "strict", "defer_loading"},
                f"Unknown parameter: '{where}.{next(iter(set(tool) - {'type', 'name', 'parameters'}), '')}'.",
                where,
                "unknown_parameter",
            )
            for name in ("parameters", "strict"):
                must(
                    name in tool,
                    f"Missing required parameter: '{where}.{name}'.",
                    f"{where}.{name}",
                    "missing_required_parameter",
                )
    choice = body.get("tool_choice")
    check_choice(choice, tools)
    must(
        not isinstance(choice, dict)
        or choice.get("type") != "function"
        or isinstance(choice.get("name"), str),
        "Missing required parameter: 'tool_choice.name'.",
        "tool_choice.name",
        "missing_required_parameter",
    )
    return tools


def _check_format(text: Any) -> None:
    wanted = text.get("format") if isinstance(text, dict) else None
    if wanted is None:
        return
    must(
        wanted.get("type") != "json_schema"
        or (isinstance(wanted.get("name"), str) and isinstance(wanted.get("schema"), dict)),
        "Missing required parameter: 'text.format.name'.",
        "text.format.name",
        "missing_required_parameter",
    )
