"""The two parts of the suite: a cluster on PostgreSQL and Redis, and one process on SQLite."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from chaos import judge
from chaos.facts import Away, Facts
from chaos.faults import inject, plan
from chaos.person import chooser
from chaos.report import Outcome, numbers
from chaos.shown import Breach, damage
from chaos.site import Site

REST_SECONDS = 60.0  # in which everything must have settled
HOLD_SECONDS = 12.0  # chaos.settings
LOOK_EVERY = 3.0
BEGUN = time.monotonic()


@dataclass(frozen=True, slots=True)
class Part:
    """How long and how hard. `each` and `rest`: faults of every batch, and of all batches together."""

    name: str
    servers: int
    people: int
    batches: int
    each: dict[str, int]
    rest: dict[str, int]
    stores: bool
    pause: tuple[float, float] = (0.2, 1.5)  # seconds between faults, from and to

    def of_length(self, batches: int) -> Part:
        """The same with so many batches, and with the rarer faults in proportion."""
        rest = {name: max(1, count * batches // self.batches) for name, count in self.rest.items()}
        return replace(self, batches=batches, rest=rest)


CLUSTER = Part(
    "Three processes on PostgreSQL and Redis",
    servers=3,
    people=24,
    batches=20,
    each={"kill -9": 10, "frozen and thawed": 1, "SIGTERM": 1, "sockets cut": 2, "sockets delayed": 1},
    rest={
        "kill -9 of all": 6,
        "frozen shortly": 10,
        "frozen and killed": 6,
        "Redis stopped": 8,
        "Redis flushed": 8,
        "PostgreSQL restarted": 7,
        "PostgreSQL crashed": 7,
        "sockets half closed": 10,
    },
    stores=True,
)
CLUSTER_SHORT = Part(
    CLUSTER.name,
    servers=3,
    people=12,
    batches=2,
    each={"kill -9": 4, "frozen and thawed": 1, "SIGTERM": 1, "sockets cut": 1, "PostgreSQL crashed": 1},
    rest={
        "Redis stopped": 1,
        "Redis flushed": 1,
        "PostgreSQL restarted": 1,
        "kill -9 of all": 1,
        "sockets delayed": 1,
        "sockets half closed": 1,
    },
    stores=True,
)
EMBEDDED = Part(
    "One process on SQLite",
    servers=1,
    people=8,
    batches=5,
    each={"kill -9": 6, "sockets cut": 2, "SIGTERM": 1, "frozen and thawed": 1},
    rest={"sockets delayed": 3, "sockets half closed": 3, "frozen and killed": 3},
    stores=False,
    pause=(2.0, 5.0),  # with one server nobody works while it starts
)
EMBEDDED_SHORT = Part(
    EMBEDDED.name,
    servers=1,
    people=8,
    batches=1,
    each={"kill -9": 4, "sockets cut": 1, "SIGTERM": 1},
    rest={},
    stores=False,
    pause=EMBEDDED.pause,
)


async def play(part: Part, folder: Path, seed: int) -> Outcome:
    """Plays a part to its end, or to the first look at rest that finds a law broken. Raises Missing."""
    outcome = Outcome(part.name)
    begun = time.monotonic()
    async with Site(folder, servers=part.servers, people=part.people, seed=seed, stores=part.stores) as site:
        stage = Stage(site, outcome)
        try:
            await stage.play(part)
        finally:
            outcome.close(
                site.tally, time.monotonic() - begun, [server.program.written() for server in site.servers]
            )
    return outcome


class Stage:
    """Faults while people work, and rest between them."""

    def __init__(self, site: Site, outcome: Outcome) -> None:
        self._site, self._outcome = site, outcome
        self._going = asyncio.Event()

    async def play(self, part: Part) -> None:
        site = self._site
        choose = chooser(site.seed, part.name)
        for person in site.people:
            site.spawn(person.live(self._going))
        site.spawn(site.watch_recovery())
        site.spawn(self._look_on())
        batches = plan(choose, part.batches, part.each, part.rest)
        for number, batch in enumerate(batches, 1):
            self._going.set()
            await asyncio.sleep(3)
            for name in batch:
                say(f"batch {number} of {part.batches}: {name}")
                await inject(site, choose, name)
                await asyncio.sleep(choose.uniform(*part.pause))
            last = number == len(batches)
            facts = await self.rest()
            if facts is None or await self._judge(facts, last=last):
                break

    async def rest(self) -> Facts | None:
        """Lets everything settle: people finish, runs end. The facts then, or None when it takes too long."""
        site = self._site
        self._going.clear()
        began = time.monotonic()
        while time.monotonic() - began < REST_SECONDS:
            await asyncio.sleep(0.5)
            if any(person.busy for person in site.people):
                continue
            with suppress(Away):
                if not await asyncio.to_thread(site.database.live):
                    say(f"at rest after {time.monotonic() - began:.1f} s")
                    return await self._facts()
        facts = await self._facts()
        busy = [person.name for person in site.people if person.busy]
        story = f"busy people {busy}, live runs {[(run.id, run.status, run.host) for run in facts.live]}"
        site.witness.say(f"not everything had settled after {REST_SECONDS:.0f} s", "", story)
        await self._judge(facts, last=False)
        return None

    async def _judge(self, facts: Facts, *, last: bool) -> bool:
        """Looks at everything; whether a law is broken."""
        site, outcome = self._site, self._outcome
        for person in site.people:
            await person.compare()
        await site.vendor.look()
        found = judge.at_rest(
            facts,
            site.witness.runs,
            asked=site.vendor.asked,
            accepted=[tag for person in site.people for tag in person.accepted],
            continuations=site.continuations,
        )
        if last:
            found += await self._last_holds()
        outcome.checks += 1
        outcome.breaches = [*site.witness.breaches, *found]
        outcome.numbers = numbers(facts, site.witness, site.tally, damaged=damaged(facts, site))
        return bool(outcome.breaches)

    async def _last_holds(self) -> list[Breach]:
        """Waits for holds of lost calls that belong to no run, such as titles, to run out and be swept."""
        until = time.monotonic() + HOLD_SECONDS + 10
        facts = await self._facts()
        if facts.open_holds:
            say(f"{len(facts.open_holds)} holds of lost calls are still open, until they run out")
        while facts.open_holds and time.monotonic() < until:
            await asyncio.sleep(1)
            facts = await self._facts()
        return judge.at_the_end(facts)

    async def _facts(self) -> Facts:
        return await asyncio.to_thread(self._site.database.facts)

    async def _look_on(self) -> None:
        """What must hold at every moment, looked at while faults happen."""
        told: set[Breach] = set()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with suppress(Away):
                for breach in judge.at_any_time(await asyncio.to_thread(self._site.database.states)):
                    if breach not in told:
                        told.add(breach)
                        self._site.witness.breaches.append(breach)


def damaged(facts: Facts, site: Site) -> Counter[str]:
    """Characters that were shown and are not stored as they were shown."""
    kept = {
        message.id: judge.stored_script(message) for message in facts.messages if message.role == "assistant"
    }
    of_run = {run.id: run.message for run in facts.runs}
    total: Counter[str] = Counter()
    for run, seen in site.witness.runs.items():
        stored = kept.get(of_run.get(run.replace("-", ""), ""), "")
        if not stored.startswith(seen.script):
            lost, doubled = damage(seen.script, stored)
            total.update(lost=lost, doubled=doubled)
    return total


def say(text: str) -> None:
    print(f"chaos {time.monotonic() - BEGUN:5.0f} s: {text}", file=sys.stderr, flush=True)
