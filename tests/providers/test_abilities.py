"""What a model cannot do is refused in a sentence before anything is sent, flag by flag."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from providers import catalogue
from providers.abilities import must_be_able
from providers.catalogue import Capability, ModelSpec, Thinking
from providers.errors import Unsupported
from providers.types import MessageRequest

TEXT = {"type": "text", "text": "Hello."}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": ""}}
PLAIN = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
CITED = {**PLAIN, "citations": {"enabled": True}}
TOOL = {"name": "clock", "input_schema": {"type": "object"}}
ALL = frozenset(
    {
        "tools",
        "vision",
        "pdf",
        "caching",
        "structured_output",
        "stop_sequences",
        "parallel_tools",
        "citations",
        "web_search",
        "web_fetch",
        "code_execution",
        "fast",
        "prefill",
        "forced_tools",
        "forced_tools_with_thinking",
        "mid_system",
    }
)


def able(*without: Capability, **more: Any) -> ModelSpec:
    """A model that can do everything but this."""
    known = catalogue.spec("anthropic/claude-sonnet-4-6")
    assert known is not None
    values: dict[str, Any] = {"name": "Modest", "capabilities": ALL - set(without), "sampling": True}
    return msgspec.structs.replace(known, **values | more)


def asking(*blocks: Any, messages: list[Any] | None = None, **more: Any) -> MessageRequest:
    said = messages or [{"role": "user", "content": list(blocks) or "Hello."}]
    return MessageRequest(model="m", messages=said, max_tokens=1000, **more)


CALL = {"type": "tool_use", "id": "t", "name": "clock", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}
HISTORY = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [CALL]}]
FLAGGED: list[tuple[Capability, MessageRequest, str]] = [
    ("tools", asking(tools=[TOOL]), "use tools"),
    ("tools", asking(messages=[*HISTORY, {"role": "user", "content": [RESULT]}]), "tools were used"),
    ("web_search", asking(tools=[{"type": "web_search_20260318", "name": "web_search"}]), "search the web"),
    ("web_fetch", asking(tools=[{"type": "web_fetch_20260318", "name": "web_fetch"}]), "open web pages"),
    ("code_execution", asking(tools=[{"type": "code_execution_20260521", "name": "c"}]), "run code"),
    ("forced_tools", asking(tools=[TOOL], tool_choice={"type": "any"}), "made to use a tool"),
    (
        "forced_tools",
        asking(tools=[TOOL], tool_choice={"type": "tool", "name": "clock"}),
        "made to use a tool",
    ),
    (
        "forced_tools_with_thinking",
        asking(tools=[TOOL], tool_choice={"type": "any"}, thinking={"type": "adaptive"}),
        "while it thinks",
    ),
    (
        "parallel_tools",
        asking(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        "several tools at once",
    ),
    ("vision", asking(TEXT, IMAGE), "read images"),
    ("vision", asking(messages=[*HISTORY, {"role": "user", "content": [RESULT]}]), "read images"),
    ("pdf", asking(PDF), "read PDF"),
    ("citations", asking(CITED), "cite documents"),
    (
        "structured_output",
        asking(output_config={"format": {"type": "json_schema", "schema": {}}}),
        "a schema",
    ),
    ("stop_sequences", asking(stop_sequences=["END"]), "stop at given words"),
    (
        "mid_system",
        asking(messages=[{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]),
        "in the middle",
    ),
    (
        "prefill",
        asking(messages=[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]),
        "begun for it",
    ),
    ("fast", asking(extra={"speed": "fast"}), "fast mode"),
]


@pytest.mark.parametrize(("flag", "request_", "says"), FLAGGED)
def test_each_flag_decides(flag: Capability, request_: MessageRequest, says: str) -> None:
    must_be_able(request_, able())
    with pytest.raises(Unsupported) as refusal:
        must_be_able(request_, able(flag))
    assert says in refusal.value.safe_message
    assert refusal.value.safe_message.startswith("Modest cannot ")
    assert refusal.value.sent is False
    assert refusal.value.retryable is False


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_is_for_models_that_honour_it(name: str) -> None:
    asked = asking(temperature=0.5) if name == "temperature" else asking(extra={name: 1})
    must_be_able(asked, able())
    with pytest.raises(Unsupported, match=f"be given a {name}"):
        must_be_able(asked, able(sampling=False))


@pytest.mark.parametrize(
    ("model", "thinking", "effort", "says"),
    [
        ("claude-opus-5-5", {"type": "disabled"}, None, "answer without thinking"),
        ("claude-opus-5-5", {"type": "enabled", "budget_tokens": 2000}, None, "given number of tokens"),
        ("claude-opus-5-5", {"type": "adaptive", "display": "updates"}, None, None),
        ("claude-haiku-5-5", {"type": "disabled"}, "xhigh", "at an effort above high"),
        ("claude-haiku-5-5", {"type": "disabled"}, "high", None),
        ("claude-haiku-5-5", {"type": "disabled"}, None, None),
        ("claude-sonnet-5-5", {"type": "between_tools"}, "max", "at an effort above high"),
        ("claude-sonnet-5-5", {"type": "between_tools"}, None, None),
        ("claude-haiku-4-5", {"type": "adaptive"}, None, "choose by itself how long to think"),
        ("claude-haiku-4-5", None, "low", "how much effort"),
        ("claude-opus-4-5", None, "max", "it takes low, medium, high"),
        ("claude-opus-4-5", None, "low", None),
        ("claude-sonnet-5-5", {"type": "hypnosis"}, None, "'hypnosis'"),
    ],
)
def test_thinking_and_effort_follow_the_models_own_rules(
    model: str, thinking: Any, effort: str | None, says: str | None
) -> None:
    spec = catalogue.spec(f"anthropic/{model}")
    assert spec is not None
    asked = asking(thinking=thinking, output_config={"effort": effort} if effort else None)
    if says is None:
        must_be_able(asked, spec)
        return
    with pytest.raises(Unsupported, match=says):
        must_be_able(asked, spec)


def test_a_display_is_for_models_that_have_it() -> None:
    silent = able(thinking=Thinking(kinds=("adaptive",)))
    must_be_able(asking(thinking={"type": "adaptive"}), silent)
    with pytest.raises(Unsupported, match="summarized"):
        must_be_able(asking(thinking={"type": "adaptive", "display": "summarized"}), silent)


def test_without_thinking_a_model_that_may_not_think_forced_may_be_forced() -> None:
    haiku = catalogue.spec("anthropic/claude-haiku-4-5")
    assert haiku is not None
    forced = {"tools": [TOOL], "tool_choice": {"type": "any"}}
    must_be_able(asking(**forced), haiku)
    with pytest.raises(Unsupported, match="while it thinks"):
        must_be_able(asking(**forced, thinking={"type": "enabled", "budget_tokens": 2000}), haiku)


def test_a_model_that_cannot_think_may_be_told_not_to() -> None:
    plain = able(thinking=Thinking())
    must_be_able(asking(thinking={"type": "disabled"}), plain)
    with pytest.raises(Unsupported):
        must_be_able(asking(thinking={"type": "adaptive"}), plain)


def test_an_answer_that_paused_is_no_prefill() -> None:
    working = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [TEXT, working]}]
    must_be_able(asking(messages=messages), able("prefill"))


def test_every_model_of_the_catalogue_can_hold_a_plain_conversation() -> None:
    messages = [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": [TEXT]},
        {"role": "user", "content": [TEXT]},
    ]
    for spec in catalogue.specs():
        must_be_able(asking(messages=messages, system="Be brief."), spec)


@pytest.mark.parametrize(
    "strange",
    [
        asking(messages=[{"role": "user", "content": [None, 1, {"type": 5}, {"source": "x"}]}]),
        asking(tools=[{"type": 7}], tool_choice={"type": 7}),
        asking(thinking={"type": "adaptive", "display": 5}),
        asking(messages=[{}]),
    ],
)
def test_what_is_no_request_at_all_is_left_to_the_vendor(strange: MessageRequest) -> None:
    must_be_able(strange, able())
