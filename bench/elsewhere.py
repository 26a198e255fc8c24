"""`python -m bench --elsewhere`: the same streams with their followers in another process than their runs.

    alone       pages send to C and listen at C, which has no bell
    here        pages send to A and listen at A, which rings the bell; B hears it, and nobody listens there
    elsewhere   pages send to A and listen at B, which reads the journal that A writes

All three processes share one PostgreSQL database; A and B share one Redis as well.
"""

from __future__ import annotations

import argparse
import base64
import secrets
from dataclasses import dataclass

import uvloop

from bench import elsewhere_report
from bench.load import MODEL, Parley
from bench.processes import Process, Stage, machine
from bench.report import Outcome, Run
from bench.stores import Stores, own_stores
from bench.turns import Entrant, in_turns, say


@dataclass(frozen=True, slots=True)
class Together:
    """Processes that do one load's work, counted as one server."""

    processes: list[Process]

    @property
    def label(self) -> str:
        return ", ".join(f"{process.name}: {process.label}" for process in self.processes)

    def cpu(self) -> float:
        return sum(process.cpu() for process in self.processes)

    def rss(self) -> int:
        return sum(process.rss() for process in self.processes)

    def check(self) -> None:
        for process in self.processes:
            process.check()


@dataclass(frozen=True, slots=True)
class EachPart:
    """Every process of Parley, and the stores, one by one."""

    processes: list[Process]
    stores: Stores

    async def look(self) -> None:
        await self.stores.look()

    def cpu(self) -> dict[str, float]:
        return {process.name: process.cpu() for process in self.processes} | self.stores.cpu()


def run(chosen: argparse.Namespace) -> Outcome:
    """Raises NotStarted and Broken."""
    with own_stores() as stores:
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        with Stage(model=MODEL, settings=stores.settings | {"PARLEY_SECRET_KEYS": key}) as stage:
            servers = [_serve(stage, "A"), _serve(stage, "B"), _serve(stage, "C", REDIS_URL="")]
            measured = uvloop.run(_run(stage, servers, stores, chosen))
        text = elsewhere_report.markdown(measured, stores.versions, stores.unread)
        return Outcome(measured, text, elsewhere_report.as_json(measured, stores.versions, stores.unread))


async def _run(stage: Stage, servers: list[Process], stores: Stores, chosen: argparse.Namespace) -> Run:
    a, b, c = servers
    at, parts = stage.addresses, EachPart(servers, stores)
    say("accounts and conversations")
    count = max(chosen.streams)
    people = await Parley.of_people(stage, at["A"], count, fetches=chosen.fetch)
    loads = {
        people.at("alone", at["C"]): Together([c]),
        people.at("here", at["A"]): Together([a]),
        people.at("elsewhere", at["A"], listens_at=at["B"]): Together([a, b]),
    }
    for load in loads:
        await load.prepare(count)
    run = Run(machine(), chosen.seconds, chosen.fetch)
    entrants = [Entrant(load, server, parts) for load, server in loads.items()]
    await in_turns(run, entrants, stage.simulator, chosen)
    run.problems += stage.problems()
    return run


def _serve(stage: Stage, name: str, **settings: str) -> Process:
    """A server with a data folder of its own."""
    return stage.serve(name, PARLEY_DATA_DIR=str(stage.folder / f"data-{name}"), **settings)
