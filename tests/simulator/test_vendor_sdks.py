"""The vendors' own clients talk to the simulator: what they accept is what the vendors send."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncAzureOpenAI, AsyncOpenAI

from tests.simulator.conftest import Caller, directive

Json = dict[str, Any]
SCHEMA: Json = {"type": "object", "properties": {"query": {"type": "string"}}}
CALL = {"name": "lookup", "input": {"query": "Ghent"}, "id": "call_1"}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "lookup", "parameters": SCHEMA}}
FLAT_TOOL: Any = {"type": "function", "name": "lookup", "parameters": SCHEMA, "strict": False}
MODEL = "gpt-5.4"


@pytest.fixture
async def openai_client(caller: Caller) -> AsyncIterator[AsyncOpenAI]:
    url = f"{caller.server.base_url}/openai/v1"
    async with AsyncOpenAI(base_url=url, api_key="sk-made-up", max_retries=0) as client:
        yield client


@pytest.fixture
async def anthropic_client(caller: Caller) -> AsyncIterator[AsyncAnthropic]:
    url = caller.server.base_url
    async with AsyncAnthropic(base_url=url, api_key="sk-made-up", max_retries=0) as client:
        yield client


def said(**script: Any) -> list[Any]:
    return [{"role": "user", "content": directive("Hello.", **script)}]


# Anthropic's


async def test_anthropic_streams_text_thinking_and_tools(anthropic_client: AsyncAnthropic) -> None:
    messages = said(text="One moment, 東京.", thinking="Look it up.", tool_use=CALL)
    async with anthropic_client.messages.stream(
        model="claude-sonnet-5-5", max_tokens=1000, messages=messages
    ) as stream:
        message = await stream.get_final_message()
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text", "tool_use"]
    assert json.loads(message.model_dump_json())["content"][2]["input"] == {"query": "Ghent"}
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ({"status": 401}, anthropic.AuthenticationError),
        ({"status": 429}, anthropic.RateLimitError),
        ({"status": 529}, anthropic.APIStatusError),
    ],
)
async def test_anthropic_errors(
    anthropic_client: AsyncAnthropic, script: Json, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await anthropic_client.messages.create(
            model="claude-sonnet-5-5", max_tokens=10, messages=said(**script)
        )


@pytest.mark.parametrize(
    "reason",
    ["end_turn", "max_tokens", "stop_sequence", "pause_turn", "refusal", "model_context_window_exceeded"],
)
async def test_anthropic_stop_reasons(anthropic_client: AsyncAnthropic, reason: str) -> None:
    message = await anthropic_client.messages.create(
        model="claude-sonnet-5-5", max_tokens=1000, messages=said(text="So", stop_reason=reason)
    )
    assert message.stop_reason == reason


async def test_anthropic_lists_and_counts(anthropic_client: AsyncAnthropic) -> None:
    listed = [model.id async for model in anthropic_client.models.list(limit=3)]
    assert "claude-sonnet-5-5" in listed and len(listed) > 20
    counted = await anthropic_client.messages.count_tokens(model="claude-sonnet-5-5", messages=said())
    assert counted.input_tokens > 0


# OpenAI's Chat Completions


async def test_chat_streams_text_and_tools(openai_client: AsyncOpenAI) -> None:
    messages = said(text="One moment, 東京.", tool_use=[CALL, CALL | {"id": "call_2"}])
    async with openai_client.chat.completions.stream(
        model=MODEL, messages=messages, tools=[CHAT_TOOL], stream_options={"include_usage": True}
    ) as stream:
        completion = await stream.get_final_completion()
    (choice,) = completion.choices
    assert choice.message.content == "One moment, 東京."
    calls = choice.message.tool_calls or []
    assert [(call.id, call.function.arguments) for call in calls] == [
        ("call_1", '{"query":"Ghent"}'),
        ("call_2", '{"query":"Ghent"}'),
    ]
    assert choice.finish_reason == "tool_calls"
    assert completion.usage is not None and completion.usage.completion_tokens > 0


async def test_chat_says_counts_only_when_asked(openai_client: AsyncOpenAI) -> None:
    chunks = await openai_client.chat.completions.create(model=MODEL, messages=said(text="Hi"), stream=True)
    assert [chunk.usage async for chunk in chunks if chunk.usage is not None] == []


@pytest.mark.parametrize(
    ("script", "finish", "refusal"),
    [
        ({"text": "So"}, "stop", None),
        ({"text": "So", "stop_reason": "max_tokens"}, "length", None),
        ({"text": "So", "stop_reason": "refusal"}, "content_filter", None),
        (
            {"text": "So", "stop_reason": "refusal", "stop_details": {"explanation": "I will not."}},
            "stop",
            "I will not.",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_chat_says_how_it_ended(
    openai_client: AsyncOpenAI, script: Json, finish: str, refusal: str | None, streamed: bool
) -> None:
    messages = said(**script)
    if streamed:
        chunks = await openai_client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        choices = [choice async for chunk in chunks for choice in chunk.choices]
        words = "".join(choice.delta.refusal or "" for choice in choices) or None
        assert (choices[-1].finish_reason, words) == (finish, refusal)
    else:
        answer = await openai_client.chat.completions.create(model=MODEL, messages=messages)
        (choice,) = answer.choices
        assert (choice.finish_reason, choice.message.refusal) == (finish, refusal)


async def test_chat_goes_on_after_a_tool(openai_client: AsyncOpenAI) -> None:
    steps = [{"tool_use": CALL}, {"text": "It rains."}]
    messages = said(steps=steps)
    first = await openai_client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL])
    messages.append(first.choices[0].message)
    messages.append({"role": "tool", "tool_call_id": "call_1", "content": "rain"})
    second = await openai_client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL])
    assert second.choices[0].message.content == "It rains."


@pytest.mark.parametrize(
    ("script", "error", "code"),
    [
        (
            {"status": 400, "error": "context_length_exceeded"},
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        ({"status": 401}, openai.AuthenticationError, "invalid_api_key"),
        ({"status": 429}, openai.RateLimitError, "rate_limit_exceeded"),
        (
            {"status": 429, "details": {"error_code": "enforced_spend_limit_reached"}},
            openai.RateLimitError,
            "organization_spend_limit_exceeded",
        ),
        ({"status": 529}, openai.InternalServerError, "server_is_overloaded"),
        ({"status": 500}, openai.InternalServerError, None),
    ],
)
async def test_openai_errors(
    openai_client: AsyncOpenAI, script: Json, error: type[openai.APIStatusError], code: str | None
) -> None:
    with pytest.raises(error) as by_chat:
        await openai_client.chat.completions.create(model=MODEL, messages=said(**script))
    with pytest.raises(error) as by_responses:
        await openai_client.responses.create(model=MODEL, input=said(**script))
    for caught in (by_chat, by_responses):
        assert caught.value.code == code
        assert (caught.value.request_id or "").startswith("req_")


async def test_an_error_inside_a_chat_stream(openai_client: AsyncOpenAI) -> None:
    chunks = await openai_client.chat.completions.create(
        model=MODEL, messages=said(deltas=9, error_event_after=4, message="Broken."), stream=True
    )
    with pytest.raises(openai.APIError, match="Broken"):
        async for _ in chunks:
            pass


# OpenAI's Responses


async def test_responses_streams_reasoning_text_and_tools(openai_client: AsyncOpenAI) -> None:
    given = said(text="One moment, 東京.", thinking="Look it up.", tool_use=CALL)
    async with openai_client.responses.stream(model=MODEL, input=given, tools=[FLAT_TOOL]) as stream:
        numbers = [event.sequence_number async for event in stream]
        response = await stream.get_final_response()
    assert numbers == list(range(len(numbers)))
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output_text == "One moment, 東京."
    call: Any = response.output[2]
    assert (call.call_id, json.loads(call.arguments)) == ("call_1", {"query": "Ghent"})
    assert call.id.startswith("fc_")
    assert response.status == "completed"


async def test_responses_go_on_after_a_tool_with_their_reasoning(openai_client: AsyncOpenAI) -> None:
    given = said(steps=[{"thinking": "Hm.", "tool_use": CALL}, {"text": "It rains.", "thinking": False}])
    first = await openai_client.responses.create(model=MODEL, input=given, tools=[FLAT_TOOL], store=False)
    given += [item.model_dump(exclude_none=True) for item in first.output]
    given.append({"type": "function_call_output", "call_id": "call_1", "output": "rain"})
    second = await openai_client.responses.create(model=MODEL, input=given, tools=[FLAT_TOOL], store=False)
    assert second.output_text == "It rains."
    async with AsyncOpenAI(base_url=openai_client.base_url, api_key="sk-other", max_retries=0) as stranger:
        with pytest.raises(openai.BadRequestError) as caught:
            await stranger.responses.create(model=MODEL, input=given, tools=[FLAT_TOOL], store=False)
    assert caught.value.code == "invalid_encrypted_content"


@pytest.mark.parametrize(
    ("script", "status", "reason"),
    [
        ({"text": "So", "stop_reason": "max_tokens"}, "incomplete", "max_output_tokens"),
        ({"text": "So", "stop_reason": "refusal"}, "incomplete", "content_filter"),
        ({"text": "So", "stop_reason": "pause_turn"}, "incomplete", "max_messages"),
        ({"text": "So", "stop_reason": "stop_sequence"}, "completed", None),
    ],
)
async def test_responses_say_how_they_ended(
    openai_client: AsyncOpenAI, script: Json, status: str, reason: str | None
) -> None:
    response = await openai_client.responses.create(model=MODEL, input=said(**script))
    details = response.incomplete_details
    assert (response.status, details.reason if details else None) == (status, reason)


async def test_a_refusal_in_words(openai_client: AsyncOpenAI) -> None:
    details = {"explanation": "I will not."}
    given = said(text="", stop_reason="refusal", stop_details=details)
    async with openai_client.responses.stream(model=MODEL, input=given) as stream:
        response = await stream.get_final_response()
    spoken: Any = response.output[-1]
    assert (response.status, spoken.content[0].refusal) == ("completed", "I will not.")


async def test_an_error_inside_a_response(openai_client: AsyncOpenAI) -> None:
    given = said(deltas=9, error_event_after=4, error_form="nested", message="Broken.")
    events = await openai_client.responses.create(model=MODEL, input=given, stream=True)
    with pytest.raises(openai.APIError, match="Broken"):
        async for _ in events:
            pass


async def test_a_flat_error_inside_a_response(openai_client: AsyncOpenAI) -> None:
    given = said(deltas=9, error_event_after=4, error="server_error", message="Broken.")
    events = await openai_client.responses.create(model=MODEL, input=given, stream=True)
    seen: list[Any] = []
    try:
        async for event in events:
            seen.append((event.type, getattr(event, "message", "")))
    except openai.APIError as error:  # which of both depends on the client's version
        seen.append(("error", error.message))
    assert seen[-1] == ("error", "Broken.")


async def test_a_response_that_failed(openai_client: AsyncOpenAI) -> None:
    given = said(deltas=9, error_event_after=4, error_form="failed", message="Broken.")
    events = await openai_client.responses.create(model=MODEL, input=given, stream=True)
    last: Any = [event async for event in events][-1]
    assert (last.type, last.response.error.message) == ("response.failed", "Broken.")


async def test_openai_lists_and_counts(openai_client: AsyncOpenAI) -> None:
    assert MODEL in [model.id async for model in openai_client.models.list()]
    assert (await openai_client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await openai_client.models.retrieve("unheard-of")
    counted = await openai_client.responses.input_tokens.count(model=MODEL, input="Hello")
    assert counted.input_tokens > 0


async def test_long_prompts_are_cached_unasked(openai_client: AsyncOpenAI) -> None:
    given = [{"role": "user", "content": "word " * 2000 + directive(text="Hi")}]
    first = await openai_client.chat.completions.create(model=MODEL, messages=given)  # type: ignore[arg-type]
    second = await openai_client.chat.completions.create(model=MODEL, messages=given)  # type: ignore[arg-type]
    assert first.usage and first.usage.prompt_tokens_details and second.usage
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    assert second.usage.prompt_tokens_details
    assert second.usage.prompt_tokens_details.cached_tokens == second.usage.prompt_tokens > 2000


# Azure's


async def test_azure_by_date(caller: Caller) -> None:
    async with AsyncAzureOpenAI(
        azure_endpoint=caller.server.base_url,
        api_key="made-up",
        api_version="2025-04-01-preview",
        max_retries=0,
    ) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=said(text="Hi you"), stream=True)
        chunks = [chunk async for chunk in stream]
        assert chunks[0].choices == [] and chunks[0].id == ""
        texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert "".join(texts) == "Hi you"
        assert (await client.responses.create(model=MODEL, input=said(text="Hi"))).output_text == "Hi"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="nobody-made-it", messages=said())
        assert caught.value.code == "DeploymentNotFound"
        with pytest.raises(openai.BadRequestError) as filtered:
            await client.chat.completions.create(
                model=MODEL, messages=said(status=400, error="content_filter")
            )
        assert filtered.value.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"  # type: ignore[index]
