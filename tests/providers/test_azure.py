"""Azure OpenAI: two styles of address, a content filter, refusals of its own."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import Any

import pytest

from providers import errors
from providers.access import Access, Secret
from providers.azure import AzureAdapter
from providers.fold import fold
from providers.heard import Head
from providers.transport import Transport
from providers.types import MessageRequest
from tests.corpus import Recording, recordings
from tests.providers.azure_resource import DATED, SECRET, Azure, access, client, collect, failure
from tests.providers.loopback import Exchange, loopback
from tests.providers.openai_answers import USAGE, answers, chat, chunk, responses
from tests.providers.openai_oracle import of_message, of_recorded
from tests.providers.openai_specs import spec_of

SPEC = spec_of(provider="azure", api="responses")


@pytest.fixture
def adapter(pool: Transport) -> AzureAdapter:
    return AzureAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model="my gpt/1", messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


@pytest.mark.parametrize("tail", ["", "/", "/openai", "/openai/v1", "/openai/v1/"])
async def test_the_v1_style(tail: str, adapter: AzureAdapter, question: MessageRequest):
    heads: list[Head] = []
    async with loopback(Azure()) as server:
        events = await collect(adapter, question, access(server.url + tail), heard=heads.append)
    message = fold(events)
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert message["stop_reason"] == "end_turn"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (9, 5)
    (asked,) = server.exchanges
    assert asked.path == "/openai/v1/chat/completions"
    assert asked.header("api-key") == SECRET
    assert asked.header("authorization") is None
    assert json.loads(asked.body)["model"] == "my gpt/1"
    assert [(head.status, head.request_id) for head in heads] == [(200, "req-1")]


async def test_the_dated_style_names_the_deployment_in_the_address(
    adapter: AzureAdapter, question: MessageRequest
):
    async with loopback(Azure()) as server:
        await collect(adapter, question, access(server.url, **DATED))
    (asked,) = server.exchanges
    assert asked.path == ("/openai/deployments/my%20gpt%2F1/chat/completions?api-version=2025-04-01-preview")
    body = json.loads(asked.body)
    assert body["stream_options"] == {"include_usage": True}
    assert body["max_completion_tokens"] == 100
    assert not {"prompt_cache_key", "safety_identifier", "service_tier", "store"} & body.keys()


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/openai/v1/responses"),
        ({"api_version": "v1"}, "/openai/v1/responses"),
        (DATED, "/openai/responses?api-version=2025-04-01-preview"),
    ],
)
async def test_responses_have_no_deployment_in_their_address(
    options: dict[str, str], path: str, adapter: AzureAdapter, question: MessageRequest
):
    async with loopback(Azure(responses())) as server:
        events = await collect(adapter, question, access(server.url, **options), spec=SPEC)
    assert fold(events)["content"] == [{"type": "text", "text": "Hello"}]
    (asked,) = server.exchanges
    assert asked.path == path
    body = json.loads(asked.body)
    assert body["model"] == "my gpt/1"
    assert body["store"] is False


async def test_a_refused_key_is_not_tried_again(adapter: AzureAdapter, question: MessageRequest):
    azure = Azure(answers(401, {"error": {"code": "401", "message": "Access denied due to invalid key"}}))
    error = await failure(adapter, question, azure)
    assert isinstance(error, errors.AuthenticationError)
    assert azure.asked == 1


async def test_filter_results_say_nothing_by_themselves(adapter: AzureAdapter, question: MessageRequest):
    prompt = {"choices": [], "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}
    told = chunk(role="assistant", content="Hello")
    told["choices"][0]["content_filter_results"] = {"hate": {"filtered": False, "severity": "safe"}}
    async with loopback(Azure(chat(prompt, told, chunk("stop"), USAGE))) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["id"], message["model"]) == ("chat-1", "gpt-test")


async def test_an_answer_that_the_filter_ends_is_a_refusal(adapter: AzureAdapter, question: MessageRequest):
    script = chat(chunk(role="assistant", content="Well"), chunk("content_filter"), USAGE)
    async with loopback(Azure(script)) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert message["content"] == [{"type": "text", "text": "Well"}]
    assert message["stop_reason"] == "refusal"


async def test_a_prompt_that_the_filter_blocks_is_a_refusal(adapter: AzureAdapter, question: MessageRequest):
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}
    refusal = {"code": "content_filter", "message": f"The prompt {SECRET} was filtered", "innererror": inner}
    heads: list[Head] = []
    async with loopback(Azure(answers(400, {"error": refusal}))) as server:
        events = await collect(adapter, question, access(server.url), heard=heads.append)
    message = fold(events)
    assert message["content"] == []
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"]["explanation"] == "The prompt *** was filtered"
    assert [head.status for head in heads] == [400]


async def test_a_throttled_call_says_when_to_come_back(adapter: AzureAdapter, question: MessageRequest):
    script = answers(
        429, {"error": {"code": "429", "message": "slow"}}, retry_after_ms="1500", retry_after="9"
    )
    error = await failure(adapter, question, Azure(script))
    assert isinstance(error, errors.RateLimited)
    assert (error.retryable, error.retry_after) == (True, 1.5)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"code": "DeploymentNotFound", "message": "no"}}, "does not know this deployment"),
        ({"error": {"code": "404", "message": "Resource not found"}}, "API version"),
        (b"", "API version"),
    ],
)
async def test_a_deployment_that_is_not_there_is_explained(
    body: Any, words: str, adapter: AzureAdapter, question: MessageRequest
):
    error = await failure(adapter, question, Azure(answers(404, body)))
    assert isinstance(error, errors.NotFound)
    assert words in error.safe_message


async def test_an_echoed_key_is_masked(adapter: AzureAdapter, question: MessageRequest):
    error = await failure(adapter, question, Azure(answers(400, {"error": {"message": f"bad key {SECRET}"}})))
    assert error.safe_message == "bad key ***"


async def test_a_redirect_is_not_followed(adapter: AzureAdapter, question: MessageRequest):
    async with loopback(Azure()) as elsewhere:
        script = answers(307, b"", location=f"{elsewhere.url}/openai/v1/chat/completions")
        error = await failure(adapter, question, Azure(script))
        assert elsewhere.exchanges == []
    assert isinstance(error, errors.ProtocolError)


@pytest.mark.parametrize(
    "url", ["http://acme.openai.azure.com", "https://u:p@acme.openai.azure.com", "acme", "https://[", ""]
)
async def test_the_key_goes_to_safe_addresses_alone(
    url: str, adapter: AzureAdapter, question: MessageRequest
):
    with pytest.raises(errors.InvalidRequest) as caught:
        await collect(adapter, question, access(url))
    assert caught.value.sent is False


async def test_without_a_key_nothing_is_sent(adapter: AzureAdapter, question: MessageRequest):
    async with loopback(Azure()) as server:
        with pytest.raises(errors.AuthenticationError):
            await collect(adapter, question, Access(server.url, None, "api_key"))
        with pytest.raises(errors.AuthenticationError):
            await collect(adapter, question, Access(server.url, Secret("a b"), "api_key"))
        assert server.exchanges == []


async def test_the_list_is_of_models_that_chat(adapter: AzureAdapter):
    listing = {
        "data": [
            {
                "id": "gpt-x",
                "capabilities": {"chat_completion": True},
                "deprecation": {"inference": 1798761600},
            },
            {"id": "embedder", "capabilities": {"chat_completion": False}},
            {"id": "gpt-y", "deprecation": {"inference": "soon"}},
            {"object": "model"},
            "nonsense",
        ]
    }
    async with loopback(Azure(answers(200, listing))) as server:
        models = await adapter.list_models(access(server.url, **DATED))
        account = await adapter.check(access(server.url))
    assert [(model.id, model.retires_on) for model in models] == [
        ("gpt-x", date(2027, 1, 1)),
        ("gpt-y", None),
    ]
    assert account.models == ["gpt-x", "gpt-y"]
    assert [exchange.path for exchange in server.exchanges] == [
        "/openai/models?api-version=2025-04-01-preview",
        "/openai/v1/models",
    ]


async def test_tokens_are_not_counted(adapter: AzureAdapter, question: MessageRequest):
    assert await adapter.count_tokens(question, access("https://acme.openai.azure.com")) is None


async def test_a_cancelled_call_closes_its_connection(adapter: AzureAdapter, question: MessageRequest):
    left = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
        await exchange.until_left()
        left.set()

    async with loopback(Azure(endless)) as server:
        stream = adapter.stream(question, client(server.url))
        async for event in stream:
            if event["type"] == "content_block_delta":
                break
        await stream.aclose()
        await asyncio.wait_for(left.wait(), 5)


async def test_a_cut_answer_is_interrupted(adapter: AzureAdapter, question: MessageRequest):
    async def cut(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
        exchange.reset()

    error = await failure(adapter, question, Azure(cut))
    assert isinstance(error, errors.InterruptedStream)
    assert error.retryable is False


@pytest.mark.parametrize("recording", recordings("azure"), ids=str)
async def test_recorded_answers_come_through(
    recording: Recording, adapter: AzureAdapter, question: MessageRequest
):
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(recording.bytes())
        await exchange.end_stream()

    spec = SPEC if recording.api == "responses" else None
    async with loopback(Azure(script)) as server:
        message = fold(await collect(adapter, question, access(server.url), spec=spec))
    assert of_message(message) == of_recorded(recording.api, recording.expected())


@pytest.mark.parametrize("recording", recordings("azure", kind="error"), ids=str)
async def test_recorded_refusals_become_their_errors(
    recording: Recording, adapter: AzureAdapter, question: MessageRequest
):
    refusal = recording.error()
    error = await failure(adapter, question, Azure(answers(refusal["status"], refusal["body"])))
    kinds = {401: errors.AuthenticationError, 404: errors.NotFound}
    assert type(error) is kinds[refusal["status"]]
