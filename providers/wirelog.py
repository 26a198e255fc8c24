"""A log of the shapes of what is said to vendors and what they answer: for debugging, on demand.

A line has keys, types, lengths and kinds of blocks (providers.wire_shapes), names of headers, statuses, times
and counts of events; never content or secrets. A header's value is shown only where it is known to be
harmless.

`switch_on` makes the transport report every exchange here; each is logged as two lines, at INFO, one when it
is sent and one when it has ended. While it is off it costs nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from providers import transport
from providers.access import MASK
from providers.errors import ProviderError
from providers.sse import Decoder
from providers.wire_shapes import body_shape, event_kind, is_name, shown_name

log = logging.getLogger(__name__)

LONGEST = 1_800  # characters of one shape
MOST_KINDS = 40  # of events in one line
KEPT_BYTES = 1024 * 1024  # of an answer that is no stream

# Headers whose value is neither a secret nor content.
PLAIN_HEADERS = re.compile(
    r"accept|accept-encoding|content-type|content-length|content-encoding|transfer-encoding|user-agent"
    r"|anthropic-version|anthropic-beta|openai-version|openai-processing-ms|api-version"
    r"|request-id|x-request-id|apim-request-id|x-ms-region|retry-after|retry-after-ms|x-should-retry"
    r"|(?:anthropic|x)-ratelimit-[a-z-]+|anthropic-priority-[a-z-]+|date|x-github-request-id"
)
HEADER_NAME = re.compile(r"[a-z0-9-]{1,60}")
PLAIN_VALUE = re.compile(r"[\x20-\x7e]{0,120}")
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie"})


def switch_on() -> None:
    """From now on every exchange of this process with a vendor is logged."""
    transport.watch_with(Exchange)
    log.warning("The shapes of all calls to vendors are logged from now on (PARLEY_LOG_WIRE)")


def switch_off() -> None:
    transport.watch_with(None)


class Exchange:
    """One request and its answer, as the transport sees them. No method raises."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> None:
        self._began_at = time.monotonic()
        self._head_ms = self._first_ms = 0
        self._status = 0
        self._bytes = self._chunks = 0
        self._events: Counter[str] = Counter()
        self._kept = bytearray()
        self._decoder: Decoder | None = None
        self._head = ""
        self._secrets = _secrets(headers)
        self._place = f"{method} {_address(url)}"
        body = body_shape(content, headers.get("content-type", ""))
        self._say("sent", f"{_headers(headers)} {body}")

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self._head_ms = self._elapsed()
        self._status = status
        self._head = _headers(headers)
        if headers.get("content-type", "").lower().startswith("text/event-stream"):
            self._decoder = Decoder()

    def chunk(self, data: bytes) -> None:
        self._first_ms = self._first_ms or self._elapsed()
        self._bytes += len(data)
        self._chunks += 1
        if self._decoder is None:
            self._kept += data[: max(0, KEPT_BYTES - len(self._kept))]
            return
        try:
            self._events.update(event_kind(event) for event in self._decoder.feed(data))
        except ProviderError:
            self._events["unreadable"] += 1
            self._decoder = Decoder()

    def end(self, error: BaseException | None) -> None:
        """The exchange is over; `error` is what ended it before its time."""
        if not self._status:
            self._say("unanswered", f"after {self._elapsed()} ms: {_ended(error)}")
            return
        if self._decoder is not None:
            body = (
                "events {"
                + ", ".join(f"{kind}: {n}" for kind, n in self._events.most_common(MOST_KINDS))
                + "}"
            )
        else:
            body = body_shape(bytes(self._kept), "application/json") if self._kept else "no body read"
        times = f"head {self._head_ms} ms, first byte {self._first_ms} ms, end {self._elapsed()} ms"
        sizes = f"{self._bytes} bytes in {self._chunks} pieces"
        self._say(str(self._status), f"{times}, {sizes}, {_ended(error)} {self._head} {body}")

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._began_at) * 1000)

    def _say(self, what: str, shape: str) -> None:
        text = shape if len(shape) <= LONGEST else f"{shape[:LONGEST]}… ({len(shape)})"
        for secret in self._secrets:  # as the last net: a vendor may send a key back in a harmless header
            text = text.replace(secret, MASK)
        log.info("Wire: %s %s: %s", self._place, what, text)


def _address(url: str) -> str:
    """Host and path; of the path, and of the query's names, only documented words."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no address"
    path = "/".join(part if not part or is_name(part) else "*" for part in parts.path.split("/"))
    query = ",".join(shown_name(key) for key, _ in parse_qsl(parts.query, keep_blank_values=True))
    return f"{parts.hostname or ''}{path}{'?' + query if query else ''}"


def _headers(headers: Mapping[str, str]) -> str:
    shown = []
    for name, value in headers.items():
        name = name.lower()
        if not HEADER_NAME.fullmatch(name):
            shown.append("other header")
        elif PLAIN_HEADERS.fullmatch(name) and PLAIN_VALUE.fullmatch(value):
            shown.append(f"{name}: {value}")
        else:
            shown.append(f"{name}: {MASK}({len(value)})")
    return f"<{'; '.join(shown)}>"


def _secrets(headers: Mapping[str, str]) -> list[str]:
    """What the request proves itself with, and its parts ("Bearer" apart)."""
    values = [value for name, value in headers.items() if name.lower() in SECRET_HEADERS]
    parts = [part for value in values for part in (value, *value.split())]
    return sorted({part for part in parts if len(part) >= 8}, key=len, reverse=True)


def _ended(error: BaseException | None) -> str:
    if error is None:
        return "whole"
    return (
        f"ended by {error.kind}"
        if isinstance(error, ProviderError) and is_name(error.kind)
        else (f"ended by {type(error).__name__}")
    )
