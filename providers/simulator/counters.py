"""What happened in this simulator: counters, gates and the last requests, for tests and benches."""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

from providers.types import Json

KEPT_REQUESTS: Final = 200
KEPT_BODY_BYTES: Final = 1 << 20
SECRET_HEADERS: Final = frozenset({"x-api-key", "api-key", "authorization", "proxy-authorization", "cookie"})
_SECRET_FIELDS: Final = re.compile(r"((?:client_secret|refresh_token|device_code)(?:=|\"\s*:\s*\"))([^&\"]+)")


class Barrier:
    """A gate on the way of streams: closed until `open`, then open for everybody."""

    def __init__(self) -> None:
        self.is_open = False
        self._standing: set[Callable[[], None]] = set()

    def stand(self, wake: Callable[[], None]) -> None:
        self._standing.add(wake)

    def leave(self, wake: Callable[[], None]) -> None:
        self._standing.discard(wake)

    def open(self) -> None:
        self.is_open = True
        for wake in list(self._standing):
            wake()


class Counters:
    """Counts by name; whoever waits for a count is woken when it is reached.

    Names: requests, connections, connections_open, streams_started, streams_open, streams_finished (the body
    ended), streams_cancelled (the caller left before), streams_broken (connection ended by a scripted fault),
    writes and bytes (of stream bodies), and `waiting.NAME` (streams that stand at gate NAME). The two of
    connections are kept by `providers.simulator.server` only.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.recent: deque[Json] = deque(maxlen=KEPT_REQUESTS)
        self._waiters: list[tuple[str, int, asyncio.Future[None]]] = []
        self._gates: dict[str, Barrier] = {}

    def add(self, name: str, amount: int = 1) -> None:
        self.counts[name] += amount
        if self._waiters:
            self._wake()

    def remember(
        self, method: str, path: str, query: str, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Keep one request for later inspection; secrets keep their last four characters only."""
        shown = {}
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            shown[name] = masked(value) if name in SECRET_HEADERS else value
        text = body[:KEPT_BODY_BYTES].decode("utf-8", "replace")
        text = _SECRET_FIELDS.sub(lambda found: found[1] + masked(found[2]), text)
        self.recent.append({"method": method, "path": path, "query": query, "headers": shown, "body": text})

    def gate(self, name: str) -> Barrier:
        """The gate of this name, made closed at its first mention."""
        return self._gates.setdefault(name, Barrier())

    async def reached(self, name: str, count: int) -> None:
        """Wait until the counter `name` is at least `count`."""
        if self.counts[name] >= count:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (name, count, waiter)
        self._waiters.append(entry)
        try:
            await waiter
        finally:
            if entry in self._waiters:
                self._waiters.remove(entry)

    def _wake(self) -> None:
        for entry in list(self._waiters):
            name, count, waiter = entry
            if self.counts[name] >= count and not waiter.done():
                waiter.set_result(None)
                self._waiters.remove(entry)

    def to_json(self) -> Json:
        return {"counts": dict(self.counts), "recent": list(self.recent)}

    def reset(self) -> None:
        """Forget counts, requests and gates; what is open or waits stays counted."""
        kept = {name: count for name, count in self.counts.items() if count and _is_level(name)}
        self.counts.clear()
        self.counts.update(kept)
        self.recent.clear()
        self._gates = {name: gate for name, gate in self._gates.items() if f"waiting.{name}" in kept}


def _is_level(name: str) -> bool:
    """Whether a counter says how many there are now, not how many there were."""
    return name.endswith("_open") or name.startswith("waiting.")


def masked(value: str) -> str:
    """`***` and the last four characters, or `***` alone where that would show too much."""
    return f"***{value[-4:]}" if len(value) >= 12 else "***"
