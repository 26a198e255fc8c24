"""Whole answers that a test has laid ready for a path, whoever asks: for routes that know no directives.

`{"path", "status"?, "body"?, "headers"?, "times"?, "delay"?, "content_type"?}`; a `body` that is no text is
sent as JSON.
"""

from collections import deque
from typing import Any

import msgspec

from providers.simulator.replies import Refusal, Reply, encode_json
from providers.types import Json


class Rehearsal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry; the path's next `times` requests are answered so. delay: seconds."""

    path: str
    status: int = 200
    body: Any = ""
    headers: dict[str, str] = {}
    times: int = 1
    delay: float = 0.0
    content_type: str = "application/json"

    def reply(self) -> Reply:
        body = self.body.encode() if isinstance(self.body, str) else encode_json(self.body)
        return Reply(self.status, body, self.content_type, self.headers, self.delay)


class Rehearsed:
    """Entries by path, the oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Reply]] = {}

    def add(self, entry: Json) -> None:
        """Raises Refusal for an entry that cannot be read."""
        try:
            rehearsal = msgspec.convert(entry, Rehearsal)
        except msgspec.ValidationError as error:
            raise Refusal(400, f"next: {error}") from error
        waiting = self._waiting.setdefault(rehearsal.path, deque())
        waiting.extend([rehearsal.reply()] * min(rehearsal.times, 1000))

    def next(self, path: str) -> Reply | None:
        waiting = self._waiting.get(path)
        return waiting.popleft() if waiting else None

    def reset(self) -> None:
        self._waiting.clear()
