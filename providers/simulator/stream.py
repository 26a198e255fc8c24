"""Sends the steps of one stream to its caller: paced, counted, and stopped at once when the caller leaves."""

import asyncio
import math
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

from providers.simulator.counters import Counters
from providers.simulator.pacing import Timetable, Wheel
from providers.simulator.replies import Headers
from providers.simulator.steps import ByteStep, Gate, Mark, Sleep

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BATCH: Final = 1 << 14
"""Bytes that are collected at most before they are written, where nothing asks for an earlier write."""


class Connection(Protocol):
    """What a server can offer in `scope["extensions"]["simulator.connection"]`: the end of a connection by
    force.
    """

    def close(self) -> None:
        """Close after what was written has left."""

    def abort(self) -> None:
        """Reset the connection."""


class Stream:
    """One streamed answer on its way. `run` returns when it has ended, in whatever way."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        wheel: Wheel,
        counters: Counters,
        timetable: Timetable,
        ping: bytes = b"",
        ping_every: float = 0.0,
        connection: Connection | None = None,
    ) -> None:
        self._receive = receive
        self._send = send
        self._wheel = wheel
        self._counters = counters
        self._timetable = timetable
        self._ping = ping
        self._ping_every = ping_every
        self._next_ping = math.inf
        self._connection = connection
        self._gone = False
        self._waiter: asyncio.Future[None] | None = None
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._loop = asyncio.get_running_loop()

    async def run(self, status: int, headers: Headers, steps: Iterable[ByteStep]) -> None:
        """Send the head and the steps. Never raises because of the caller's absence."""
        counters = self._counters
        counters.add("streams_started")
        counters.add("streams_open")
        watcher = asyncio.create_task(self._watch())
        outcome = "streams_cancelled"
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            if self._ping_every:
                self._next_ping = self._loop.time() + self._ping_every
            end = await self._send_all(steps)
            if self._gone:
                return
            await self._flush()
            if end is None:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                outcome = "streams_finished"
            elif end is Mark.HANG:
                await self._wait(math.inf)
            else:
                await self._break_off(end)
                outcome = "streams_broken"
        finally:
            watcher.cancel()
            counters.add("streams_open", -1)
            counters.add(outcome)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._wake()

    async def _send_all(self, steps: Iterable[ByteStep]) -> Mark | None:
        """Send until the steps or the caller are gone; the mark that ends the stream out of order, if any."""
        paced = self._timetable.interval > 0
        for step in steps:
            if isinstance(step, bytes):
                self._buffer.append(step)
                self._buffered += len(step)
                if self._buffered >= BATCH:
                    await self._flush()
                    await asyncio.sleep(0)
            elif step is Mark.TICK:
                if paced and (due := self._timetable.due(self._loop.time())) > self._loop.time():
                    await self._flush()
                    await self._wait(due)
            elif step is Mark.FLUSH:
                await self._flush()
                await asyncio.sleep(0)
            elif isinstance(step, Sleep):
                await self._flush()
                await self._wait(self._loop.time() + step.seconds)
                self._timetable.restart()
            elif isinstance(step, Gate):
                await self._stand_at(step.name)
            else:
                return step
            if self._gone:
                return None
        return None

    async def _flush(self) -> None:
        if self._buffer and not self._gone:
            body = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
            self._counters.counts["writes"] += 1
            self._counters.counts["bytes"] += len(body)
            self._buffer.clear()
            self._buffered = 0
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _wait(self, due: float, until: Callable[[], bool] | None = None) -> None:
        """Wait for `due` by the loop's clock, for `until` to hold, or for the caller to leave; pings go out
        meanwhile.
        """
        while not self._gone and not (until is not None and until()):
            wake_at = min(due, self._next_ping)
            if wake_at <= self._loop.time():
                if wake_at == due:
                    return
                self._next_ping += self._ping_every
                self._buffer.append(self._ping)
                await self._flush()
                continue
            self._waiter = self._loop.create_future()
            if wake_at < math.inf:
                self._wheel.at(wake_at, self._waiter)
            await self._waiter

    async def _stand_at(self, name: str) -> None:
        await self._flush()
        gate = self._counters.gate(name)
        if gate.is_open:
            return
        gate.stand(self._wake)
        self._counters.add(f"waiting.{name}")
        try:
            await self._wait(math.inf, lambda: gate.is_open)
        finally:
            gate.leave(self._wake)
            self._counters.add(f"waiting.{name}", -1)
        self._timetable.restart()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _break_off(self, end: Mark) -> None:
        """End the connection without ending the body. Servers that offer no handle do so when we merely
        return.
        """
        if self._connection is None:
            return
        if end is Mark.RESET:
            self._connection.abort()
        else:
            self._connection.close()
        await self._wait(math.inf)


async def pause(receive: Receive, seconds: float) -> bool:
    """Wait before an answer begins; whether the caller is still there."""
    left = asyncio.ensure_future(receive())
    done, _ = await asyncio.wait({left}, timeout=seconds)
    left.cancel()
    return not done


def linger_reset(transport: asyncio.Transport) -> None:
    """Abort a TCP connection so that the peer sees a reset instead of an end."""
    handle = transport.get_extra_info("socket")
    if handle is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
