"""From a directive to what leaves the simulator: a refusal, an answer, and the faults on its way."""

import itertools
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from providers.simulator import faults
from providers.simulator.answer import Answer, Part, Piece
from providers.simulator.estimate import PromptTokens
from providers.simulator.parts import evenly, natural, thinking_part, tool_part
from providers.simulator.replies import Refusal, Reply, new_id
from providers.simulator.rules import Asked
from providers.simulator.script import Directive
from providers.simulator.steps import ByteStep, Gate, Mark
from providers.simulator.wire import Wire
from providers.types import Json

DEFAULT_TEXT: Final = "This is a scripted answer."
DEFAULT_THINKING: Final = (
    "The question is short. The answer is scripted, so there is little to weigh. Answer now."
)
USAGE_FAULTS: Final[Mapping[str, Json]] = {
    "negative": {"input_tokens": -40, "output_tokens": -7},
    "nan": {"input_tokens": float("nan"), "output_tokens": float("nan")},
    "text": {"input_tokens": "forty", "output_tokens": "12 tokens"},
    "huge": {"input_tokens": 10**30, "output_tokens": 10**18},
    "null": {"input_tokens": None, "output_tokens": None},
}
KEY_HEADERS: Final = ("x-api-key", "api-key", "authorization")
HTML: Final = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>"


def refused(directive: Directive, headers: Mapping[str, str]) -> Reply | None:
    """The whole answer that replaces the stream, if the directive asks for one. Raises Refusal for one in the
    vendor's shape.
    """
    if directive.redirect is not None:
        return Reply(
            directive.status or 307, b"", headers={"location": directive.redirect, **directive.headers}
        )
    if directive.key_echo:
        key = next((headers[name] for name in KEY_HEADERS if headers.get(name)), "")
        raise Refusal(directive.status or 401, f"invalid x-api-key: {key}", headers=directive.headers)
    if directive.status is None:
        return None
    if directive.body is not None:
        return Reply(directive.status, directive.body.encode(), "text/html", directive.headers)
    message = directive.message or f"Scripted error with status {directive.status}."
    raise Refusal(
        directive.status, message, kind=directive.error, details=directive.details, headers=directive.headers
    )


def answer(directive: Directive, asked: Asked, prompt: PromptTokens) -> Answer:
    """The answer that a directive describes. Raises Refusal for an endless one that shall not be streamed."""
    if not asked.stream and directive.deltas is not None and directive.deltas < 0:
        raise Refusal(400, "simulate: an endless answer can only be streamed")
    calls = _tool_parts(directive)
    usage = directive.usage
    changes = USAGE_FAULTS.get(usage, {}) if isinstance(usage, str) else usage or {}
    return Answer(
        model=directive.model or asked.model,
        parts=[*_thinking_parts(directive, asked), *_said_parts(directive), *calls],
        prompt=prompt,
        stop_reason=directive.stop_reason or ("tool_use" if calls else "end_turn"),
        stop_sequence=directive.stop_sequence,
        stop_details=directive.stop_details,
        first_delay=directive.first_delay,
        usage_changes=changes,
        usage_missing=usage == "missing",
        usage_repeats=directive.usage_repeats,
        quirks=frozenset(directive.quirks),
    )


def streamed(
    directive: Directive, answer: Answer, wire: Wire, request_id: str, *, odd: bool
) -> Iterator[ByteStep]:
    """The answer's events as bytes, with the faults that change events or their bytes."""
    steps = wire.events(answer)
    if directive.duplicate is not None:
        steps = faults.duplicate(steps, directive.duplicate)
    if directive.reorder is not None:
        steps = faults.reorder(steps, directive.reorder)
    if directive.late is not None:
        place = directive.late
        steps = faults.late(steps, wire.late_text, lambda event: wire.ends(event, place))
    if directive.unknown is not None:
        unknown = [wire.unknown[kind] for kind in directive.unknown]
        steps = faults.unknown(steps, unknown, directive.after)
    if directive.ping_events > 0:
        steps = faults.pings(
            steps, wire.ping_event(), directive.ping_events, lambda event: wire.ends(event, "message")
        )
    if directive.error_event_after is not None:
        refusal = Refusal(
            directive.status or 529,
            directive.message or "Scripted error event.",
            kind=directive.error,
            details=directive.details,
        )
        errors = wire.error_events(refusal, request_id, directive.error_form)
        steps = faults.error_after(steps, directive.error_event_after, errors)
    return faults.encoded(
        steps,
        lambda event: wire.frame(event, odd=odd),
        newline=directive.newline,
        raw=_garbage(directive, wire.around_text),
        raw_after=directive.after,
    )


