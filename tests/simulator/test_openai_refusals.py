"""What the simulator refuses on OpenAI's wires, as the vendor does."""

from typing import Any

import pytest

from tests.simulator.conftest import Caller, Serve

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Hello"}
TOOL: Json = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL: Json = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
}
RESULT: Json = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
IMAGE: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
FLAT: Json = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
CALL_ITEM: Json = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT_ITEM: Json = {"type": "function_call_output", "call_id": "call_1", "output": "42"}


async def posted(caller: Caller, path: str, body: Json, **headers: str) -> Any:
    return await caller.http.post(f"/openai/v1{path}", json=body, headers=headers)


def assert_error(answer: Any, status: int, words: str, code: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert words in error["message"]
    assert code in (None, error["code"])
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": []}, "empty array"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "robot"),
        ({"messages": [USER, CALL, USER]}, "call_1"),
        ({"messages": [USER, CALL]}, "call_1"),
        ({"messages": [USER, RESULT]}, "must be a response to a preceding"),
        ({"messages": [USER, CALL, RESULT | {"content": [IMAGE]}]}, "image_url"),
        ({"messages": [{"role": "assistant", "content": [IMAGE]}]}, "image_url"),
        ({"messages": [{"role": "assistant", "content": None}]}, "content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}, "input_text"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "image"),
        ({"colour": "green"}, "Unrecognized request argument supplied: colour"),
        ({"system": "Be kind."}, "Unrecognized request argument supplied: system"),
        ({"max_tokens": 10}, "max_completion_tokens"),
        ({"max_completion_tokens": 0}, "minimum"),
        ({"stop": ["x"]}, "stop"),
        ({"model": "gpt-4o", "stop": ["a", "b", "c", "d", "e"]}, "at most 4"),
        ({"temperature": 0.5}, "temperature"),
        ({"reasoning_effort": "enormous"}, "enormous"),
        ({"reasoning_effort": "low", "tools": [TOOL]}, "/v1/responses"),
        ({"model": "gpt-6.1-sol", "tools": [TOOL]}, "/v1/responses"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tools": []}, "empty array"),
        ({"tools": [FLAT]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "name"),
        ({"tools": [{"type": "function", "function": {"name": "a" * 65}}]}, "64"),
        ({"tools": [{"name": "look", "input_schema": {}}]}, "type"),
        ({"tool_choice": "auto"}, "tools"),
        ({"tools": [TOOL], "tool_choice": "any"}, "any"),
        ({"parallel_tool_calls": False}, "tools"),
        ({"response_format": {"type": "json_schema", "schema": {}}}, "json_schema.name"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_wrong_chat_request_is_refused(caller: Caller, change: Json, words: str) -> None:
    body = {"model": "gpt-5.4", "messages": [USER], **change}
    assert_error(await posted(caller, "/chat/completions", body), 400, words)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [USER, CALL, RESULT, USER]},
        {"messages": [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": [IMAGE]}]},
        {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [TOOL], "reasoning_effort": "none", "temperature": 0.5},
        {"model": "gpt-4o", "stop": ["x"], "temperature": 0.2, "max_tokens": 5},
        {"reasoning_effort": "high", "max_completion_tokens": 50, "prompt_cache_key": "k"},
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_right_chat_request_is_answered(caller: Caller, change: Json) -> None:
    answer = await posted(caller, "/chat/completions", {"model": "gpt-5.4", "messages": [USER], **change})
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "robot"),
        ({"input": [USER, CALL_ITEM]}, "No tool output found for function call call_1"),
        ({"input": [USER, OUTPUT_ITEM]}, "No tool call found for function call output"),
        ({"input": [USER, CALL_ITEM | {"id": "call_1"}, OUTPUT_ITEM]}, "begins with 'fc'"),
        ({"input": [USER, {"type": "function_call", "name": "look", "arguments": "{}"}]}, "call_id"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, "output_text"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input_text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "image_url"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "AAAA"}]}, "summary"),
        (
            {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "AAAA"}]},
            "could not be verified",
        ),
        ({"input": [USER | {"phase": "final"}]}, "final"),
        ({"messages": [USER]}, "Unknown parameter: 'messages'"),
        ({"stop": ["x"]}, "Unknown parameter: 'stop'"),
        ({"max_output_tokens": 15}, ">= 16"),
        ({"temperature": 0.5}, "temperature"),
        ({"reasoning": {"effort": "enormous"}}, "enormous"),
        ({"reasoning": {"summary": "long"}}, "long"),
        ({"tools": [TOOL]}, "name"),
        ({"tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}]}, "strict"),
        ({"tools": [FLAT], "tool_choice": {"type": "function", "function": {"name": "look"}}}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_wrong_response_request_is_refused(caller: Caller, change: Json, words: str) -> None:
    body = {"model": "gpt-5.4", "input": "Hello", **change}
    assert_error(await posted(caller, "/responses", body), 400, words)


async def test_reasoning_that_was_not_kept_is_not_found(caller: Caller) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    answer = await posted(caller, "/responses", {"model": "gpt-5.4", "input": [item, USER]})
    assert_error(answer, 404, "not persisted")


@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
async def test_an_unknown_model_is_refused(caller: Caller, path: str) -> None:
    body = (
        {"model": "unheard-of", "messages": [USER]}
        if "chat" in path
        else {"model": "unheard-of", "input": "x"}
    )
    assert_error(await posted(caller, path, body), 404, "unheard-of", "model_not_found")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"model": "\xff"}'])
async def test_a_body_that_is_no_object_is_refused(caller: Caller, body: bytes) -> None:
    assert_error(await caller.http.post("/openai/v1/responses", content=body), 400, "JSON")


async def test_unknown_paths_and_methods(caller: Caller) -> None:
    assert_error(await caller.http.get("/openai/v1/unheard-of"), 404, "Invalid URL")
    assert_error(await caller.http.get("/openai/v1/responses"), 405, "Not Allowed")


async def test_only_the_accepted_keys_open(serve: Serve) -> None:
    caller = await serve(scripted=True, keys={"sk-right-one": "org-a"})
    body: Json = {"model": "gpt-5.4", "messages": [USER]}
    assert_error(await posted(caller, "/chat/completions", body), 401, "API key", "invalid_api_key")
    wrong = await posted(caller, "/chat/completions", body, authorization="Bearer sk-wrong")
    assert_error(wrong, 401, "sk-wrong", "invalid_api_key")
    right = await posted(caller, "/chat/completions", body, authorization="Bearer sk-right-one")
    assert right.headers["openai-organization"] == "org-a"


async def test_a_status_key_gets_its_status(caller: Caller) -> None:
    answer = await caller.http.get("/openai/v1/models", headers={"authorization": "Bearer sk-sim-403"})
    assert_error(answer, 403, "403")
