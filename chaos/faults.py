"""What is done to an installation. Every choice comes from one seeded source, so a run can be chosen again.

A fault returns when it is over: what was stopped runs again, or has been told to.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable

from chaos.site import Server, Site

LEASE_SECONDS = 3.0  # chaos.settings
Fault = Callable[[Site, random.Random], Awaitable[None]]


async def kill(site: Site, choose: random.Random) -> None:
    """kill -9 of a server; started again after a moment, and waited for."""
    server = site.pick(choose)
    await site.note_loss([server])
    await server.kill()
    await asyncio.sleep(choose.choice((0.0, 0.0, 0.5, 2.0)))
    await _back(server)


async def kill_all(site: Site, choose: random.Random) -> None:
    """kill -9 of all servers at once."""
    await site.note_loss(site.servers)
    await asyncio.gather(*(server.kill() for server in site.servers))
    await asyncio.gather(*(_back(server) for server in site.servers))


async def freeze(site: Site, choose: random.Random) -> None:
    """A host stands still for longer than its lease, and comes back believing that nothing happened."""
    server = site.pick(choose)
    await site.note_loss([server])
    server.program.send(signal.SIGSTOP)
    await asyncio.sleep(LEASE_SECONDS * choose.uniform(1.6, 3.0))
    server.program.send(signal.SIGCONT)
    await server.ready()


async def blink(site: Site, choose: random.Random) -> None:
    """A host stands still for less than its lease: it keeps its runs."""
    server = site.pick(choose)
    server.program.send(signal.SIGSTOP)
    await asyncio.sleep(choose.uniform(0.2, 0.5) * LEASE_SECONDS)
    server.program.send(signal.SIGCONT)


async def freeze_and_kill(site: Site, choose: random.Random) -> None:
    """A host stands still and never comes back."""
    server = site.pick(choose)
    await site.note_loss([server])
    server.program.send(signal.SIGSTOP)
    await asyncio.sleep(LEASE_SECONDS * choose.uniform(0.5, 2.5))
    await server.kill()
    await _back(server)


async def roll(site: Site, choose: random.Random) -> None:
    """SIGTERM: a server drains and ends, and comes back."""
    server = site.pick(choose)
    if not await server.end(30):
        site.witness.say("a server did not end after SIGTERM", "", server.name)
    await _back(server)


async def stop_redis(site: Site, choose: random.Random) -> None:
    assert site.redis is not None
    await asyncio.to_thread(site.redis.stop)
    await asyncio.sleep(choose.uniform(1, 5))
    await asyncio.to_thread(site.redis.start)


async def flush_redis(site: Site, choose: random.Random) -> None:
    assert site.redis is not None
    await asyncio.to_thread(site.redis.flush)


async def restart_database(site: Site, choose: random.Random) -> None:
    """PostgreSQL ends in its fast mode and is away for a moment."""
    await _restart_database(site, choose, immediate=False)


async def crash_database(site: Site, choose: random.Random) -> None:
    """PostgreSQL drops everything and recovers from its log."""
    await _restart_database(site, choose, immediate=True)


async def _restart_database(site: Site, choose: random.Random, *, immediate: bool) -> None:
    """However long it was away, no living host loses a run when it comes back."""
    postgres = site.postgres
    assert postgres is not None
    kept = [run for server in site.servers for run in await _hosted(site, server)]
    before = await asyncio.to_thread(site.database.fences)
    await asyncio.to_thread(lambda: postgres.halt(immediate=immediate))
    away = choose.choice((0.0, 0.5, LEASE_SECONDS * 1.5))
    await asyncio.sleep(away)
    await asyncio.to_thread(postgres.start)
    await asyncio.sleep(LEASE_SECONDS * 1.5)
    after = await asyncio.to_thread(site.database.fences)
    for run in kept:
        if after.get(run) != before[run]:
            story = f"away for {away:.1f} s: host and fence {before[run]}, afterwards {after.get(run)}"
            site.witness.say("a living host lost a run while the database was away", run, story)


async def _hosted(site: Site, server: Server) -> list[str]:
    """The runs that a server writes, if it is well."""
    if server.port not in site.balancer.ready:
        return []
    return [run for run, _host in await asyncio.to_thread(site.database.live_runs, server.program.pid)]


async def cut_sockets(site: Site, choose: random.Random) -> None:
    site.tally.faults["connections reset"] += site.balancer.cut(choose, choose.choice((0.2, 0.5, 1.0)))


async def half_close_sockets(site: Site, choose: random.Random) -> None:
    site.tally.faults["connections half closed"] += site.balancer.half_close(choose, 0.4)


async def delay_sockets(site: Site, choose: random.Random) -> None:
    slow, lasting = choose.choice((0.05, 0.3, 1.0)), choose.uniform(1, 4)
    site.tally.faults["connections delayed"] += await site.balancer.delay(choose, 0.5, slow, lasting)


async def _back(server: Server) -> None:
    server.start()
    await server.ready()


NAMES: dict[str, Fault] = {
    "kill -9": kill,
    "kill -9 of all": kill_all,
    "frozen and thawed": freeze,
    "frozen shortly": blink,
    "frozen and killed": freeze_and_kill,
    "SIGTERM": roll,
    "Redis stopped": stop_redis,
    "Redis flushed": flush_redis,
    "PostgreSQL restarted": restart_database,
    "PostgreSQL crashed": crash_database,
    "sockets cut": cut_sockets,
    "sockets half closed": half_close_sockets,
    "sockets delayed": delay_sockets,
}
"""All faults by the name under which they are counted."""


def plan(choose: random.Random, batches: int, each: dict[str, int], rest: dict[str, int]) -> list[list[str]]:
    """So many batches of faults in random order. `each`: how often in every batch; `rest`: how often in all
    of them together, spread evenly.
    """
    made = [[name for name, count in each.items() for _ in range(count)] for _ in range(batches)]
    spread = [name for name, count in rest.items() for _ in range(count)]
    for number, name in enumerate(spread):
        made[number % batches].append(name)
    for batch in made:
        choose.shuffle(batch)
    return made


async def inject(site: Site, choose: random.Random, name: str) -> None:
    await NAMES[name](site, choose)
    site.tally.faults[name] += 1
