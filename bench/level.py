"""One level: so many streams started together against one server, and everything that is measured of them.

    rounds of short answers     -> times to the first frame (few streams give few of them otherwise)
    one round of long answers   -> times to the first frame, delays, CPU, memory, completeness

The steady window of the long round begins half a second after the last stream has shown its first frame, and
ends before the first one is due to end.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from bench.load import Load
from bench.pages import RATE, WAIT_SECONDS, Page, Stream, prompt
from bench.processes import Process, cpu_of, machine_seconds

MARGIN = 0.5  # seconds
SHORTEST_WINDOW = 1.5  # seconds
# By number of streams: how many rounds of short answers come before the long one, and their deltas. Of many
# streams each must outlast the start of all, or the work at its end would be measured as part of a start.
SHORT_ROUNDS = {1: (20, 4), 50: (3, 30)}
LOOK_EVERY = 0.2
QUIET = 30.0  # CPU milliseconds per second below which a server counts as at rest
QUIET_WAIT = 20.0


class Server(Protocol):
    """What a level measures: a process, or several that do one load's work together."""

    @property
    def label(self) -> str: ...

    def cpu(self) -> float: ...

    def rss(self) -> int: ...

    def check(self) -> None: ...


class Parts(Protocol):
    """Everything that works for a load, one by one: the processes of the server, and what is beside it."""

    async def look(self) -> None:
        """Finds the processes that are new."""

    def cpu(self) -> dict[str, float]:
        """Milliseconds so far, by name."""


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU milliseconds so far of everyone, and CPU seconds of the whole machine."""

    at: float
    server: float
    simulator: float
    client: float
    busy: float
    parts: dict[str, float]


@dataclass(slots=True)
class Level:
    """What one server did at one level. Times in milliseconds, memory in bytes, CPU as said."""

    name: str
    streams: int
    first: list[float] = field(default_factory=list)  # POST (or command) written -> first frame with a delta
    answered: list[float] = field(default_factory=list)  # POST written -> its answer
    delays: list[float] = field(
        default_factory=list
    )  # delta sent by the simulator -> its frame here, all deltas
    steady_delays: list[float] = field(default_factory=list)
    cpu: float = 0.0  # ms of the server per 1,000 deltas, steady window
    parts: dict[str, float] = field(default_factory=dict)  # the same of each part, where parts are known
    cpu_with_start: float = 0.0  # the same from the first POST to the last end
    start_cpu: float = 0.0  # ms of the server per stream, from the first POST to the last first frame
    start_seconds: float = 0.0  # from the first POST to the last first frame
    window: float = 0.0  # seconds
    deltas_per_second: float = 0.0
    frames_per_second: float = 0.0
    client_load: float = 0.0  # share of one processor
    simulator_load: float = 0.0
    server_load: float = 0.0
    others_load: float = 0.0  # everything else on this machine, share of one processor
    machine_load: float = 0.0  # share of all processors
    rss_before: int = 0
    rss_peak: int = 0
    deltas: int = 0
    expected: int = 0
    fetched: int = 0  # of the deltas, with the finished turn instead of by the socket
    problems: list[str] = field(default_factory=list)


class Meter:
    """Looks at the server, the simulator and this program."""

    def __init__(self, server: Server, simulator: Process, parts: Parts | None = None) -> None:
        self._server, self._simulator, self._parts = server, simulator, parts
        self.peak = 0

    async def sample(self) -> Sample:
        parts = {}
        if self._parts is not None:
            await self._parts.look()
            parts = self._parts.cpu()
        busy = machine_seconds()
        mine = cpu_of(os.getpid())
        return Sample(time.monotonic(), self._server.cpu(), self._simulator.cpu(), mine, busy, parts)

    async def watch_memory(self) -> None:
        while True:
            self.peak = max(self.peak, self._server.rss())
            await asyncio.sleep(LOOK_EVERY)

    async def quiet(self) -> None:
        """Waits until the server is at rest, at most QUIET_WAIT seconds."""
        until = time.monotonic() + QUIET_WAIT
        before = self._server.cpu()
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            now = self._server.cpu()
            if now - before < QUIET / 2:
                return
            before = now


async def measure(
    load: Load,
    streams: int,
    seconds: float,
    server: Server,
    simulator: Process,
    *,
    parts: Parts | None = None,
    lead: float = 1.0,
    rounds: int | None = None,
) -> Level:
    """Measures one level. seconds: of the steady window; lead: how long its streams may take to begin.

    Problems of single streams are in the result; a dead server raises NotStarted.
    """
    meter = Meter(server, simulator, parts)
    level = Level(load.name, streams)
    await meter.quiet()
    level.rss_before = server.rss()
    server.check()
    pages = await load.open(streams)
    try:
        await meter.quiet()
        usual, deltas = SHORT_ROUNDS.get(streams, (0, 0))
        for _ in range(usual if rounds is None else rounds):
            await load.ready(pages)
            await _ask(pages, deltas)
            await load.fetch_rest(pages, deltas)
            _read(level, pages, deltas)
            await asyncio.sleep(0.15)
        level.delays.clear()
        level.deltas = level.expected = level.fetched = 0
        await meter.quiet()
        await _long(level, load, pages, lead, seconds, meter)
    finally:
        for page in pages:
            await page.close()
        server.check()
    return level


async def _long(
    level: Level, load: Load, pages: list[Page], lead: float, seconds: float, meter: Meter
) -> None:
    deltas = round((lead + MARGIN + seconds + MARGIN) * RATE)
    watching = asyncio.create_task(meter.watch_memory())
    gc.collect()
    gc.disable()
    try:
        await load.ready(pages)
        begun = await meter.sample()
        asking = asyncio.create_task(_ask(pages, deltas))
        await _all([page.first for page in pages], WAIT_SECONDS)
        shown = await meter.sample()
        await asyncio.sleep(MARGIN)
        opened = await meter.sample()
        first = min((page.stream.first_at for page in pages if page.stream.first_at), default=0) / 1e9
        until = min(opened.at + seconds, first + deltas / RATE - MARGIN)
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        closed = await meter.sample()
        await asking
        over = await meter.sample()
    finally:
        gc.enable()
        watching.cancel()
    level.rss_peak = max(meter.peak, level.rss_before)
    await load.fetch_rest(pages, deltas)
    await load.compare(pages)
    shown_at = _read(level, pages, deltas)
    streams = [page.stream for page in pages if page.stream.first_at]
    if streams:
        last = max(stream.first_at for stream in streams)
        level.start_seconds = (last - min(stream.sent_at for stream in streams)) / 1e9
    level.start_cpu = (shown.server - begun.server) / len(pages)
    level.cpu_with_start = (over.server - begun.server) / max(1, level.deltas) * 1000
    _steady(level, pages, shown_at, opened, closed)


def _steady(
    level: Level, pages: list[Page], deltas: list[tuple[int, float]], opened: Sample, closed: Sample
) -> None:
    """Fills in what is measured in the steady window; deltas: (when shown, delay)."""
    level.window = closed.at - opened.at
    if level.window < SHORTEST_WINDOW:
        level.window = 0.0
        return
    inside = [delay for now, delay in deltas if opened.at <= now / 1e9 < closed.at]
    frames = sum(opened.at <= now / 1e9 < closed.at for page in pages for now, _ in page.stream.frames)
    level.steady_delays = inside
    level.cpu = (closed.server - opened.server) / max(1, len(inside)) * 1000
    parts = {name: cpu - opened.parts.get(name, 0.0) for name, cpu in closed.parts.items()}
    level.parts = {name: cpu / max(1, len(inside)) * 1000 for name, cpu in parts.items()}
    level.deltas_per_second = len(inside) / level.window
    level.frames_per_second = frames / level.window
    spent = 1000 * level.window
    level.server_load = (closed.server - opened.server) / spent
    level.client_load = (closed.client - opened.client) / spent
    level.simulator_load = (closed.simulator - opened.simulator) / spent
    busy = (closed.busy - opened.busy) / level.window
    ours = sum(parts.values()) / spent if parts else level.server_load
    level.others_load = max(0.0, busy - ours - level.client_load - level.simulator_load)
    level.machine_load = busy / (os.cpu_count() or 1)


async def _ask(pages: list[Page], deltas: int) -> None:
    """All pages ask at once; returns when every answer has ended."""
    text = prompt(deltas)
    asking = [asyncio.create_task(page.start(text)) for page in pages]
    await _all([page.ended for page in pages], WAIT_SECONDS + deltas / RATE)
    await asyncio.gather(*asking)
    for page in pages:
        if not page.stream.ended_at:
            page.fail(page.socket.closed or "the answer did not end in time")


async def _all(events: list[asyncio.Event], seconds: float) -> None:
    """Waits until all have happened, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for event in events:
                await event.wait()


