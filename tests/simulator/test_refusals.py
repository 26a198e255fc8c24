"""What the simulator refuses, and how: always in the vendor's error shape."""

from typing import Any

import pytest

from tests.simulator.conftest import VERSION, Caller, Serve, directive

USER = {"role": "user", "content": "Hello"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}]}


def assert_error(answer: Any, status: int, kind: str, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["type"] == "error" and body["error"]["type"] == kind
    assert words in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "type"),
        ({"messages": [USER, {"role": "assistant", "content": "Well"}]}, "prefill"),
        ({"messages": [USER, CALL, USER]}, "toolu_1"),
        ({"messages": [USER, CALL]}, "toolu_1"),
        ({"messages": [RESULT]}, "toolu_1"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"model": ""}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"colour": "green"}, "colour: Extra inputs are not permitted"),
        ({"temperature": 1}, "temperature"),
        ({"system": [{"type": "image"}]}, "system"),
        ({"stop_sequences": [" "]}, "stop_sequences"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 30_000}}, "max_tokens"),
        ({"thinking": {"type": "adaptive", "budget_tokens": 2000}}, "budget_tokens"),
        ({"thinking": {"type": "sometimes"}}, "thinking"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_a_wrong_request_is_refused(caller: Caller, change: dict[str, Any], words: str) -> None:
    assert_error(await caller.ask("Hello", **change), 400, "invalid_request_error", words)


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
async def test_a_missing_field_is_named(caller: Caller, missing: str) -> None:
    body = caller.body("Hello")
    del body[missing]
    answer = await caller.http.post("/v1/messages", json=body)
    assert_error(answer, 400, "invalid_request_error", f"{missing}: Field required")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"model": "\xc3"}'])
async def test_a_body_that_is_no_json_object_is_refused(caller: Caller, content: bytes) -> None:
    assert_error(await caller.http.post("/v1/messages", content=content), 400, "invalid_request_error")


async def test_a_body_above_the_limit_is_too_large(caller: Caller) -> None:
    answer = await caller.http.post("/v1/messages", content=b"x" * 32_000_001)
    assert_error(answer, 413, "request_too_large")


async def test_the_version_header_is_needed(caller: Caller) -> None:
    for headers in ({"anthropic-version": ""}, {"anthropic-version": "2020-01-01"}):
        answer = await caller.http.post("/v1/messages", json=caller.body("Hello"), headers=headers)
        assert_error(answer, 400, "invalid_request_error", "anthropic-version")


async def test_an_answered_tool_call_is_accepted(caller: Caller) -> None:
    answer = await caller.ask("", messages=[USER, CALL, RESULT], stream=False)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/", 404, "not_found_error"),
        ("GET", "/v1/complete", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("DELETE", "/v1/models", 405, "invalid_request_error"),
        ("POST", "/v1/models/parley-demo", 405, "invalid_request_error"),
        ("GET", "/v1/models/", 404, "not_found_error"),
        ("GET", "/v1/models/unheard-of", 404, "not_found_error"),
        ("GET", "/_simulator/unheard-of", 404, "not_found_error"),
        ("POST", "/_simulator/stats", 405, "invalid_request_error"),
    ],
)
async def test_unknown_paths_and_methods(
    caller: Caller, method: str, path: str, status: int, kind: str
) -> None:
    assert_error(await caller.http.request(method, path), status, kind)


async def test_an_unknown_model_is_not_found(serve: Serve) -> None:
    demo = await serve()
    assert_error(
        await demo.ask("Hello", model="claude-sonnet-5-5"), 404, "not_found_error", "claude-sonnet-5-5"
    )
    scripted = await serve(scripted=True)
    assert (await scripted.ask("Hello", model="claude-sonnet-5-5")).status_code == 200
    assert_error(await scripted.ask("Hello", model="gpt-1"), 404, "not_found_error")


async def test_the_demo_obeys_no_directives_and_has_no_control_pages(serve: Serve) -> None:
    demo = await serve()
    message = await demo.whole(directive(status=500))
    assert "built-in demo" in message["content"][0]["text"]
    assert_error(await demo.http.get("/_simulator/stats"), 404, "not_found_error")


async def test_keys_are_checked_where_they_are_given(serve: Serve) -> None:
    caller = await serve(keys={"sk-good": "org"})
    body = caller.body("Hello", stream=False)
    for headers, status in (
        ({}, 401),
        ({"x-api-key": "sk-bad"}, 401),
        ({"x-api-key": "sk-good"}, 200),
        ({"authorization": "Bearer sk-good"}, 200),
        ({"authorization": "Bearer sk-good", "x-api-key": "sk-good"}, 401),
    ):
        answer = await caller.http.post("/v1/messages", json=body, headers=VERSION | headers)
        assert answer.status_code == status, headers


@pytest.mark.parametrize(("status", "kind"), [(401, "authentication_error"), (403, "permission_error")])
async def test_a_key_can_ask_for_a_status(caller: Caller, status: int, kind: str) -> None:
    answer = await caller.http.get("/v1/models", headers={"x-api-key": f"sk-sim-{status}"})
    assert_error(answer, status, kind)


async def test_a_malformed_directive_says_what_is_wrong(caller: Caller) -> None:
    assert_error(await caller.ask(directive(dltas=3)), 400, "invalid_request_error", "dltas")
    assert_error(await caller.ask('[[simulate {"text": ]]'), 400, "invalid_request_error", "JSON")
    assert_error(await caller.ask('[[simulate {"text": "x"}'), 400, "invalid_request_error", "simulate")
    assert_error(await caller.ask(directive(rate="fast")), 400, "invalid_request_error", "rate")
    assert_error(
        await caller.ask(directive(deltas=-1), stream=False), 400, "invalid_request_error", "endless"
    )
