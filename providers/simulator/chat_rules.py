"""What OpenAI's Chat Completions API refuses, as far as it helps to find mistakes in our own requests.

Source: OpenAI's API reference, "Create chat completion", and the guides that openai_rules names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from providers.simulator.call import Call
from providers.simulator.chat_messages import read_messages
from providers.simulator.openai_rules import (
    check_chat_tools,
    check_choice,
    check_effort,
    check_function,
    check_list,
    check_model,
    check_sampling,
    must,
    prompt_of,
    reasons,
)
from providers.simulator.rules import Asked, last_text
from providers.types import Json

KNOWN: Final = frozenset(
    "model messages max_tokens max_completion_tokens stream stream_options tools tool_choice "
    "parallel_tool_calls response_format stop temperature top_p frequency_penalty presence_penalty n seed "
    "logit_bias logprobs top_logprobs prediction modalities audio metadata store user safety_identifier "
    "prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort verbosity service_tier "
    "web_search_options moderation".split()
)
SAMPLING: Final = (
    "temperature",
    "top_p",
    "top_logprobs",
    "logprobs",
    "presence_penalty",
    "frequency_penalty",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAsked:
    """An accepted request; include_usage: whether the stream shall end with the counts."""

    asked: Asked
    include_usage: bool
    has_images: bool


def read(call: Call, *, model: str | None = None, renamed_limit: bool = True) -> ChatAsked:
    """Check a request. model: the one that the path names; renamed_limit: whether models that reason take
    `max_completion_tokens` alone. Raises Refusal as the vendor would answer.
    """
    body = call.json()
    for name in body:
        must(name in KNOWN, f"Unrecognized request argument supplied: {name}")
    if model is not None:
        body = {**body, "model": model}
    check_model(body)
    must(isinstance(body.get("stream", False), bool), "'stream' must be a boolean.", "stream")
    options = body.get("stream_options") or {}
    must(
        not options or body.get("stream") is True,
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
    )
    effort = body.get("reasoning_effort")
    check_effort(effort, "reasoning_effort")
    must(
        effort is None or reasons(body["model"]) or not body["model"].startswith("gpt-4"),
        "Unrecognized request argument supplied: reasoning_effort",
        "reasoning_effort",
    )
    _check_limits(body, renamed=renamed_limit)
    check_sampling(body, effort, SAMPLING)
    tools = _check_tools(body, effort)
    _check_format(body.get("response_format"))
    messages, system, images = read_messages(body.get("messages"))
    return ChatAsked(
        asked=Asked(
            body=prompt_of(system, messages, tools),
            model=body["model"],
            messages=messages,
            text=last_text(messages),
            system=system,
            max_tokens=body.get("max_completion_tokens", body.get("max_tokens")),
            stream=body.get("stream") is True,
            thinks=None,
            shows_thinking=True,
            stop_sequences=_stops(body),
        ),
        include_usage=options.get("include_usage") is True,
        has_images=images,
    )


def _check_limits(body: Json, *, renamed: bool) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        limit = body.get(name)
        must(
            limit is None or (type(limit) is int and limit > 0),
            f"Invalid '{name}': integer below minimum value.",
            name,
        )
    if body.get("max_tokens") is not None:
        must(
            not renamed or not reasons(body["model"]),
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
        must(
            "max_completion_tokens" not in body,
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        )


def _stops(body: Json) -> Sequence[str]:
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else check_list(stop, "stop")
    must(
        len(stops) <= 4 and all(isinstance(each, str) and each for each in stops),
        "Invalid 'stop': expected at most 4 strings.",
        "stop",
    )
    must(
        not stops or not reasons(body["model"]),
        "Unsupported parameter: 'stop' is not supported with this model.",
        "stop",
        "unsupported_parameter",
    )
    return stops


def _check_tools(body: Json, effort: Any) -> list[Any]:
    tools = check_list(body.get("tools"), "tools")
    must(body.get("tools") is None or bool(tools), "Invalid 'tools': empty array.", "tools", "empty_array")
    for index, tool in enumerate(tools):
        must(
            isinstance(tool, dict) and tool.get("type") in ("function", "custom"),
            f"Invalid value for 'tools[{index}].type'. Supported values are: 'function' and 'custom'.",
            f"tools[{index}].type",
        )
        if tool["type"] == "function":
            check_function(tool.get("function"), f"tools[{index}].function")
    check_choice(body.get("tool_choice"), tools)
    must(
        bool(tools) or "parallel_tool_calls" not in body,
        "'parallel_tool_calls' is only allowed when 'tools' are specified.",
        "parallel_tool_calls",
    )
    if tools:
        check_chat_tools(body["model"], effort)
    return tools


def _check_format(wanted: Any) -> None:
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    must(kind in ("text", "json_object", "json_schema"), f"Invalid value: '{kind}'.", "response_format.type")
    if kind == "json_schema":
        schema = wanted.get("json_schema")
        must(
            isinstance(schema, dict) and isinstance(schema.get("name"), str),
            "Missing required parameter: 'response_format.json_schema.name'.",
            "response_format.json_schema",
        )
