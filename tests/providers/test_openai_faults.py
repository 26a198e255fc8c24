"""What a server of OpenAI's wire can do wrong, and the error that each ends in."""

from __future__ import annotations

import asyncio
import contextlib
import gzip

import pytest

from providers import errors
from providers.fold import fold
from providers.heard import Head
from providers.openai import OpenAIAdapter
from providers.transport import Timeouts, Transport
from providers.types import Json
from tests.providers.loopback import Exchange, Script, loopback
from tests.providers.openai_answers import DONE, USAGE, answers, chat, chunk, data, responses
from tests.providers.openai_calls import KEY, access, asked, collect, failure
from tests.providers.openai_specs import spec_of

RESPONSES = spec_of(api="responses")
CREATED: Json = {"type": "response.created", "response": {"id": "resp_1"}}
ADDED: Json = {
    "type": "response.output_item.added",
    "output_index": 0,
    "item": {"type": "message", "id": "m"},
}
DELTA: Json = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}


@pytest.fixture
def adapter(pool: Transport) -> OpenAIAdapter:
    return OpenAIAdapter(through=lambda: pool)


def hurried(pool: Transport, quiet: float = 30, **timeouts: float) -> OpenAIAdapter:
    return OpenAIAdapter(timeouts=Timeouts(**timeouts), quiet=quiet, through=lambda: pool)


def begins(*events: Json | bytes, reset: bool = False) -> Script:
    """A stream of these events that then ends, by its end mark or by a reset."""

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream(x_request_id="req-1")
        for event in events:
            await exchange.send(*([event] if isinstance(event, bytes) else data(event)))
        if reset:
            exchange.reset()
        else:
            await exchange.end_stream()

    return script


def then_comments(*events: Json) -> Script:
    """These events, and from then on a sign of life that is no content, every few milliseconds."""

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*data(*events))
        while True:
            await exchange.send(b": still here\n\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.005):
                    await exchange.until_left()

    return script


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_an_end_before_the_end_is_an_interruption(
    adapter: OpenAIAdapter, wire: str, reset: bool
) -> None:
    told = [chunk(content="Hel")] if wire == "chat" else [CREATED, ADDED, DELTA]
    spec = RESPONSES if wire == "responses" else None
    error = await failure(adapter, begins(*told, reset=reset), spec=spec)
    assert isinstance(error, errors.InterruptedStream)
    assert not error.retryable
    assert error.request_id == "req-1"


async def test_an_end_before_any_content_may_be_tried_again(adapter: OpenAIAdapter) -> None:
    error = await failure(adapter, begins(chunk(role="assistant", content="")))
    assert isinstance(error, errors.InterruptedStream)
    assert error.retryable


async def test_an_empty_answer_is_a_protocol_error(adapter: OpenAIAdapter) -> None:
    for script in (begins(), begins(DONE), begins(b": nothing\n\n")):
        error = await failure(adapter, script)
        assert isinstance(error, errors.ProtocolError)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_finished_answer_is_whole_without_done_and_usage(adapter: OpenAIAdapter, reset: bool) -> None:
    async with loopback(begins(chunk(content="Hi"), chunk("stop"), reset=reset)) as server:
        message = fold(await collect(adapter, asked(), access(server)))
    assert (message["stop_reason"], message["usage"]) == ("end_turn", {})


async def test_done_ends_the_answer_though_the_socket_stays_open(adapter: OpenAIAdapter) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*data(chunk(content="Hi"), chunk("stop"), USAGE), DONE)
        await exchange.until_left()

    async with loopback(script) as server, asyncio.timeout(5):
        assert fold(await collect(adapter, asked(), access(server)))["stop_reason"] == "end_turn"


