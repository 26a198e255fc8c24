"""`python -m bench`: Parley and a bare relay, measured in turns. README.md says what the numbers mean."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

import uvloop

from bench import elsewhere, ledger, report
from bench.load import MODEL, Parley, RelayLoad
from bench.processes import NotStarted, Stage, machine
from bench.report import Run
from bench.turns import Entrant, in_turns, say
from bench.wire import Broken

HERE = Path(__file__).resolve().parent
RESULTS, RESULTS_ELSEWHERE = HERE / "RESULTS.md", HERE / "RESULTS-elsewhere.md"
RESULTS_DECODE, RESULTS_LEDGER = HERE / "RESULTS-decode.md", HERE / "RESULTS-ledger.md"


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--streams", type=_sizes, help="levels, such as 1,50,200,500 (the default)")
    parser.add_argument("--seconds", type=float, help="of each level's steady window (default: 6)")
    parser.add_argument("--pairs", type=int, help="how often each level is measured on both (default: 2)")
    parser.add_argument("--only", choices=["parley", "relay"], help="measure one of the two")
    parser.add_argument(
        "--elsewhere",
        action="store_true",
        help="instead: two processes on PostgreSQL and Redis, the runs in one, the sockets in the other "
        "(default: 1,50,200 streams)",
    )
    parser.add_argument(
        "--decode",
        action="store_true",
        help="instead: from bytes to events, our readers beside the vendors' clients; needs no server",
    )
    ledger.options(parser)
    parser.add_argument(
        "--quick", action="store_true", help="1 and 50 streams, 4 seconds, once: about a minute"
    )
    parser.add_argument("--fetch", action="store_true", help="pages fetch turns and sidebars as browsers do")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers here, too")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write the tables to bench/{RESULTS.name}, those of --elsewhere to {RESULTS_ELSEWHERE.name}, "
        f"those of --decode to {RESULTS_DECODE.name}, those of --ledger to {RESULTS_LEDGER.name}",
    )
    chosen = parser.parse_args(arguments)
    if chosen.only and chosen.elsewhere:
        parser.error("--only and --elsewhere exclude each other")
    levels = [1, 50, 200] if chosen.elsewhere else [1, 50, 200, 500]
    usual = ([1, 50], 4.0, 1) if chosen.quick else (levels, 6.0, 2)
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
    if chosen.decode:
        return _decode(chosen)
    # A shell or a CI job that ends us must not leave servers and databases behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if chosen.ledger:
            return _ledger(chosen)
        outcome = elsewhere.run(chosen) if chosen.elsewhere else _beside_relay(chosen)
    except (NotStarted, Broken) as problem:
        print(f"The bench could not be run: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted; everything that was started has been ended.")
        return 130
    print(f"\n{outcome.text}")
    if chosen.json:
        chosen.json.write_text(json.dumps(outcome.numbers, indent=1), "utf-8")
    if chosen.write:
        results = RESULTS_ELSEWHERE if chosen.elsewhere else RESULTS
        results.write_text(f"# The last recorded run of the bench\n\n{outcome.text}", "utf-8")
    return 0 if outcome.run.complete() else 1


def _decode(chosen: argparse.Namespace) -> int:
    from bench import decode  # the vendors' clients, which nothing else here needs, load slowly

    contests = decode.measured(5 if chosen.quick else decode.ROUNDS)
    text = decode.markdown(contests)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(json.dumps(decode.as_json(contests), indent=1), "utf-8")
    if chosen.write:
        RESULTS_DECODE.write_text(f"# From bytes to events: the last recorded run\n\n{text}", "utf-8")
    return 0


def _ledger(chosen: argparse.Namespace) -> int:
    """A missed target fails nothing: other programs on the machine can cause it."""
    found = ledger.run(chosen)
    from bench import ledger_report  # it names Parley's own modules, which need their settings first

    text = ledger_report.markdown(found)
    print(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(json.dumps(ledger_report.as_json(found), indent=1), "utf-8")
    if chosen.write:
        ledger_report.keep(RESULTS_LEDGER, found, text)
    return 0


def _beside_relay(chosen: argparse.Namespace) -> report.Outcome:
    wanted = {chosen.only} if chosen.only else {"parley", "relay"}
    with Stage(model=MODEL, parley="parley" in wanted, relay="relay" in wanted) as stage:
        run = uvloop.run(_run(stage, chosen))
    return report.Outcome(run, report.markdown(run), report.as_json(run))


async def _run(stage: Stage, chosen: argparse.Namespace) -> Run:
    run = Run(machine(), chosen.seconds, chosen.fetch)
    entrants: list[Entrant] = []
    if stage.relay is not None:
        entrants.append(Entrant(RelayLoad(stage.addresses["relay"]), stage.relay))
    if stage.parley is not None:
        say("accounts and conversations")
        count = max(chosen.streams)
        load = await Parley.of_people(stage, stage.addresses["parley"], count, fetches=chosen.fetch)
        await load.prepare(count)
        entrants.append(Entrant(load, stage.parley))
    await in_turns(run, entrants, stage.simulator, chosen)
    run.problems += stage.problems()
    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