def _read(level: Level, pages: list[Page], deltas: int) -> list[tuple[int, float]]:
    """Reads a round's frames into the level; returns (when shown, delay in ms) of every delta."""
    everything: list[tuple[int, float]] = []
    for page in pages:
        stream = page.stream
        seen = _deltas(page, stream)
        came = len(seen) + len(stream.fetched)
        if came != deltas:
            stream.problem = stream.problem or f"{came} deltas came, {deltas} were sent"
        everything += seen
        level.deltas += came
        level.fetched += len(stream.fetched)
        level.expected += deltas
        if stream.first_at:
            level.first.append((stream.first_at - stream.sent_at) / 1e6)
        if stream.answered_at:
            level.answered.append((stream.answered_at - stream.sent_at) / 1e6)
        if stream.problem:
            level.problems.append(stream.problem)
    level.delays += [delay for _now, delay in everything]
    return everything


def _deltas(page: Page, stream: Stream) -> list[tuple[int, float]]:
    """(when shown, delay in ms) of each delta.

    A delta is one time stamp and a blank: stamps that rise and are as many as were sent prove that nothing is
    lost, doubled, changed or out of order.
    """
    seen: list[tuple[int, float]] = []
    last = 0
    for now, text in page.texts(stream):
        for stamp in text.split():
            sent = int(stamp) if stamp.isdecimal() else 0
            if not last < sent <= now:
                stream.problem = (
                    stream.problem or f"a delta came changed, doubled or out of order: {stamp[:30]}"
                )
            seen.append((now, (now - sent) / 1e6))
            last = max(last, sent)
    return seen
