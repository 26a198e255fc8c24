"""`python -m bench`: Parley and a bare relay, measured in turns. README.md says what the numbers mean."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

import uvloop

from bench import report
from bench.level import Level, measure
from bench.load import Load, Parley, RelayLoad
from bench.pages import Site
from bench.processes import NotStarted, Process, Stage, machine
from bench.report import Run
from bench.wire import Broken

PROVIDER, MODEL = "anthropic", "claude-sonnet-5-5"
EMAIL, PASSWORD = "owner@bench.invalid", "measure twice, cut once"
QUICK_ROUNDS = {1: 10, 50: 1}  # by number of streams; the usual ones are in bench/level.py
RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--streams", type=_sizes, help="levels, such as 1,50,200,500 (the default)")
    parser.add_argument("--seconds", type=float, help="of each level's steady window (default: 6)")
    parser.add_argument("--pairs", type=int, help="how often each level is measured on both (default: 2)")
    parser.add_argument("--only", choices=["parley", "relay"], help="measure one of the two")
    parser.add_argument(
        "--quick", action="store_true", help="1 and 50 streams, 4 seconds, once: about a minute"
    )
    parser.add_argument("--fetch", action="store_true", help="pages fetch turns and sidebars as browsers do")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers here, too")
    parser.add_argument("--write", action="store_true", help=f"write the tables to bench/{RESULTS.name}")
    chosen = parser.parse_args(arguments)
    usual = ([1, 50], 4.0, 1) if chosen.quick else ([1, 50, 200, 500], 6.0, 2)
    chosen.streams, chosen.seconds, chosen.pairs = (
        given or default
        for given, default in zip((chosen.streams, chosen.seconds, chosen.pairs), usual, strict=True)
    )
    return chosen


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(part) for part in text.split(",")})
    if not sizes or sizes[0] < 1 or sizes[-1] > 2000:
        raise argparse.ArgumentTypeError("expected numbers from 1 to 2000")
    return sizes


def main(arguments: list[str]) -> int:
    """The exit status: 0, or 1 when a delta was lost, doubled or late beyond patience, or a server failed."""
    chosen = options(arguments)
    wanted = {chosen.only} if chosen.only else {"parley", "relay"}
    try:
        with Stage(model=MODEL, parley="parley" in wanted, relay="relay" in wanted) as stage:
            run = uvloop.run(_run(stage, chosen))
    except (NotStarted, Broken) as problem:
        print(f"The bench could not be run: {problem}", file=sys.stderr)
        return 1
    text = report.markdown(run)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(json.dumps(report.as_json(run), indent=1), "utf-8")
    if chosen.write:
        RESULTS.write_text(f"# The last recorded run of the bench\n\n{text}", "utf-8")
    return 0 if run.complete() else 1


async def _run(stage: Stage, chosen: argparse.Namespace) -> Run:
    run = Run(machine(), chosen.seconds, chosen.fetch)
    loads: list[tuple[Load, Process]] = []
    if stage.relay is not None:
        loads.append((RelayLoad(stage.addresses["relay"]), stage.relay))
    if stage.parley is not None:
        loads.append((await _parley(stage, max(chosen.streams), fetches=chosen.fetch), stage.parley))
    for load, server in loads:
        await _warm_up(load, server, stage.simulator)
        run.rest[load.name] = server.rss()
        run.idle[load.name] = await _idle(server)
    for pair in range(chosen.pairs):
        for size in chosen.streams:
            for load, server in loads if pair % 2 == 0 else reversed(loads):
                _say(f"{size} streams on {load.name} (process {server.pid}), pair {pair + 1}")
                rounds = QUICK_ROUNDS.get(size, 0) if chosen.quick else None
                level = await _level(run, load, size, server, stage.simulator, rounds)
                run.levels.append(level)
    for load, server in loads:
        run.end[load.name] = server.rss()
        run.problems += [f"{load.name} wrote: {line}" for line in server.problems()]
    return run


async def _level(
    run: Run, load: Load, size: int, server: Process, simulator: Process, rounds: int | None
) -> Level:
    """Measures a level; once more when its streams took so long to begin that they were never all there."""
    lead = run.expected_start(load.name, size)
    level = await measure(load, size, run.seconds, server, simulator, lead=lead, rounds=rounds)
    if level.window or level.problems or lead >= report.LONGEST_START:
        return level
    _say(f"the streams took {level.start_seconds:.1f} s to begin; once more, longer")
    lead = min(report.LONGEST_START, 1 + 1.5 * level.start_seconds)
    return await measure(load, size, run.seconds, server, simulator, lead=lead, rounds=rounds)


async def _parley(stage: Stage, count: int, *, fetches: bool) -> Parley:
    """Makes the first account, its people and their conversations."""
    _say("accounts and conversations")
    stage.command("manage.py", "createuser", "--email", EMAIL, "--password", PASSWORD, "--role", "owner")
    made = json.loads(stage.command("-m", "bench.people", str(max(0, count - 1))))
    model, cookies = f"{PROVIDER}/{MODEL}", made["cookies"]
    site = Site(stage.addresses["parley"], model, cookies["session"], cookies["csrf"], fetches=fetches)
    load = Parley(site, made["sessions"])
    await load.sign_in(EMAIL, PASSWORD)
    await load.prepare(count)
    return load


async def _warm_up(load: Load, server: Process, simulator: Process) -> None:
    """One short level that nobody counts, so that what is made at first use is made."""
    await measure(load, 1, 2.0, server, simulator, rounds=2)


async def _idle(server: Process) -> float:
    """CPU milliseconds per second of a server that has nothing to do."""
    before = server.cpu()
    await asyncio.sleep(2)
    return (server.cpu() - before) / 2


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
