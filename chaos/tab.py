"""One open page, as static/js plays it: loads, listens, folds, comes back, fetches what changed.

It knows nothing of the server's processes: everything goes through the balancer. What it shows it tells the
witness, character by character.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from chaos.markup import Turn, state_script, turns_in, version_in
from chaos.shown import Witness
from chaos.tally import Tally
from providers.errors import ProtocolError
from providers.fold import Fold

ACKNOWLEDGE = 0.25  # seconds, as in static/js/socket.js
FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0  # as in static/js/numbers.js
ASK_AGAIN = 2.0  # as in static/js/thread.js
HTTP_SECONDS = 6.0
SIGNED_OUT, NO_RIGHT, BAD_COMMAND = 4401, 4403, 4400

LOST = (
    aiohttp.ClientError,
    OSError,
)  # a request or a socket that came to nothing; TimeoutError is an OSError


class Unanswered(Exception):
    """A request was not answered, or not with what was asked for; the page tries again later."""


@dataclass(slots=True)
class Reader:
    """A signed-in person's way to the site: cookies, and one pool of connections as a browser has."""

    url: str
    cookies: str
    csrf: str
    http: aiohttp.ClientSession
    witness: Witness
    tally: Tally
    choose: random.Random

    async def request(
        self, method: str, path: str, fields: dict[str, str] | None = None
    ) -> tuple[int, Any, str]:
        """(status, headers, body). Raises Unanswered when nothing came."""
        headers = {"Cookie": self.cookies, "HX-Request": "true"}
        if method == "POST":
            headers |= {"Origin": self.url, "X-CSRFToken": self.csrf}
        timeout = aiohttp.ClientTimeout(total=HTTP_SECONDS)
        try:
            async with self.http.request(
                method, self.url + path, data=fields, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                text = await answer.text()
                self.tally.answered(method, answer.status)
                if answer.status == 302 and "/login/" in answer.headers.get("Location", ""):
                    self.witness.say("a signed-in person was sent to the sign-in page", "", path)
                return answer.status, answer.headers, text
        except LOST as error:
            self.tally.answered(method, 0)
            raise Unanswered(f"{method} {path}: {type(error).__name__}") from None


class Tab:
    """A page on one conversation. `turns` is what it shows, in order."""

    def __init__(self, reader: Reader, conversation: str, name: str) -> None:
        self.conversation = conversation
        self.name = name
        self.turns: dict[str, Turn] = {}
        self.version = 0
        self.changed = asyncio.Event()
        self.joined = asyncio.Event()
        self._reader = reader
        self._folds: dict[str, Fold] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._acknowledging = False
        self._answering = ""

    # What a person does

    async def load(self) -> None:
        """The page from scratch. Raises Unanswered."""
        floor = self._reader.witness.floor()
        status, _headers, markup = await self._reader.request("GET", f"/c/{self.conversation}/")
        if status != 200:
            raise Unanswered(f"page: {status}")
        self.show(turns_in(markup), version_in(markup), floor, whole=True)

    def open(self) -> None:
        """Begins to listen."""
        self._spawn(self._listen())
        self._spawn(self._fetch_forever())

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            with suppress(*LOST):
                await asyncio.wait_for(self._socket.close(), 1)

    async def stop(self, message: str) -> bool:
        return await self._say({"type": "stop", "message": message})

    @property
    def last(self) -> Turn | None:
        return next(reversed(self.turns.values()), None)

    @property
    def live(self) -> list[Turn]:
        return [turn for turn in self.turns.values() if turn.live]

    async def settled(self, seconds: float) -> bool:
        """Waits until no answer on this page is being written; False when that takes too long."""
        try:
            async with asyncio.timeout(seconds):
                while self.live:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True

    def show(
        self,
        turns: list[Turn],
        version: int,
        floor: dict[str, str] | None = None,
        *,
        whole: bool = False,
        after: str | None = None,
    ) -> None:
        """Puts turns in their places, as partials.js does. `after`: they stand behind that turn, nothing else
        does; `floor`: what had been shown when they were asked for.
        """
        everything = whole or after == ""
        if everything:
            wanted = {turn.id for turn in turns}
            for gone in [key for key in self.turns if key not in wanted]:
                self._forget(gone)
        elif after is not None and after in self.turns:
            order = list(self.turns)
            wanted = {turn.id for turn in turns}
            for gone in order[order.index(after) + 1 :]:
                if gone not in wanted:
                    self._forget(gone)
        for turn in turns:
            if floor is not None and turn.role == "assistant" and turn.run in floor:
                self._reader.witness.loaded(turn.run, floor[turn.run], turn.script, self.name)
            self._put(turn, fresh=whole)
        if everything:
            self.turns = {turn.id: self.turns[turn.id] for turn in turns}
        self.version = max(self.version, version)
        self._news()

    # What it shows

    def _put(self, turn: Turn, *, fresh: bool) -> None:
        known = self.turns.get(turn.id)
        if turn.role == "user":
            self.turns[turn.id] = turn
            return
        again = known is not None and known.run == turn.run and not fresh
        if known is not None and again and turn.live and turn.seq <= known.seq:
            return  # what the page has is as new
        before = known.script if known is not None and again else ""
        turn.seq = max(turn.seq, known.seq) if known is not None and again else turn.seq
        self._reader.witness.saw(turn.run, turn.id, before, turn.script, self.name)
        self.turns[turn.id] = turn
        self._folds.pop(turn.id, None)
        if turn.live and turn.state is not None:
            self._folds[turn.id] = Fold.resume(turn.state)

    def _forget(self, turn: str) -> None:
        self.turns.pop(turn, None)
        self._folds.pop(turn, None)

    def _news(self) -> None:
        """Turns have changed: people are told, and the server, for a new answer may have ended already."""
        answering = self.live[-1].id if self.live else ""
        if answering and answering != self._answering:
            self._spawn(self._follow())
        self._answering = answering
        self.changed.set()

    # The socket

    async def _listen(self) -> None:
        tries, before = 0, False
        while True:
            code = None
            try:
                self._socket = await self._reader.http.ws_connect(
                    self._reader.url + "/ws/",
                    headers={"Cookie": self._reader.cookies},
                    origin=self._reader.url,
                    max_msg_size=0,
                    autoping=True,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
                tries = 0
                self._reader.tally.joined(self.name)
                self.joined.set()
                if before:
                    self._refresh()
                before = True
                await self._follow()
                code = await self._read(self._socket)
            except LOST:
                pass
            self._socket = None
            self.joined.clear()
            self._reader.tally.left(self.name, code)
            if code in (SIGNED_OUT, NO_RIGHT):
                self._reader.witness.say(
                    "a signed-in person's socket was closed as signed out", "", self.name
                )
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 16)) * (
                0.5 + self._reader.choose.random() / 2
            )
            tries += 1
            await asyncio.sleep(LONGEST_WAIT if code == BAD_COMMAND else wait)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> int | None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                if not self._frame(json.loads(message.data)):
                    await asyncio.wait_for(socket.close(), 3)
                    return 0
        return socket.close_code

    def _frame(self, frame: dict[str, Any]) -> bool:
        """Takes a frame; False when the page must begin anew with another socket."""
        if frame["type"] == "notice":
            self._reader.tally.notices[frame["code"]] += 1
            return True
        if frame.get("conversation") != self.conversation:
            return True
        if frame["type"] == "changed":
            if "turns" in frame["what"] and frame["version"] > self.version:
                self._refresh()
            return True
        if frame["type"] not in ("events", "state", "finished"):
            return True
        turn = self.turns.get(frame["message"])
        if turn is None:
            self._refresh()
        elif frame["type"] == "events":
            return self._events(turn, frame)
        elif frame["type"] == "state":
            self._state(turn, frame)
        elif turn.live:
            self._reload(turn.id)
        return True

    def _events(self, turn: Turn, frame: dict[str, Any]) -> bool:
        self._reader.tally.frames += 1
        fold = self._folds.get(turn.id)
        if not turn.live or frame["run"] != turn.run or fold is None or frame["seq"] <= turn.seq:
            return True
        if frame["after"] != turn.seq:
            self._reader.tally.gaps += 1
            return False
        try:
            for event in frame["events"]:
                fold.apply(event)
        except ProtocolError:
            self._reload(turn.id)
            return True
        self._grew(turn, frame["seq"], state_script(fold.state()))
        return True

    def _state(self, turn: Turn, frame: dict[str, Any]) -> None:
        self._reader.tally.states += 1
        if frame["run"] != turn.run:
            turn.script = ""
        turn.run, turn.live = frame["run"], True
        self._folds[turn.id] = Fold.resume(frame["state"])
        self._grew(turn, frame["seq"], state_script(frame["state"]))

    def _grew(self, turn: Turn, seq: int, script: str) -> None:
        self._reader.witness.saw(turn.run, turn.id, turn.script, script, self.name)
        turn.script, turn.seq = script, seq
        self._acknowledge()

    async def _follow(self) -> None:
        after = {turn.run: turn.seq for turn in self.live if turn.run}
        await self._say({"type": "follow", "conversation": self.conversation, "after": after})

    async def _say(self, command: dict[str, Any]) -> bool:
        if self._socket is None or self._socket.closed:
            return False
        try:
            await self._socket.send_str(json.dumps(command))
        except LOST:
            return False
        return True

    def _acknowledge(self) -> None:
        if not self._acknowledging:
            self._acknowledging = True
            self._spawn(self._acknowledged())

    async def _acknowledged(self) -> None:
        await asyncio.sleep(ACKNOWLEDGE)
        self._acknowledging = False
        await self._follow()

    # What it fetches

    def _reload(self, message: str) -> None:
        self._fetches.put_nowait(lambda: self._fetch(f"/c/{self.conversation}/m/{message}/"))

    def _refresh(self) -> None:
        async def fetch() -> None:
            after = next(reversed(self.turns), "")
            await self._fetch(f"/c/{self.conversation}/turns/?after={after}", many=True)

        self._fetches.put_nowait(fetch)

    async def _fetch(self, path: str, *, many: bool = False) -> None:
        floor = self._reader.witness.floor()
        status, headers, markup = await self._reader.request("GET", path)
        if status != 200:
            raise Unanswered(f"{path}: {status}")
        after = headers.get("X-Parley-After") if many else None
        whole = many and headers.get("X-Parley-Whole") == "1"
        version = int(headers.get("X-Parley-Version") or 0)
        self.show(turns_in(markup), version if many else 0, floor, after="" if whole else after)

    async def _fetch_forever(self) -> None:
        while True:
            fetch = await self._fetches.get()
            try:
                await fetch()
            except Unanswered:
                self._spawn(self._ask_later())

    async def _ask_later(self) -> None:
        await asyncio.sleep(ASK_AGAIN)
        await self._follow()
        self._refresh()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
