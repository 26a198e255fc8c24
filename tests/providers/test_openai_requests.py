"""Requests in Anthropic's words, said to OpenAI: what each part becomes, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from providers.envelope import Origin
from providers.errors import InvalidRequest, Unsupported
from providers.openai_dialect import Dialect
from providers.openai_request import Names, strict_fits
from providers.openai_request_chat import chat_body
from providers.openai_request_responses import counting_body, responses_body
from providers.types import Block, Json, MessageRequest
from tests.openai_types import must_accept
from tests.providers.openai_calls import asked
from tests.providers.openai_specs import spec_of

OPENAI = Dialect(account="org-1")
COMPATIBLE = Dialect(
    provider="openai@local", official=False, system_role="system", max_tokens_field="max_tokens"
)
COPILOT = Dialect(provider="copilot", official=False, opaque_reasoning=True)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + b"0" * 20).decode()
EFFORTS = spec_of(efforts=("none", "low", "medium", "high"), default_effort="none")


def chat(request: MessageRequest, spec: Any = None, dialect: Dialect = OPENAI) -> Json:
    body = chat_body(request, spec, dialect, Names())
    must_accept("chat", body)
    return body


def responses(request: MessageRequest, spec: Any = None, dialect: Dialect = OPENAI) -> Json:
    body = responses_body(request, spec, dialect, Names())
    must_accept("responses", body)
    return body


def user(*blocks: Block | str) -> Json:
    told = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    return {"role": "user", "content": told}


def assistant(*blocks: Block | str) -> Json:
    return {**user(*blocks), "role": "assistant"}


def call(call_id: str, name: str = "find", **given: Any) -> Block:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def result(call_id: str, content: Any = "found", **fields: Any) -> Block:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}


def talk(*messages: Json, **fields: Any) -> MessageRequest:
    return asked(messages=list(messages), **fields)


def image(**source: Any) -> Block:
    return {"type": "image", "source": source or {"type": "base64", "media_type": "image/jpeg", "data": PNG}}


def document(**fields: Any) -> Block:
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    return {"type": "document", "source": source, **fields}


TALK = talk(
    user("Find a and b."),
    assistant("Looking.", call("call_a", q="ä"), call("call_b")),
    user(result("call_b", is_error=True), result("call_a", [{"type": "text", "text": "A"}]), "Go on."),
    assistant("Done."),
    user("Thanks."),
    system=[
        {"type": "text", "text": "Be", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "x"},
    ],
)


def test_a_conversation_with_tools_in_chat() -> None:
    assert chat(TALK)["messages"] == [
        {"role": "developer", "content": "Be\n\nx"},
        {"role": "user", "content": "Find a and b."},
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "find", "arguments": '{"q":"ä"}'}},
                {"id": "call_b", "type": "function", "function": {"name": "find", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_b", "content": "Error: found"},
        {"role": "tool", "tool_call_id": "call_a", "content": "A"},
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "Thanks."},
    ]


def test_a_conversation_with_tools_in_responses() -> None:
    body = responses(TALK)
    assert body["instructions"] == "Be\n\nx"
    said = [{"type": "input_text", "text": "Go on."}]
    assert body["input"][1:6] == [
        {"type": "message", "role": "assistant", "content": "Looking."},
        {"type": "function_call", "call_id": "call_a", "name": "find", "arguments": '{"q":"ä"}'},
        {"type": "function_call", "call_id": "call_b", "name": "find", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_b", "output": "Error: found"},
        {"type": "function_call_output", "call_id": "call_a", "output": "A"},
    ]
    assert body["input"][6] == {"type": "message", "role": "user", "content": said}


def test_a_compatible_server_gets_the_plain_words() -> None:
    request = asked(system="x", metadata={"user_id": "u"}, extra={"service_tier": "auto"})
    assert chat(request, dialect=COMPATIBLE) == {
        "model": "gpt-test",
        "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "Hello?"}],
        "max_tokens": 100,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_openai_gets_its_own_fields() -> None:
    request = asked(metadata={"user_id": "anna"}, extra={"service_tier": "standard_only"})
    for body in (chat(request), responses(request)):
        assert body["store"] is False
        assert body["service_tier"] == "default"
        assert body["stream_options"]["include_obfuscation"] is False
        assert len(body["safety_identifier"]) == 64
        assert "anna" not in json.dumps(body)
    assert chat(request)["max_completion_tokens"] == 100
    assert responses(asked(max_tokens=1))["max_output_tokens"] == 16


def test_the_cache_key_is_that_of_the_conversation() -> None:
    first, later = talk(user("a")), talk(user("a"), assistant("b"), user("c"))
    other, foreign = talk(user("b")), talk(user("a"), metadata={"user_id": "u"})
    keys = [responses(request)["prompt_cache_key"] for request in (first, later, other, foreign)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_system_message_within_the_conversation_stays_in_its_place() -> None:
    request = talk(user("a"), {"role": "system", "content": "Now be brief."}, user("b"))
    assert [message["role"] for message in chat(request)["messages"]] == ["user", "developer", "user"]
    roles = [message["role"] for message in chat(request, dialect=COMPATIBLE)["messages"]]
    assert roles == ["user", "system", "user"]
    assert [item["role"] for item in responses(request)["input"]] == ["user", "developer", "user"]


def test_pictures_and_documents() -> None:
    data_url = f"data:image/png;base64,{PNG}"  # what the bytes say, not the name
    file_url = f"data:application/pdf;base64,{PDF}"
    wrapped = image(type="base64", media_type="image/png", data=PNG[:10] + "\n" + PNG[10:])
    link = image(type="url", url="https://a.example/b.png")
    plain = document(source={"type": "text", "data": "body"}, title="T", context="C")
    request = talk(user("see", image(), wrapped, link, document(title="a/b"), plain))
    [message] = chat(request)["messages"]
    assert message["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": data_url}},
        {"type": "image_url", "image_url": {"url": data_url}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "file", "file": {"filename": "a_b.pdf", "file_data": file_url}},
        {"type": "text", "text": "T\nC\n\nbody"},
    ]
    [item] = responses(request)["input"]
    assert item["content"][1] == {"type": "input_image", "image_url": data_url, "detail": "auto"}
    assert item["content"][4] == {"type": "input_file", "filename": "a_b.pdf", "file_data": file_url}


def test_a_document_at_an_address() -> None:
    request = talk(user(document(source={"type": "url", "url": "https://a.example/b.pdf"}), "?"))
    [item] = responses(request)["input"]
    assert item["content"][0] == {"type": "input_file", "file_url": "https://a.example/b.pdf"}
    with pytest.raises(Unsupported):
        chat(request)


def test_a_picture_from_a_tool_follows_its_text() -> None:
    content = [{"type": "text", "text": "Here:"}, image()]
    request = talk(user("a"), assistant(call("c")), user(result("c", content, is_error=True)))
    tool, after = chat(request)["messages"][-2:]
    assert tool == {
        "role": "tool",
        "tool_call_id": "c",
        "content": "Error: Here:\n\n[1 attached to the next message]",
    }
    assert (after["role"], [part["type"] for part in after["content"]]) == ("user", ["text", "image_url"])
    output = responses(request)["input"][-1]["output"]
    assert [part["type"] for part in output] == ["input_text", "input_text", "input_image"]
    assert output[0]["text"].startswith("Error: ")


def test_a_search_result_is_told_in_words() -> None:
    found = {
        "type": "search_result",
        "title": "T",
        "source": "https://a.example/",
        "content": [{"type": "text", "text": "body"}],
    }
    request = talk(user("a"), assistant(call("c")), user(result("c", [found])))
    assert chat(request)["messages"][-1]["content"] == "T https://a.example/\nbody"


def test_an_empty_result_is_an_empty_text() -> None:
    request = talk(user("a"), assistant(call("c")), user({"type": "tool_result", "tool_use_id": "c"}))
    assert chat(request)["messages"][-1]["content"] == ""
    assert responses(request)["input"][-1]["output"] == ""


def test_the_words_of_another_vendors_tools_stay_in_the_history() -> None:
    search: Block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
    found: Block = {
        "type": "web_search_tool_result",
        "tool_use_id": "s",
        "content": [{"title": "T", "url": "https://a.example/", "encrypted_content": "x"}],
    }
    thought: Block = {"type": "thinking", "thinking": "secret", "signature": "EuYB"}
    request = talk(user("a"), assistant(thought, search, found, "So."), user("b"))
    for said in (chat(request)["messages"][1]["content"], responses(request)["input"][1]["content"]):
        assert "web_search" in said
        assert "https://a.example/" in said
        assert said.endswith("So.")
        assert "encrypted" not in said
        assert "secret" not in said


TOOL: Json = {"name": "find", "description": "d", "input_schema": {"type": "object"}, "cache_control": {}}


@pytest.mark.parametrize(
    ("choice", "of_chat", "of_responses"),
    [
        (None, "auto", "auto"),
        ({"type": "auto"}, "auto", "auto"),
        ({"type": "any"}, "required", "required"),
        ({"type": "none"}, "none", "none"),
        (
            {"type": "tool", "name": "find"},
            {"type": "function", "function": {"name": "find"}},
            {"type": "function", "name": "find"},
        ),
    ],
)
def test_the_choice_of_tools(choice: Json | None, of_chat: Any, of_responses: Any) -> None:
    request = asked(tools=[TOOL], tool_choice=choice)
    assert chat(request)["tool_choice"] == of_chat
    assert responses(request)["tool_choice"] == of_responses
    assert "tool_choice" not in chat(asked(tool_choice=choice))


def test_tools_are_functions() -> None:
    function = {"name": "find", "description": "d", "parameters": {"type": "object"}}
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    request = asked(tools=[TOOL], tool_choice=choice)
    assert chat(request)["tools"] == [{"type": "function", "function": {**function, "strict": False}}]
    assert chat(request, dialect=COMPATIBLE)["tools"] == [{"type": "function", "function": function}]
    assert responses(request)["tools"] == [{"type": "function", **function, "strict": False}]
    assert chat(request)["parallel_tool_calls"] is False
    assert responses(request)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in chat(asked(tools=[TOOL]))


def test_names_that_openai_does_not_take_are_shortened_alike_everywhere() -> None:
    names = Names()
    long, dotted = "x" * 80, "server.tool"
    tools = [{**TOOL, "name": name} for name in (long, dotted)]
    request = talk(
        user("a"),
        assistant(call("c", long)),
        user(result("c")),
        tools=tools,
        tool_choice={"type": "tool", "name": dotted},
    )
    body = chat_body(request, None, OPENAI, names)
    first, second = (tool["function"]["name"] for tool in body["tools"])
    assert names.full == {first: long, second: dotted}
    assert len(first) <= 64
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == first
    assert body["tool_choice"]["function"]["name"] == second


def test_ids_that_are_too_long_are_replaced_in_pairs() -> None:
    request = talk(user("a"), assistant(call("toolu_" + "x" * 60)), user(result("toolu_" + "x" * 60)))
    [asked_id] = [one["id"] for one in chat(request)["messages"][1]["tool_calls"]]
    assert chat(request)["messages"][2]["tool_call_id"] == asked_id
    assert len(asked_id) <= 40
    items = responses(request)["input"]
    assert items[1]["call_id"] == items[2]["call_id"]
    assert len(items[1]["call_id"]) <= 64


SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.mark.parametrize("closed", [False, True])
def test_a_form_of_answer(closed: bool) -> None:
    schema = {**SCHEMA, "title": "My answer", **({"additionalProperties": False} if closed else {})}
    request = asked(output_config={"format": {"type": "json_schema", "schema": schema}})
    told = {"name": "My_answer", "schema": schema, "strict": closed}
    assert chat(request)["response_format"] == {"type": "json_schema", "json_schema": told}
    assert responses(request)["text"] == {"format": {"type": "json_schema", **told}}


def test_what_openai_can_hold_an_answer_to() -> None:
    closed = {**SCHEMA, "additionalProperties": False}
    assert strict_fits(closed)
    assert strict_fits({"type": "array", "items": closed})
    assert not strict_fits({**closed, "required": []})
    assert not strict_fits({"type": "array", "items": SCHEMA})
    assert not strict_fits({"type": "object"})
    tool = {**TOOL, "strict": True, "input_schema": closed}
    assert responses(asked(tools=[tool]))["tools"][0]["strict"] is True
    with pytest.raises(Unsupported, match="find"):
        responses(asked(tools=[{**tool, "input_schema": SCHEMA}]))


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, "none"),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 3999}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 15999}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 16000}}, "high"),
        ({"output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"output_config": {"effort": "minimal"}}, "low"),
        ({"output_config": {"effort": "high"}, "thinking": {"type": "disabled"}}, "none"),
    ],
)
def test_effort_is_said_within_what_the_model_takes(fields: Json, effort: str) -> None:
    assert chat(asked(**fields), EFFORTS)["reasoning_effort"] == effort
    reasoning = responses(asked(**fields), EFFORTS)["reasoning"]
    assert reasoning == {"effort": effort, **({} if effort == "none" else {"summary": "auto"})}


def test_effort_without_none_and_without_knowledge() -> None:
    two = spec_of(efforts=("low", "high"), default_effort="high")
    off = asked(thinking={"type": "disabled"})
    assert chat(off, two)["reasoning_effort"] == "low"
    assert "reasoning_effort" not in chat(off)
    assert "reasoning_effort" not in chat(asked(), spec_of())
    assert chat(asked(output_config={"effort": "max"}))["reasoning_effort"] == "max"
    hidden = asked(thinking={"type": "adaptive", "display": "omitted"})
    assert responses(hidden, two)["reasoning"] == {"effort": "high"}


def test_sampling_is_said_only_while_the_model_does_not_reason() -> None:
    request = asked(temperature=0.5, extra={"top_p": 0.9})
    told = chat(request, EFFORTS)
    assert (told["temperature"], told["top_p"]) == (0.5, 0.9)
    thinks = asked(temperature=0.5, extra={"top_p": 0.9}, output_config={"effort": "low"})
    assert not {"temperature", "top_p"} & chat(thinks, EFFORTS).keys()
    assert not {"temperature", "top_p"} & responses(request, spec_of(default_on=True)).keys()
    assert responses(request)["temperature"] == 0.5


@pytest.mark.parametrize(
    ("capabilities", "dialect", "said"),
    [(("stop_sequences",), OPENAI, True), ((), OPENAI, False), ((), COMPATIBLE, False)],
)
def test_stop_sequences_go_where_the_flag_says_so(
    capabilities: tuple[str, ...], dialect: Dialect, said: bool
) -> None:
    request = asked(stop_sequences=["END"])
    assert ("stop" in chat(request, spec_of(capabilities=capabilities), dialect)) == said
    assert "stop" not in responses(request, spec_of(capabilities=capabilities), dialect)


def test_stop_sequences_of_unknown_models_and_too_many_of_them() -> None:
    assert "stop" not in chat(asked(stop_sequences=["END"]))
    reasoning = spec_of(capabilities=("stop_sequences",), efforts=("low", "high"))
    assert "stop" not in chat(asked(stop_sequences=["END"]), reasoning)
    assert chat(asked(stop_sequences=["END"]), dialect=COMPATIBLE)["stop"] == ["END"]
    assert "stop" not in chat(asked(stop_sequences=list("abcde")), dialect=COMPATIBLE)


def test_the_vendors_own_search() -> None:
    search = {
        "type": "web_search_20250305",
        "name": "web_search",
        "max_uses": 3,
        "allowed_domains": ["a.example"],
        "user_location": {"type": "approximate", "country": "DE"},
    }
    body = responses(asked(tools=[search]), spec_of(api="responses", capabilities=("web_search",)))
    assert body["tools"] == [
        {
            "type": "web_search",
            "filters": {"allowed_domains": ["a.example"]},
            "user_location": {"type": "approximate", "country": "DE"},
        }
    ]
    assert body["max_tool_calls"] == 3


def thought(origin: Origin, item: Json, text: str = "hm") -> Block:
    return {"type": "thinking", "thinking": text, "signature": origin.seal(item)}


def test_reasoning_goes_back_before_what_it_led_to_and_never_loose() -> None:
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"}
    mine, other = OPENAI.origin("gpt-test"), Origin(provider="azure", account="org-1")
    hosted = {"type": "web_search_call", "id": "ws", "status": "completed"}
    request = talk(
        user("a"),
        assistant(
            thought(mine, {"item": item, "phase": "final_answer"}),
            "Text.",
            mine.marked(hosted),
            other.marked(hosted),
            thought(other, {"item": item}),
            thought(mine, {"item": {**item, "encrypted_content": None}}),
            call("c"),
        ),
        user(result("c")),
        assistant("Cut", thought(mine, {"item": item})),
        user("b"),
    )
    items = responses_body(request, None, OPENAI, Names())["input"]
    assert items[1:4] == [
        item,
        {"type": "message", "role": "assistant", "content": "Text.", "phase": "final_answer"},
        hosted,
    ]
    kinds = [entry["type"] for entry in items[4:]]
    assert kinds == ["function_call", "function_call_output", "message", "message"]
    assert not any("reasoning" in json.dumps(message) for message in chat(request)["messages"])


def test_copilot_gets_its_opaque_string_back() -> None:
    origin = COPILOT.origin("gpt-test")
    request = talk(
        user("a"),
        assistant(
            thought(origin, {"field": "reasoning_text"}),
            "Hi.",
            thought(origin, {"opaque": "seal"}, ""),
            thought(Origin(provider="openai"), {"opaque": "other"}),
        ),
        user("b"),
    )
    message = chat_body(request, None, COPILOT, Names())["messages"][1]
    assert (message["reasoning_text"], message["reasoning_opaque"]) == ("hm", "seal")


def test_reasoning_content_goes_back_while_its_tools_are_answered() -> None:
    origin = COMPATIBLE.origin("gpt-test")
    plain = thought(origin, {"field": "reasoning_content"})
    detailed = thought(origin, {"field": "reasoning", "details": [{"type": "reasoning.text"}]})
    request = talk(
        user("a"), assistant(plain, "b"), user("c"), assistant(plain, call("d")), user(result("d"))
    )
    before, during = (
        message
        for message in chat_body(request, None, COMPATIBLE, Names())["messages"]
        if message["role"] == "assistant"
    )
    assert "reasoning_content" not in before
    assert during["reasoning_content"] == "hm"
    request = talk(user("a"), assistant(detailed, "b"), user("c"))
    message = chat_body(request, None, COMPATIBLE, Names())["messages"][1]
    assert message["reasoning_details"] == [{"type": "reasoning.text"}]


def test_a_count_is_asked_for_the_prompt_alone() -> None:
    body = counting_body(asked(system="s", tools=[TOOL], temperature=0.1), EFFORTS, OPENAI)
    must_accept("input_tokens", body)
    assert set(body) == {"model", "input", "instructions", "tools", "tool_choice", "reasoning"}


REFUSED: list[tuple[str, Json]] = [
    ("mcp_servers", {"extra": {"mcp_servers": [{}]}}),
    ("top_k", {"extra": {"top_k": 5}}),
    ("speed", {"extra": {"speed": "fast"}}),
    ("service tier", {"extra": {"service_tier": "flex"}}),
    ("task_budget", {"output_config": {"task_budget": {}}}),
    ("form of answer", {"output_config": {"format": {"type": "xml"}}}),
    ("computer_20250124", {"tools": [{"type": "computer_20250124", "name": "computer"}]}),
    ("web_fetch_20250910", {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    ("defer_loading", {"tools": [{**TOOL, "defer_loading": True}]}),
    ("choice of tools", {"tools": [TOOL], "tool_choice": {"type": "some"}}),
    ("another provider", {"messages": [user(image(type="file", file_id="file_1"))]}),
    ("JPEG", {"messages": [user(image(type="base64", media_type="image/tiff", data="SUkqAA=="))]}),
    (
        "PDF or text",
        {"messages": [user(document(source={"type": "base64", "data": "AAAA", "media_type": "x"}))]},
    ),
    ("cite", {"messages": [user(document(citations={"enabled": True}))]}),
    ("container_upload", {"messages": [user({"type": "container_upload", "file_id": "f"})]}),
    ("novelty", {"messages": [user("a"), assistant({"type": "novelty"}), user("b")]}),
    ("has begun", {"messages": [user("a"), assistant("b")]}),
]


@pytest.mark.parametrize(("word", "fields"), REFUSED, ids=[word for word, _ in REFUSED])
def test_what_cannot_be_said_is_refused_by_name(word: str, fields: Json) -> None:
    for write in (chat_body, responses_body):
        with pytest.raises(Unsupported) as caught:
            write(asked(**fields), None, OPENAI, Names())
        assert word in caught.value.safe_message
        assert caught.value.sent is False


WRONG: list[Json] = [
    {"messages": [user("a"), assistant(call("c")), user("b")]},
    {"messages": [user("a"), assistant(call("c"))]},
    {"messages": [user("a"), assistant(call("c")), {"role": "system", "content": "x"}, user(result("c"))]},
    {"messages": [user(result("c"))]},
    {"messages": [user("a"), assistant(call("c")), user(result("c"), result("c"))]},
    {"messages": [user("a"), assistant(call("c"), call("c")), user(result("c"))]},
    {"messages": [user(call("c"))]},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": "user", "content": ["x"]}]},
    {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    {"messages": ["x"]},
    {"messages": None},
    {"tools": [{"name": "x"}]},
    {"tools": [3]},
    {"thinking": "yes"},
    {"stop_sequences": [1]},
    {"messages": [user({"type": "image"})]},
]


@pytest.mark.parametrize("fields", WRONG, ids=str)
def test_what_is_wrong_is_said_before_it_is_sent(fields: Json) -> None:
    for write in (chat_body, responses_body):
        with pytest.raises(InvalidRequest) as caught:
            write(asked(**fields), None, OPENAI, Names())
        assert caught.value.sent is False
        assert caught.value.safe_message.endswith(".")