async def test_the_last_event_ends_the_answer_though_the_socket_stays_open(adapter: OpenAIAdapter) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        end = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}}
        await exchange.send(*data(CREATED, ADDED, DELTA, end))
        await exchange.until_left()

    async with loopback(script) as server, asyncio.timeout(5):
        events = await collect(adapter, asked(), access(server), spec=RESPONSES)
    assert fold(events)["content"] == [{"type": "text", "text": "Hel"}]


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (b"data: {no json\n\n", errors.ProtocolError),
        (b'data: "text"\n\n', errors.ProtocolError),
        (b"data: \xff\xfe\n\n", errors.ProtocolError),
        (b"data: " + b"[" * 5000 + b"\n\n", errors.ProtocolError),
        (b"data: " + b" " * (9 * 1024 * 1024) + b"{}\n\n", errors.ProtocolError),
        (b'data: {"error":{"message":"busy","type":"server_error"}}\n\n', errors.ServerError),
        (b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n', errors.RateLimited),
        (b'data: {"error":{"code":"insufficient_quota"}}\n\n', errors.BillingError),
        (b'data: {"error":{"code":"context_length_exceeded"}}\n\n', errors.ContextExceeded),
        (b'data: {"error":{"code":502,"message":"upstream"}}\n\n', errors.ServerError),
        (b'data: {"error":"it broke"}\n\n', errors.ServerError),
        (b'event: error\ndata: {"error":{"code":401}}\n\n', errors.AuthenticationError),
        (b'data: {"object":"error","message":"x","code":400}\n\n', errors.InvalidRequest),
    ],
)
async def test_what_is_wrong_in_a_stream_is_an_error_of_its_kind(
    adapter: OpenAIAdapter, piece: bytes, kind: type[errors.ProviderError]
) -> None:
    late = await failure(adapter, begins(chunk(content="Hel"), piece))
    assert type(late) is kind
    assert not late.retryable
    assert late.sent
    early = await failure(adapter, begins(piece))
    assert type(early) is kind
    assert early.retryable == (kind in (errors.RateLimited, errors.ServerError) and b"broke" not in piece)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "x"}, errors.ServerError),
        ({"type": "error", "error": {"code": "rate_limit_exceeded"}}, errors.RateLimited),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error"}}},
            errors.ServerError,
        ),
        ({"type": "response.failed", "response": {}}, errors.ServerError),
        (
            {"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}},
            errors.InvalidRequest,
        ),
        ({"type": "response.cancelled", "response": {}}, errors.InterruptedStream),
        ({"type": "response.output_item.added"}, errors.ProtocolError),
    ],
)
async def test_a_response_that_fails_is_an_error_of_its_kind(
    adapter: OpenAIAdapter, event: Json, kind: type[errors.ProviderError]
) -> None:
    error = await failure(adapter, begins(CREATED, ADDED, DELTA, event), spec=RESPONSES)
    assert type(error) is kind
    assert not error.retryable


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>", {"content_type": "text/html"}),
        (b"hello", {"content_type": "text/plain"}),
        (b"", {"content_type": "application/json"}),
        (b"[]", {"content_type": "application/json"}),
        (gzip.compress(b"{}" * 1000), {"content_encoding": "gzip", "content_type": "text/event-stream"}),
        (gzip.compress(b"{}" * 1000), {"content_encoding": "gzip", "content_type": "application/json"}),
    ],
)
async def test_an_answer_that_is_none_is_a_protocol_error(
    adapter: OpenAIAdapter, body: bytes, headers: dict[str, str]
) -> None:
    error = await failure(adapter, answers(200, body, **headers))
    assert isinstance(error, errors.ProtocolError)
    assert not error.retryable


