"""What OpenAI's two APIs refuse alike: fields, models that reason, names of tools.

Sources: OpenAI's API reference ("Create chat completion", "Create a response"), the guides on reasoning
models and function calling, and the page "Error codes".
"""

import re
from collections.abc import Collection
from typing import Any, Final

from providers.simulator.replies import Refusal
from providers.types import Json

OWN_MODELS: Final = re.compile(r"(gpt-|chatgpt-|o\d)")
"""The vendor's ids of models, listed or not."""
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_REASONING: Final = re.compile(r"(o\d|gpt-(?:[5-9]|\d\d))(?!.*chat)")
_NO_TOOLS_WITH_EFFORT: Final = re.compile(r"gpt-(?:5\.[4-9]|[6-9]|\d\d)")
_NO_CHAT_TOOLS: Final = re.compile(r"gpt-6-astra|gpt-6\.1-sol")
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def must(holds: bool, message: str, param: str | None = None, code: str | None = None) -> None:
    """Raises Refusal unless it holds."""
    if not holds:
        raise Refusal(400, message, param=param, kind=code)


def reasons(model: str) -> bool:
    """Whether a model is one that thinks before it answers."""
    return _REASONING.match(model) is not None


def check_model(body: Json) -> str:
    model = body.get("model")
    must(isinstance(model, str) and model != "", "you must provide a model parameter", "model")
    return str(model)


def check_sampling(body: Json, effort: Any, fields: Collection[str]) -> None:
    """Models that reason take sampling parameters only when they are told not to."""
    if not reasons(body["model"]) or effort == "none":
        return
    for name in fields:
        if name in body and body[name] not in (None, 1, 1.0):
            raise Refusal(
                400,
                f"Unsupported parameter: '{name}' is not supported with this model.",
                param=name,
                kind="unsupported_parameter",
            )


def check_effort(effort: Any, param: str) -> None:
    must(
        effort is None or effort in EFFORTS,
        f"Invalid value: '{effort}'. Supported values are: {', '.join(EFFORTS)}.",
        param,
        "invalid_value",
    )


def check_chat_tools(model: str, effort: Any) -> None:
    """Raises Refusal where a model takes tools only through the Responses API."""
    refused = _NO_CHAT_TOOLS.match(model) or (
        _NO_TOOLS_WITH_EFFORT.match(model) and effort not in (None, "none")
    )
    must(
        not refused,
        f"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. "
        "Please use /v1/responses instead.",
        "reasoning_effort",
    )


def check_function(function: Any, where: str) -> None:
    """A function that is offered: its name and its schema."""
    must(isinstance(function, dict), f"Missing required parameter: '{where}'.", where)
    name = function.get("name")
    must(
        name is not None,
        f"Missing required parameter: '{where}.name'.",
        f"{where}.name",
        "missing_required_parameter",
    )
    must(
        isinstance(name, str) and _TOOL_NAME.fullmatch(name) is not None,
        f"Invalid '{where}.name': expected a string that matches ^[a-zA-Z0-9_-]+$, at most 64 characters.",
        f"{where}.name",
        "invalid_value",
    )
    parameters = function.get("parameters")
    must(
        parameters is None or (isinstance(parameters, dict) and parameters.get("type", "object") == "object"),
        f"Invalid schema for function '{name}': schema must be of type 'object'.",
        f"{where}.parameters",
        "invalid_function_parameters",
    )


def check_choice(choice: Any, tools: Any) -> None:
    must(
        choice is None or isinstance(choice, dict) or choice in ("none", "auto", "required"),
        f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'.",
        "tool_choice",
        "invalid_value",
    )
    must(
        choice is None or bool(tools),
        "'tool_choice' is only allowed when 'tools' are specified.",
        "tool_choice",
    )


def check_list(value: Any, name: str) -> list[Any]:
    """The list, empty when it is not sent. Raises Refusal for anything else."""
    must(
        value is None or isinstance(value, list),
        f"Invalid type for '{name}': expected an array.",
        name,
        "invalid_type",
    )
    return list(value or ())


def prompt_of(system: str, messages: list[Json], tools: list[Any]) -> Json:
    """What counts as prompt, in Anthropic's words. The vendor caches long prompts unasked ("Prompt
    caching").
    """
    return {
        "tools": tools,
        "system": system,
        "messages": messages,
        "cache_control": {"type": "ephemeral"},
    }
