"""What can go wrong in a stream: changes of its events, then changes of its bytes.

Numbers count events as the caller receives them, from 1: `after=3` acts when three events have been sent
(usually message_start, content_block_start and the first delta). Every function passes marks through and
keeps its input lazy.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from providers.simulator.steps import ByteStep, EventStep, Gate, Mark
from providers.types import StreamEvent

PIECE: Final = 1 << 16
NEWLINES: Final[Mapping[str, bytes]] = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}

# Events


def error_after(steps: Iterable[EventStep], after: int, errors: Iterable[StreamEvent]) -> Iterator[EventStep]:
    """End the stream with the events of an error after that many events."""
    yield from _first(steps, after)
    yield from errors


def duplicate(steps: Iterable[EventStep], number: int) -> Iterator[EventStep]:
    """Send event `number` twice."""
    for count, step in _numbered(steps):
        yield step
        if count == number and isinstance(step, dict):
            yield step


def reorder(steps: Iterable[EventStep], number: int) -> Iterator[EventStep]:
    """Swap event `number` with the next one."""
    held: StreamEvent | None = None
    for count, step in _numbered(steps):
        if count == number and isinstance(step, dict) and held is None:
            held = step
            continue
        yield step
        if held is not None and isinstance(step, dict):
            yield held
            held = None
    if held is not None:
        yield held


def late(
    steps: Iterable[EventStep], event: StreamEvent, ends: Callable[[StreamEvent], bool]
) -> Iterator[EventStep]:
    """Send one more event after the first one that ends what the event belongs to."""
    waiting = True
    for step in steps:
        yield step
        if waiting and isinstance(step, dict) and ends(step):
            waiting = False
            yield event


def unknown(steps: Iterable[EventStep], events: Iterable[StreamEvent], after: int) -> Iterator[EventStep]:
    """Insert events of kinds that no client knows."""
    for count, step in _numbered(steps):
        yield step
        if count == after and isinstance(step, dict):
            yield from events


def pings(
    steps: Iterable[EventStep], ping: StreamEvent, every: int, ends: Callable[[StreamEvent], bool]
) -> Iterator[EventStep]:
    """Send a sign of life after every so many events, but none after the last."""
    for count, step in _numbered(steps):
        yield step
        if isinstance(step, dict) and count % every == 0 and not ends(step):
            yield ping


def _numbered(steps: Iterable[EventStep]) -> Iterator[tuple[int, EventStep]]:
    """Each step with the number of events up to and including it."""
    count = 0
    for step in steps:
        if isinstance(step, dict):
            count += 1
        yield count, step


def _first(steps: Iterable[EventStep], events: int) -> Iterator[EventStep]:
    if events <= 0:
        return
    for count, step in _numbered(steps):
        yield step
        if count >= events:
            return


# Bytes


def encoded(
    steps: Iterable[EventStep],
    encode: Callable[[StreamEvent], bytes],
    *,
    newline: str = "lf",
    raw: Callable[[], Iterator[bytes]] | None = None,
    raw_after: int = 0,
) -> Iterator[ByteStep]:
    """The events as bytes; `raw` is inserted as it is after `raw_after` events."""
    ending, count = NEWLINES[newline], 0
    if raw is not None and raw_after <= 0:
        yield from raw()
    for step in steps:
        if not isinstance(step, dict):
            yield step
            continue
        count += 1
        frame = encode(step)
        yield frame if newline == "lf" else frame.replace(b"\n", ending)
        if raw is not None and count == raw_after:
            yield from raw()


def bad_utf8(around: tuple[bytes, bytes]) -> Iterator[bytes]:
    """A text delta whose text is not UTF-8: a lone continuation byte, an overlong form, half a character."""
    yield around[0] + b"\x80\xc0\xaf\xe2\x82" + around[1]


def bad_json(around: tuple[bytes, bytes]) -> Iterator[bytes]:
    """A text delta whose JSON breaks off."""
    yield around[0][:-4] + b"\n\n"


def giant_event(around: tuple[bytes, bytes], size: int) -> Iterator[bytes]:
    """A text delta of about `size` bytes, made piece by piece."""
    yield around[0]
    for _ in range(size // PIECE):
        yield b"x" * PIECE
    yield b"x" * (size % PIECE) + around[1]


def at_events(
    steps: Iterable[ByteStep], ends: Mapping[int, Mark], gates: Mapping[int, Gate]
) -> Iterator[ByteStep]:
    """Stand at a gate, or end with a mark, when so many frames have been sent."""
    count = 0
    if 0 in gates:
        yield gates[0]
    if 0 in ends:
        yield ends[0]
        return
    for step in steps:
        yield step
        if isinstance(step, bytes):
            count += 1
            if count in gates:
                yield gates[count]
            if count in ends:
                yield ends[count]
                return


def at_byte(steps: Iterable[ByteStep], limit: int, end: Mark) -> Iterator[ByteStep]:
    """End with a mark after that many bytes, in the middle of an event if it falls so."""
    left = limit
    for step in steps:
        if isinstance(step, bytes):
            if len(step) >= left:
                yield step[:left]
                yield end
                return
            left -= len(step)
        yield step


def chunked(steps: Iterable[ByteStep], size: int | None, seed: int) -> Iterator[ByteStep]:
    """Hand the bytes over in writes of `size` bytes, or of a random size of 1 to 40 when size is None.

    The cuts fall anywhere: inside a character, between CR and LF. Frames are cut each for itself.
    """
    choice = random.Random(seed)  # noqa: S311 - repeatable test data, not secrecy
    for step in steps:
        if not isinstance(step, bytes):
            yield step
            continue
        start = 0
        while start < len(step):
            end = start + (size or choice.randint(1, 40))
            yield step[start:end]
            yield Mark.FLUSH
            start = end
