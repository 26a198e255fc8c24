"""From the bytes of a stream to its events: our readers beside the vendors' clients and httpx-sse, in turns.

Every contender gets the same pieces of the same stream, in the same process and thread, one after the other
in each round, in an order that turns from round to round. What is counted is the thread's CPU time. The ratio
of two contenders is taken within a round, so that whatever else the machine does concerns both.

Ours is what an adapter runs: bytes to clean events; for OpenAI's wires that includes their translation into
Anthropic's events. A vendor's client is its own `Stream` over a stand-in for the HTTP answer: decoder, JSON,
typed event. httpx-sse reads lines from an httpx response, as its documentation shows, and `json.loads` each
event's data. No contender adds events up to a message.
"""

from __future__ import annotations

import gc
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import anthropic
import httpx
import httpx_sse
import msgspec
import openai
from anthropic import Anthropic
from anthropic.types import RawMessageStreamEvent
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from providers.event_reader import EventReader
from providers.openai_chat import ChatReader
from providers.openai_responses import ResponsesReader
from providers.simulator import scripted
from providers.simulator.anthropic_wire import AnthropicWire
from providers.simulator.chat_wire import ChatWire
from providers.simulator.estimate import PromptTokens
from providers.simulator.responses_wire import ResponsesWire
from providers.simulator.rules import Asked
from providers.simulator.script import Directive
from providers.simulator.wire import Wire

OURS: Final = "ours"
GOAL: Final = 3.0
ROUNDS: Final = 40
DELTAS: Final = 1500
PACKETS: Final = (("one event", 0), ("16 KiB", 16 * 1024))
"""How the bytes come: one event at a time, as a stream that is written while it is made; or in full reads."""

Read = Callable[[Sequence[bytes]], int]
"""Reads the pieces to their end; how many characters of text came out."""


@dataclass(frozen=True)
class Contest:
    """One wire, one way of cutting its bytes, and who reads them. seconds: of each round, by contender."""

    wire: str
    packets: str
    pieces: Sequence[bytes]
    events: int
    readers: dict[str, Read]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def micros(self, name: str) -> float:
        """Microseconds per event, the median of the rounds."""
        return statistics.median(self.seconds[name]) / self.events * 1e6

    def ratios(self, name: str) -> list[float]:
        """How many times the CPU time of ours a contender took, round by round, rising."""
        pairs = zip(self.seconds[name], self.seconds[OURS], strict=True)
        return sorted(theirs / ours for theirs, ours in pairs)


def measured(rounds: int = ROUNDS) -> list[Contest]:
    """All contests. Raises AssertionError when two contenders do not read the same text."""
    contests = list(_contests())
    for contest in contests:
        found = {name: read(contest.pieces) for name, read in contest.readers.items()}
        assert len(set(found.values())) == 1, f"{contest.wire}: they read different texts: {found}"
    for number, contest in itertools.product(range(rounds), contests):
        names = list(contest.readers)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect()
            began = time.thread_time()
            contest.readers[name](contest.pieces)
            contest.seconds.setdefault(name, []).append(time.thread_time() - began)
    return contests


