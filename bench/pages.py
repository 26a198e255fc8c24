"""An open page: its socket, its answer, and what it asks for. One for each stream.

While streams run, frames are only kept, with the time at which they came; they are read afterwards.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import msgspec

from bench import relay
from bench.wire import Broken, Http, Socket, request

RATE = 20  # deltas per second of a stream
WAIT_SECONDS = 60.0
ACKNOWLEDGE = 0.25  # seconds from the first unacknowledged frame to `follow`; as in static/js/socket.js
STAMP = re.compile(r"(?<![\w-])\d{9,}(?![\w-])")  # the text of a delta, in a turn
SIDEBAR = 0.12  # seconds from the last `changed` to fetching the sidebar; as in static/js/sidebar.js


def prompt(deltas: int, *, stamped: bool = True) -> str:
    """What a person asks so that the simulator answers with so many deltas."""
    fields = {"deltas": deltas, "rate": RATE, "stamp": stamped, "thinking": False}
    return f"Measure. [[simulate {msgspec.json.encode(fields).decode()}]]"


@dataclass(slots=True)
class Stream:
    """One answer as its page saw it; times in nanoseconds of the monotonic clock, 0 for not yet."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    sent_at: int = 0
    answered_at: int = 0
    first_at: int = 0
    ended_at: int = 0
    fetched: list[int] = field(default_factory=list)  # the last stamps, if they came with the finished turn
    problem: str = ""


class Page(ABC):
    """One open page: a socket, and what it takes to start an answer."""

    socket: Socket

    def __init__(self) -> None:
        self.stream = Stream()
        self.ended = asyncio.Event()
        self.first = asyncio.Event()

    def begin(self) -> None:
        """Forgets the last answer and makes ready for the next."""
        self.stream = Stream()
        self.ended.clear()
        self.first.clear()

    @abstractmethod
    async def start(self, text: str) -> None:
        """Asks; returns when the asking was answered, not the question."""

    @abstractmethod
    def texts(self, stream: Stream) -> list[tuple[int, str]]:
        """(when, text) of all deltas, as they came. Sets the stream's `problem` when it finds one."""

    def fail(self, problem: str) -> None:
        self.stream.problem = self.stream.problem or problem
        self.first.set()
        self.ended.set()

    def _began(self, now: int) -> None:
        if not self.stream.first_at:
            self.stream.first_at = now
            self.first.set()

    def _ended(self, now: int) -> None:
        self.stream.ended_at = now
        self.ended.set()

    async def close(self) -> None:
        self.socket.close()


class RelayPage(Page):
    """Frames are the deltas' texts."""

    async def open(self, address: str) -> None:
        host, port = host_port(address)
        self.socket = await Socket.open(host, port, {"Origin": address}, self._on_text)

    async def start(self, text: str) -> None:
        self.stream.sent_at = time.monotonic_ns()
        self.socket.send(text.encode())

    def _on_text(self, now: int, payload: bytes) -> None:
        if payload == relay.END.encode():
            self._ended(now)
            return
        self.stream.frames.append((now, payload))
        self._began(now)

    def texts(self, stream: Stream) -> list[tuple[int, str]]:
        return [(now, payload.decode()) for now, payload in stream.frames]


class Frame(msgspec.Struct):
    """What the client reads of Parley's frames (docs/protocol.md)."""

    type: str
    message: str = ""
    after: int = 0
    seq: int = 0
    status: str = ""
    code: str = ""
    events: list[dict[str, Any]] = []
    state: dict[str, Any] = {}


class Head(msgspec.Struct):
    """What of a frame is read while streams run."""

    type: str
    run: str = ""
    message: str = ""
    seq: int = 0


_frame = msgspec.json.Decoder(Frame).decode
_head = msgspec.json.Decoder(Head).decode


@dataclass(slots=True)
class Site:
    """Where Parley is, and what its pages must know.

    listens_at: where the pages' sockets are, if not there. fetches: they also fetch what frames tell them to.
    """

    address: str
    model: str
    session_cookie: str
    csrf_cookie: str
    csrf: str = ""
    fetches: bool = False
    listens_at: str = ""

    @property
    def place(self) -> tuple[str, int]:
        return host_port(self.address)