async def test_a_redirect_is_not_followed(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as elsewhere:
        error = await failure(adapter, answers(307, b"", location=f"{elsewhere.url}/v1/chat/completions"))
        assert elsewhere.exchanges == []
    assert isinstance(error, errors.ProtocolError)
    assert "307" in error.safe_message


async def test_no_server_there_was_not_sent(adapter: OpenAIAdapter) -> None:
    async with loopback(chat()) as server:
        to = access(server)
    with pytest.raises(errors.ConnectionFailed) as caught:
        await collect(adapter, asked(), to)
    assert caught.value.sent is False
    assert caught.value.retryable


async def test_a_key_is_masked_wherever_the_server_echoes_it(adapter: OpenAIAdapter) -> None:
    scripts = [
        answers(400, {"error": {"message": f"bad key {KEY}", "code": KEY}}),
        answers(500, KEY.encode(), content_type="text/plain"),
        answers(200, KEY.encode(), content_type=KEY),
        answers(401, {}, x_request_id=KEY, openai_organization=KEY),
        begins({"error": {"message": f"Bearer {KEY}"}}),
        begins(chunk(content="x"), {"error": f"sorry, {KEY}"}),
    ]
    heads: list[Head] = []
    for script in scripts:
        error = await failure(adapter, script, heard=heads.append)
        assert KEY not in f"{error!r} {error.to_json()}"
    assert len(heads) == len(scripts)
    assert KEY not in repr(heads)


async def test_comments_are_not_content_before_the_first(pool: Transport) -> None:
    error = await failure(hurried(pool, first=0.1), then_comments(chunk(role="assistant", content="")))
    assert isinstance(error, errors.DeadlineExceeded)
    assert error.retryable


async def test_comments_are_not_content_between_two(pool: Transport) -> None:
    error = await failure(hurried(pool, idle=0.1), then_comments(chunk(content="x")))
    assert isinstance(error, errors.DeadlineExceeded)
    assert not error.retryable


async def test_after_the_finish_nothing_is_waited_for_long(pool: Transport) -> None:
    """Neither usage nor `[DONE]` comes, and the socket stays open: the answer is whole all the same."""
    adapter = hurried(pool, idle=30, total=0.3)
    async with loopback(then_comments(chunk(content="x"), chunk("stop"))) as server:
        message = fold(await collect(adapter, asked(max_tokens=1), access(server)))
    assert message["stop_reason"] == "end_turn"


@pytest.mark.parametrize("kind", ["reasoning", "web_search_call"])
async def test_a_model_that_works_unseen_gets_more_time(kind: str, pool: Transport) -> None:
    item = {"type": "response.output_item.added", "output_index": 0, "item": {"type": kind, "id": "i"}}
    loop = asyncio.get_running_loop()
    began = loop.time()
    error = await failure(hurried(pool, idle=0.05, quiet=0.3), then_comments(CREATED, item), spec=RESPONSES)
    assert isinstance(error, errors.DeadlineExceeded)
    assert loop.time() - began >= 0.3


async def test_an_answer_without_end_meets_the_total_deadline(pool: Transport) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        while True:
            await exchange.send(*data(*[chunk(content="and ")] * 50))

    async with loopback(script) as server:
        with pytest.raises(errors.DeadlineExceeded):
            await collect(hurried(pool, total=0.2), asked(max_tokens=1), access(server))


async def test_closing_the_generator_closes_the_connection(adapter: OpenAIAdapter) -> None:
    left = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*data(chunk(content="x")))
        await exchange.until_left()
        left.set()

    async with loopback(script) as server, asyncio.timeout(5):
        events = adapter.stream(asked(), access(server))
        assert (await anext(events))["type"] == "message_start"
        await events.aclose()
        await left.wait()


async def test_a_whole_answer_gives_its_connection_back(adapter: OpenAIAdapter, pool: Transport) -> None:
    async with loopback(chat()) as server:
        for _ in range(3):
            await collect(adapter, asked(), access(server))
            await pool.settled()
        assert server.connections == 1


async def test_pieces_cut_anywhere_give_the_same_text(adapter: OpenAIAdapter) -> None:
    whole = b"".join([*data(chunk(content="a\u2028é🙂"), chunk("stop"), USAGE), DONE]).replace(b"\n", b"\r\n")

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(*(whole[at : at + 1] for at in range(len(whole))))
        await exchange.end_stream()

    async with loopback(script) as server:
        message = fold(await collect(adapter, asked(), access(server)))
    assert message["content"] == [{"type": "text", "text": "a\u2028é🙂"}]


async def test_events_that_come_twice_or_too_late_do_not_double_the_text(adapter: OpenAIAdapter) -> None:
    numbered = [{**event, "sequence_number": n} for n, event in enumerate([CREATED, ADDED, DELTA])]
    end = {
        "type": "response.completed",
        "sequence_number": 3,
        "response": {"id": "resp_1", "status": "completed"},
    }
    script = begins(*numbered, numbered[2], numbered[1], {"type": "response.unheard_of"}, end)
    async with loopback(script) as server:
        message = fold(await collect(adapter, asked(), access(server), spec=RESPONSES))
    assert message["content"] == [{"type": "text", "text": "Hel"}]


async def test_no_other_answer_reaches_a_call(adapter: OpenAIAdapter) -> None:
    async def script(exchange: Exchange) -> None:
        await responses(exchange.header("openai-project") or "")(exchange)

    async with loopback(script) as server:
        calls = [
            collect(adapter, asked(), access(server, options={"project": str(n)}), spec=RESPONSES)
            for n in range(20)
        ]
        answered = [fold(events)["content"][0]["text"] for events in await asyncio.gather(*calls)]
    assert answered == [str(n) for n in range(20)]