def spoils(directive: Directive) -> bool:
    """Whether something goes wrong with the bytes of an answer."""
    cuts = (directive.cut_after, directive.cut_bytes, directive.reset_after, directive.hang_after)
    odd = directive.garbage in ("bad_utf8", "bad_json", "giant_event", "empty_200", "gzip")
    return odd or directive.stop_then_hold or any(cut is not None for cut in cuts)


def whole(directive: Directive, body: bytes) -> Iterator[ByteStep]:
    """The body of an answer that is not streamed, with the faults that change bytes."""
    raw = _garbage(directive, (b'{"unasked": "', b'"}'))
    if directive.garbage == "bad_json":
        yield body[: len(body) // 2]
    elif raw is not None:
        yield from raw()
    else:
        yield body


def _garbage(directive: Directive, around: tuple[bytes, bytes]) -> Callable[[], Iterator[bytes]] | None:
    match directive.garbage:
        case "bad_utf8":
            return lambda: faults.bad_utf8(around)
        case "bad_json":
            return lambda: faults.bad_json(around)
        case "giant_event":
            return lambda: faults.giant_event(around, directive.size)
    return None


def broken(directive: Directive, steps: Iterable[ByteStep]) -> Iterable[ByteStep]:
    """The same bytes, but cut, held up, ended early or handed over in odd pieces, as the directive says."""
    ends = {
        after: mark
        for after, mark in (
            (directive.hang_after, Mark.HANG),
            (directive.cut_after, Mark.CUT),
            (directive.reset_after, Mark.RESET),
        )
        if after is not None
    }
    if directive.stop_then_hold:
        steps = itertools.chain(steps, [Mark.HANG])
    if ends or directive.gates:
        steps = faults.at_events(steps, ends, {after: Gate(name) for name, after in directive.gates.items()})
    if directive.cut_bytes is not None:
        steps = faults.at_byte(steps, directive.cut_bytes, Mark.CUT)
    if directive.chunk is not None:
        steps = faults.chunked(
            steps, None if directive.chunk == "random" else directive.chunk, directive.seed
        )
    return steps


def gzip_bomb(around: tuple[bytes, bytes], size: int) -> Iterator[ByteStep]:
    """A gzip body that unpacks to one event of about `size` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for number, piece in enumerate(faults.giant_event(around, size)):
        yield packer.compress(piece)
        if number % 16 == 0:
            yield Mark.FLUSH
    yield packer.flush()


def _thinking_parts(directive: Directive, asked: Asked) -> list[Part]:
    if directive.thinking is False or (directive.thinking is None and not asked.thinks):
        return []
    text = directive.thinking if isinstance(directive.thinking, str) else DEFAULT_THINKING
    return [thinking_part(text, asked)]


def _said_parts(directive: Directive) -> list[Part]:
    if directive.blocks is not None:
        return [_block_part(block) for block in directive.blocks]
    return [Part({"type": "text", "text": directive.text or ""}, _said(directive))]


def _stamp() -> str:
    return f"{time.monotonic_ns()} "


def _said(directive: Directive) -> Iterable[Piece]:
    counter = itertools.count() if (directive.deltas or 0) < 0 else range(directive.deltas or 0)
    if directive.stamp:
        return (_stamp for _ in counter)
    if directive.text is None and directive.deltas is not None:
        return (f"w{number} " for number in counter)
    text = DEFAULT_TEXT if directive.text is None else directive.text
    return natural(text) if directive.deltas is None else evenly(text, directive.deltas)


def _block_part(block: Json) -> Part:
    if not isinstance(block.get("type"), str):
        raise Refusal(400, "simulate: a block without a type")
    if block["type"] in ("text", "thinking"):
        return Part(block, natural(str(block.get(block["type"], ""))))
    return Part(block)


def _tool_parts(directive: Directive) -> list[Part]:
    if directive.tool_use is None:
        return []
    calls = directive.tool_use if isinstance(directive.tool_use, list) else [directive.tool_use]
    parts = []
    for call in calls:
        block = {
            "type": "tool_use",
            "id": call.get("id") or new_id("toolu"),
            "name": call.get("name", "lookup"),
            "input": call.get("input", {}),
        }
        raw = call.get("partial_json")
        parts.append(tool_part(block, raw if isinstance(raw, str) else None))
    return parts