class ParleyPage(Page):
    """A person's page on a conversation: messages by HTTP, frames by the socket."""

    def __init__(self, site: Site, session: str) -> None:
        super().__init__()
        self._site = site
        self._cookies = f"{site.session_cookie}={session}; {site.csrf_cookie}={site.csrf}"
        self._fetching: set[asyncio.Task[str]] = set()
        self._sidebar: asyncio.TimerHandle | None = None
        self.conversation = ""
        self.parent = ""
        self._number: dict[str, int] = {}
        self._acknowledging: asyncio.TimerHandle | None = None

    async def prepare(self) -> None:
        """A new conversation with one short exchange, below which every measured answer is a sibling."""
        http = await Http.open(*self._site.place)
        try:
            answer = await http.send(self._post("/c/", prompt(1, stamped=False)))
        finally:
            http.close()
        pushed = answer.headers.get("hx-push-url", "")
        turns = re.findall(r'id="turn-([0-9a-f-]{36})"', answer.body.decode())
        if answer.status != 200 or not pushed or not turns:
            raise Broken(f"POST /c/ was answered with {answer.status}: {answer.body[:300]!r}")
        self.conversation, self.parent = pushed.strip("/").rpartition("/")[2], turns[-1]

    async def open(self) -> None:
        address = self._site.listens_at or self._site.address
        headers = {"Origin": address, "Cookie": self._cookies}
        self.socket = await Socket.open(*host_port(address), headers, self._on_text)
        self._follow()

    async def connect(self) -> None:
        """The connection for the next message, as a browser holds one ready."""
        self._http = await Http.open(*self._site.place)

    async def start(self, text: str) -> None:
        message = self._post(f"/c/{self.conversation}/messages/", text, parent=self.parent)
        self.stream.sent_at = time.monotonic_ns()
        try:
            answer = await self._http.send(message)
        except Broken as broken:
            self.fail(str(broken))
            return
        finally:
            self._http.close()
        self.stream.answered_at = answer.at
        if answer.status != 200:
            self.fail(f"POST was answered with {answer.status}: {answer.body[:200]!r}")

    async def kept(self) -> str:
        """The turn of the answer that was shown, as a fresh page gets it."""
        message = next((_frame(payload).message for _now, payload in self.stream.frames), "")
        return await self._get(f"/c/{self.conversation}/m/{message}/")

    async def fetch_rest(self, deltas: int) -> None:
        """Fetches the turn if not all deltas came by the socket, and takes those from it that follow them.

        What an answer's last write stores is in no journal, so another process than the run's shows it with
        the finished turn.
        """
        shown = "".join(text for _now, text in self.texts(self.stream)).split()
        if len(shown) < deltas and self.stream.ended_at:
            kept = STAMP.findall(await self.kept())
            stamps = [int(stamp) for stamp in kept]
            if kept[: len(shown)] == shown and stamps == sorted(set(stamps)):
                self.stream.fetched = stamps[len(shown) :]

    async def _get(self, path: str) -> str:
        http = await Http.open(*self._site.place)
        try:
            answer = await http.send(request("GET", path, self._headers()))
        finally:
            http.close()
        return answer.body.decode() if answer.status == 200 else f"status {answer.status}"

    def texts(self, stream: Stream) -> list[tuple[int, str]]:
        shown: list[tuple[int, str]] = []
        seq = 0
        for now, payload in stream.frames:
            frame = _frame(payload)
            if frame.type == "finished":
                if frame.status != "completed":
                    stream.problem = stream.problem or f"the answer ended as {frame.status}"
                continue
            if frame.type == "state":
                whole = "".join(block.get("text", "") for block in frame.state["message"]["content"])
                shown.append((now, whole[sum(len(text) for _now, text in shown) :]))
            elif frame.after != seq:
                stream.problem = stream.problem or f"frame after {frame.after} came at number {seq}"
            shown += [(now, event["delta"].get("text", "")) for event in frame.events if "delta" in event]
            seq = frame.seq
        return shown

    def _fetch(self, path: str) -> None:
        task = asyncio.get_running_loop().create_task(self._get(path))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    def _follow(self) -> None:
        """Says what the page has, as the page's script does."""
        self._acknowledging = None
        if self.socket.closed is None:
            command = {"type": "follow", "conversation": self.conversation, "after": self._number}
            self.socket.send(msgspec.json.encode(command))

    def _on_text(self, now: int, payload: bytes) -> None:
        head = _head(payload)
        match head.type:
            case "events" | "state":
                self.stream.frames.append((now, payload))
                self._number = {head.run: head.seq}
                if self._acknowledging is None:
                    self._acknowledging = asyncio.get_running_loop().call_later(ACKNOWLEDGE, self._follow)
                if not self.stream.first_at and b"content_block_delta" in payload:
                    self._began(now)
            case "finished":
                self.stream.frames.append((now, payload))
                self._number = {}
                self._ended(now)
                if self._site.fetches:
                    self._fetch(f"/c/{self.conversation}/m/{head.message}/")
            case "notice":
                self.fail(payload.decode())
            case "changed" if self._site.fetches:
                if self._sidebar is not None:
                    self._sidebar.cancel()
                path = f"/sidebar/?current={self.conversation}"
                self._sidebar = asyncio.get_running_loop().call_later(SIDEBAR, self._fetch, path)
            case _:
                pass

    def _post(self, path: str, text: str, parent: str = "") -> bytes:
        fields = {"text": text, "model": self._site.model, "parent": parent, "client_id": str(uuid4())}
        origin = {"Origin": self._site.address, "X-CSRFToken": self._site.csrf, "HX-Request": "true"}
        return request("POST", path, self._headers() | origin, urlencode(fields).encode())

    def _headers(self) -> dict[str, str]:
        return {"Host": urlsplit(self._site.address).netloc, "Cookie": self._cookies}


def host_port(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return parts.hostname or "127.0.0.1", parts.port or 80