def markdown(contests: Sequence[Contest]) -> str:
    versions = {name: version(name) for name in ("anthropic", "openai", "httpx", "httpx-sse", "msgspec")}
    lines = [
        f"Python {platform.python_version()}, {platform.machine()}; "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + ".",
        f"{len(contests[0].seconds[OURS])} rounds; CPU time of one thread. Ratios are taken within a round.",
        "",
        "| wire | pieces | contender | µs per event | times ours: median | lowest | highest |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for contest in contests:
        for name in contest.readers:
            row = f"| {contest.wire} | {contest.packets} | {name} | {contest.micros(name):.2f} |"
            if name == OURS:
                lines.append(f"{row} 1 | | |")
                continue
            ratios = contest.ratios(name)
            middle = statistics.median(ratios)
            lines.append(f"{row} {middle:.2f} | {ratios[0]:.2f} | {ratios[-1]:.2f} |")
    lines += ["", *verdict(contests)]
    return "\n".join(lines) + "\n"


def verdict(contests: Sequence[Contest]) -> list[str]:
    """Whether the goal is met, wire by wire: the vendor's own client takes so many times our time."""
    told = []
    for contest in contests:
        client = next(name for name in contest.readers if name not in (OURS, "httpx-sse"))
        middle = statistics.median(contest.ratios(client))
        met = "met" if middle >= GOAL else "missed"
        told.append(
            f"Goal for {contest.wire}, {contest.packets}: {GOAL:g} times faster than `{client}`: "
            f"{met} ({middle:.2f})."
        )
    return told


def as_json(contests: Sequence[Contest]) -> list[dict[str, Any]]:
    return [
        {
            "wire": contest.wire,
            "pieces": contest.packets,
            "events": contest.events,
            "seconds": contest.seconds,
        }
        for contest in contests
    ]


def _contests() -> Iterator[Contest]:
    anthropic_client = Anthropic(api_key="none", base_url="http://127.0.0.1:9")
    openai_client = OpenAI(api_key="none", base_url="http://127.0.0.1:9")

    def anthropic_sdk(pieces: Sequence[bytes]) -> int:
        stream: Any = anthropic.Stream(
            cast_to=RawMessageStreamEvent,  # type: ignore[arg-type]
            response=_answer(pieces),
            client=anthropic_client,
        )
        return sum(map(_anthropic_text, stream))

    def chat_sdk(pieces: Sequence[bytes]) -> int:
        stream: Any = openai.Stream(
            cast_to=ChatCompletionChunk, response=_answer(pieces), client=openai_client
        )
        return sum(len(choice.delta.content or "") for chunk in stream for choice in chunk.choices)

    def responses_sdk(pieces: Sequence[bytes]) -> int:
        stream: Any = openai.Stream(
            cast_to=ResponseStreamEvent,  # type: ignore[arg-type]
            response=_answer(pieces),
            client=openai_client,
        )
        return sum(len(event.delta) for event in stream if event.type == "response.output_text.delta")

    wires: list[tuple[str, Wire, dict[str, Read]]] = [
        (
            "Anthropic Messages",
            AnthropicWire(),
            {OURS: _events, "anthropic": anthropic_sdk, "httpx-sse": _lines(_anthropic_json)},
        ),
        (
            "OpenAI Chat Completions",
            ChatWire(include_usage=True),
            {OURS: _chat, "openai": chat_sdk, "httpx-sse": _lines(_chat_json)},
        ),
        (
            "OpenAI Responses",
            ResponsesWire(echo={}, organization="", padded=True),
            {OURS: _responses, "openai": responses_sdk, "httpx-sse": _lines(_responses_json)},
        ),
    ]
    for (name, wire, readers), (packets, size) in itertools.product(wires, PACKETS):
        frames = _stream(wire)
        body = b"".join(frames)
        pieces = frames if not size else [body[at : at + size] for at in range(0, len(body), size)]
        yield Contest(name, packets, pieces, len(frames), readers)


def _stream(wire: Wire) -> list[bytes]:
    """One answer as frames: some thinking, a long text, a tool call."""
    tool = {"name": "lookup", "id": "call_1", "input": {"query": "the weather in Ghent " * 20}}
    fields = {"thinking": "Weigh it. " * 40, "text": "Words and words, Liège. " * 500, "deltas": DELTAS}
    directive = msgspec.convert({**fields, "tool_use": tool}, Directive)
    asked = Asked(
        body={},
        model="scripted",
        messages=[],
        text="",
        system="",
        max_tokens=None,
        stream=True,
        thinks=None,
        shows_thinking=True,
        stop_sequences=(),
    )
    answer = scripted.answer(directive, asked, PromptTokens(uncached=12))
    steps = scripted.streamed(directive, answer, wire, "req_1", odd=False)
    return [step for step in steps if isinstance(step, bytes)]


# Ours


def _events(pieces: Sequence[bytes]) -> int:
    reader, size = EventReader(), 0
    for piece in pieces:
        for event in reader.feed(piece):
            size += _anthropic_json(event)
    return size


def _chat(pieces: Sequence[bytes]) -> int:
    return _foreign(ChatReader(), pieces)


def _responses(pieces: Sequence[bytes]) -> int:
    return _foreign(ResponsesReader(), pieces)


def _foreign(reader: ChatReader | ResponsesReader, pieces: Sequence[bytes]) -> int:
    size = 0
    for piece in pieces:
        for event in reader.feed(piece):
            size += _anthropic_json(event)
    return size


# Theirs


class _Answer:
    """A stand-in for an HTTP answer whose body lies ready."""

    is_closed = False

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.headers: dict[str, str] = {}

    def iter_bytes(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        self.is_closed = True


def _answer(pieces: Iterable[bytes]) -> Any:
    return _Answer(pieces)


def _lines(text_of: Callable[[Any], int]) -> Read:
    def read(pieces: Sequence[bytes]) -> int:
        answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter(pieces))
        size = 0
        for event in httpx_sse.EventSource(answer).iter_sse():
            if event.data != "[DONE]":
                size += text_of(json.loads(event.data))
        return size

    return read


# The text of one event: proof that everybody has read the same


def _anthropic_text(event: Any) -> int:
    if event.type == "content_block_delta" and event.delta.type == "text_delta":
        return len(event.delta.text)
    return 0


def _anthropic_json(event: Any) -> int:
    if event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
        return len(event["delta"]["text"])
    return 0


def _chat_json(chunk: Any) -> int:
    return sum(len(choice["delta"].get("content") or "") for choice in chunk["choices"])


def _responses_json(event: Any) -> int:
    return len(event["delta"]) if event["type"] == "response.output_text.delta" else 0
