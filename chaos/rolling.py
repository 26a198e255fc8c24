"""A rolling restart under load: two processes, many streams, SIGTERM to one after the other.

Answers that end within the grace end as if nothing had happened; longer ones are interrupted, kept, and
offer Continue, which then completes. Every reader comes back by itself and misses nothing.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from chaos import judge, story
from chaos.markup import Turn
from chaos.person import Person, chooser
from chaos.report import Outcome, numbers
from chaos.site import Site
from chaos.suite import damaged, say
from chaos.tab import Unanswered

DRAIN = 10  # seconds
SHORT, LONG = (4.0, 9.0), (45.0, 50.0)  # seconds of an answer: within the grace, and beyond both restarts
LONG_SHARE = 0.3
REST_SECONDS = 60.0


async def play(folder: Path, seed: int, streams: int) -> Outcome:
    """Raises Missing, NotStarted."""
    outcome = Outcome(f"Rolling restart of two processes under {streams} streams")
    begun = time.monotonic()
    async with Site(folder, servers=2, people=streams, seed=seed, stores=True, drain=DRAIN) as site:
        try:
            await _roll(site, outcome)
        finally:
            outcome.close(
                site.tally, time.monotonic() - begun, [server.program.written() for server in site.servers]
            )
    return outcome


async def _roll(site: Site, outcome: Outcome) -> None:
    over = asyncio.Event()
    readers = [Reading(person, site, over) for person in site.people]
    await asyncio.gather(*(reader.begin() for reader in readers))
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    try:
        await asyncio.sleep(2)
        for server in site.servers:
            say(f"SIGTERM to {server.name}")
            if not await server.end(DRAIN + 15):
                site.witness.say("a server did not end after SIGTERM", "", server.name)
            site.tally.faults["SIGTERM"] += 1
            server.start()
            await server.ready()
            await site.balancer.complete.wait()
            await asyncio.sleep(1)
        over.set()
        continued = sum(await asyncio.wait_for(asyncio.gather(*reading), REST_SECONDS + 60))
    finally:
        for task in reading:
            task.cancel()
    for person in site.people:
        await person.compare()
    facts = await asyncio.to_thread(site.database.facts)
    await site.vendor.look()
    found = judge.at_rest(
        facts,
        site.witness.runs,
        asked=site.vendor.asked,
        accepted=[tag for person in site.people for tag in person.accepted],
        continuations=site.continuations,
    )
    found += judge.at_the_end(facts)
    outcome.checks = 1
    outcome.breaches = [*site.witness.breaches, *found]
    outcome.numbers = numbers(facts, site.witness, site.tally, damaged=damaged(facts, site))
    outcome.numbers["readers whose answer was interrupted, and who continued it"] = continued


class Reading:
    """One person who asks again and again while servers restart."""

    def __init__(self, person: Person, site: Site, over: asyncio.Event) -> None:
        self._person, self._witness, self._over = person, site.witness, over
        self._choose = chooser(site.seed, f"length of {person.name}")
        self._long = self._choose.random() < LONG_SHARE
        self._count = 0

    async def begin(self) -> None:
        """Asks the first question, and listens."""
        await self._person.begin(self._question())
        await self._person.tabs[0].joined.wait()

    async def read(self) -> int:
        """Reads to the end of all restarts; 1 when an answer was interrupted and continued."""
        while True:
            tab = self._person.tabs[0]
            if not await tab.settled(LONG[1] + REST_SECONDS):
                self._say("an answer never ended on a page")
                return 0
            last = tab.last
            if last is not None and last.status == "interrupted":
                return int(await self._go_on(last))
            if self._over.is_set():
                return 0
            try:
                await self._person.follow_up(self._question())
            except Unanswered:
                self._say("a question was not taken during a rolling restart")
                return 0

    async def _go_on(self, last: Turn) -> bool:
        if not self._long:
            self._say("an answer within the grace was interrupted")
        if "continue" not in last.acts:
            self._say("an interrupted answer does not offer Continue")
            return False
        await self._person.go_on(last)
        await self._person.tabs[0].settled(REST_SECONDS)
        now = self._person.tabs[0].last
        if now is None or now.id == last.id or now.status != "completed":
            self._say("a continued answer did not complete")
        return True

    def _question(self) -> story.Question:
        self._count += 1
        seconds = self._choose.uniform(*(LONG if self._long else SHORT))
        return story.lasting(self._choose, f"{self._person.name}x{self._count}", seconds)

    def _say(self, law: str) -> None:
        last = self._person.tabs[0].last
        self._witness.say(law, last.run if last is not None else "", f"{self._person.name}: {last}"[:500])
