"""A person in front of one or two tabs: asks, waits, stops, continues, reloads, comes back."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

from chaos import story
from chaos.markup import Turn, turns_in, version_in
from chaos.story import Question
from chaos.tab import Reader, Tab, Unanswered

MODEL = "anthropic/claude-sonnet-5-5"
LONGEST_THREAD = 6  # exchanges; then a new conversation is begun
PATIENCE = 90.0  # seconds for an answer to end on the page, faults included
SEND_SECONDS = 60.0  # for a message to be taken
TRY_AGAIN = 0.5


class Person:
    def __init__(self, reader: Reader, name: str) -> None:
        self.name = name
        self.accepted: list[str] = []  # tags of the questions that the server said it took
        self.tabs: list[Tab] = []
        self.busy = False
        self._reader = reader
        self._choose = reader.choose
        self._count = 0
        self._exchanges = 0
        self._tabs_made = 0

    async def live(self, going: asyncio.Event) -> None:
        """Uses Parley for ever; begins nothing new while `going` is not set."""
        await asyncio.sleep(self._choose.uniform(0, 2))
        while True:
            await going.wait()
            self.busy = True
            try:
                await self._act()
            except Unanswered:
                self._reader.tally.asked["given up"] += 1
            finally:
                self.busy = False
            await asyncio.sleep(self._choose.uniform(0.1, 0.8))

    async def leave(self) -> None:
        for tab in list(self.tabs):
            await self._close(tab)

    async def compare(self) -> None:
        """At rest: every page shows what a fresh page shows, to the last turn."""
        for tab in self.tabs:
            shown = {turn.id: (turn.status, turn.script) for turn in tab.turns.values()}
            fresh = Tab(self._reader, tab.conversation, f"{tab.name}, fresh")
            await self._load(fresh)
            wanted = {turn.id: (turn.status, turn.script) for turn in fresh.turns.values()}
            if shown != wanted:
                differing = [key for key in shown.keys() | wanted.keys() if shown.get(key) != wanted.get(key)]
                told = [(key, shown.get(key), wanted.get(key)) for key in differing]
                story_ = f"{tab.name}: {str(told)[:600]}"
                self._reader.witness.say("a page at rest is not what a fresh page is", "", story_)

    # What happens on a page

    async def _act(self) -> None:
        last = self.tabs[0].last if self.tabs else None
        if last is not None and "continue" in last.acts and self._choose.random() < 0.6:
            await self.go_on(last)
        elif last is not None and "retry" in last.acts and self._choose.random() < 0.4:
            await self._again(last, "retry")
        elif (
            last is None
            or not last.script
            or self._exchanges >= LONGEST_THREAD
            or self._choose.random() < 0.1
        ):
            await self.begin(self._question())
        else:
            await self.follow_up(self._question())
        await self._meanwhile()
        for tab in list(self.tabs):
            if not await tab.settled(PATIENCE):
                stuck = tab.live[0] if tab.live else None
                if stuck is not None:
                    story_ = (
                        f"{tab.name} after {PATIENCE:.0f} s, at number {stuck.seq}: {stuck.script[-60:]!r}"
                    )
                    self._reader.witness.say("an answer never ended on a page", stuck.run, story_)
                    await self._reload(tab)

    def _question(self, kind: str = "") -> Question:
        self._count += 1
        return story.compose(self._choose, f"{self.name}x{self._count}", kind)

    async def begin(self, question: Question) -> None:
        """A new conversation in a new tab, instead of those that are open."""
        await self.leave()
        self._exchanges = 1
        headers, markup = await self._post("/c/", {"text": question.text}, question.tag)
        conversation = headers["HX-Push-Url"].strip("/").rpartition("/")[2]
        tab = self._tab(conversation)
        tab.show(turns_in(markup), version_in(markup), whole=True)
        tab.open()

    async def follow_up(self, question: Question) -> None:
        tab = self.tabs[0]
        last = tab.last
        assert last is not None
        self._exchanges += 1
        fields = {"text": question.text, "parent": last.id}
        headers, markup = await self._post(f"/c/{tab.conversation}/messages/", fields, question.tag)
        self._shown(tab, headers, markup)

    async def go_on(self, turn: Turn) -> None:
        """Continues an answer that was cut."""
        await self._again(turn, "continue")

    async def _again(self, turn: Turn, act: str) -> None:
        tab = self.tabs[0]
        self._exchanges += 1
        headers, markup = await self._post(f"/c/{tab.conversation}/m/{turn.id}/{act}/", {}, "")
        self._reader.tally.asked[act] += 1
        if act == "retry" and headers.get("X-Parley-After") is None:
            tab.turns.pop(turn.id, None)  # its answer takes the failed one's place
        self._shown(tab, headers, markup)

    @staticmethod
    def _shown(tab: Tab, headers: dict[str, str], markup: str) -> None:
        version = int(headers.get("X-Parley-Version") or 0)
        tab.show(turns_in(markup), version, after=headers.get("X-Parley-After"))

    async def _meanwhile(self) -> None:
        """While the answer comes: another tab, a reload, Stop, or nothing."""
        tab = self.tabs[0]
        endless = any("endless" in turn.text[:60] for turn in list(tab.turns.values())[-2:])
        if self._choose.random() < 0.25 and len(self.tabs) < 2:
            await asyncio.sleep(self._choose.uniform(0, 2))
            other = self._tab(tab.conversation)
            await self._load(other)
            other.open()
        elif self._choose.random() < 0.2:
            await asyncio.sleep(self._choose.uniform(0, 3))
            self._reader.tally.asked["reload"] += 1
            tab = await self._reload(tab)
        elif self._choose.random() < 0.1 and len(self.tabs) == 2:
            await self._close(self.tabs[-1])
        if endless or self._choose.random() < 0.1:
            await asyncio.sleep(self._choose.uniform(0.2, 5))
            await self._stop(tab)

    async def _reload(self, tab: Tab) -> Tab:
        """The page from scratch: nothing of the old one is left, its socket neither."""
        await self._close(tab)
        fresh = self._tab(tab.conversation)
        await self._load(fresh)
        fresh.open()
        return fresh

    async def _close(self, tab: Tab) -> None:
        self.tabs.remove(tab)
        await tab.close()
        self._reader.tally.gone(tab.name)

    async def _stop(self, tab: Tab) -> None:
        """Until it has stopped, as a person would press the button again."""
        for _ in range(20):
            if not tab.live:
                return
            message = tab.live[-1].id
            self._reader.tally.asked["stop"] += 1
            if self._choose.random() < 0.5 or not await tab.stop(message):
                try:
                    await self._reader.request("POST", f"/c/{tab.conversation}/m/{message}/stop/")
                except Unanswered:
                    pass
            if await tab.settled(4):
                return

    async def _load(self, tab: Tab) -> None:
        """A fresh page; as a browser shows an error page, and a person presses reload."""
        for _ in range(30):
            try:
                await tab.load()
                return
            except Unanswered:
                await asyncio.sleep(TRY_AGAIN * (1 + self._choose.random()))
        raise Unanswered("the page did not come")

    def _tab(self, conversation: str) -> Tab:
        self._tabs_made += 1
        tab = Tab(self._reader, conversation, f"{self.name}.{self._tabs_made}")
        self.tabs.insert(0, tab)
        return tab

    async def _post(self, path: str, fields: dict[str, str], tag: str) -> tuple[dict[str, str], str]:
        """Sends until it is taken, always with the same client id; sometimes twice at once.

        Raises Unanswered when it is not taken; what became of it is unknown, and the page is reloaded.
        """
        client = str(UUID(int=self._choose.getrandbits(128), version=4))
        fields = {"model": MODEL, "client_id": client, **fields}
        until = asyncio.get_running_loop().time() + SEND_SECONDS
        while asyncio.get_running_loop().time() < until:
            try:
                answer = self._reader.request("POST", path, fields)
                if self._choose.random() < 0.1 and tag:
                    double = asyncio.ensure_future(self._reader.request("POST", path, fields))
                    try:
                        status, headers, body = await answer
                    finally:
                        await asyncio.gather(double, return_exceptions=True)
                else:
                    status, headers, body = await answer
            except Unanswered:
                await asyncio.sleep(TRY_AGAIN)
                continue
            if status == 200:
                if tag:
                    self.accepted.append(tag)
                    self._reader.tally.asked["question"] += 1
                return headers, body
            if status == 409:
                self._reader.tally.asked["conflict"] += 1
                break
            await asyncio.sleep(TRY_AGAIN)
        if self.tabs:
            await self._reload(self.tabs[0])
        raise Unanswered(path)


def people(readers: list[Reader]) -> list[Person]:
    return [Person(reader, f"p{number}") for number, reader in enumerate(readers)]


def chooser(seed: int, name: str) -> random.Random:
    """A source of choices of its own: what one person or fault chooses does not change another's choices."""
    return random.Random(f"{seed}:{name}")
