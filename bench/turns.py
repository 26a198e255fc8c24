"""Loads measured in turns: each level on one after the other, in the opposite order in every second pair."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass

from bench import report
from bench.level import Level, Parts, Server, measure
from bench.load import Load
from bench.processes import Process
from bench.report import Run

QUICK_ROUNDS = {1: 10, 50: 1}  # by number of streams; the usual ones are in bench/level.py


@dataclass(frozen=True, slots=True)
class Entrant:
    """A load, the server whose CPU and memory it is charged with, and the parts to tell apart, if any."""

    load: Load
    server: Server
    parts: Parts | None = None


async def in_turns(run: Run, entrants: list[Entrant], simulator: Process, chosen: argparse.Namespace) -> None:
    """Measures every level on every load, as often as there are pairs, into the run."""
    for one in entrants:
        await _warm_up(one, simulator)
        run.rest[one.load.name] = one.server.rss()
        run.idle[one.load.name] = await _idle(one.server)
    for pair in range(chosen.pairs):
        for size in chosen.streams:
            for one in entrants if pair % 2 == 0 else reversed(entrants):
                say(f"{size} streams on {one.load.name} ({one.server.label}), pair {pair + 1}")
                rounds = QUICK_ROUNDS.get(size, 0) if chosen.quick else None
                run.levels.append(await _level(run, one, size, simulator, rounds))
    for one in entrants:
        run.end[one.load.name] = one.server.rss()


async def _level(run: Run, one: Entrant, size: int, simulator: Process, rounds: int | None) -> Level:
    """Measures a level; once more when its streams took so long to begin that they were never all there."""

    async def with_lead(lead: float) -> Level:
        return await measure(
            one.load, size, run.seconds, one.server, simulator, parts=one.parts, lead=lead, rounds=rounds
        )

    lead = run.expected_start(one.load.name, size)
    level = await with_lead(lead)
    if level.window or level.problems or lead >= report.LONGEST_START:
        return level
    say(f"the streams took {level.start_seconds:.1f} s to begin; once more, longer")
    return await with_lead(min(report.LONGEST_START, 1 + 1.5 * level.start_seconds))


async def _warm_up(one: Entrant, simulator: Process) -> None:
    """One short level that nobody counts, so that what is made at first use is made."""
    await measure(one.load, 1, 2.0, one.server, simulator, parts=one.parts, rounds=2)


async def _idle(server: Server) -> float:
    """CPU milliseconds per second of a server that has nothing to do."""
    before = server.cpu()
    await asyncio.sleep(2)
    return (server.cpu() - before) / 2


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
