"""`python -m chaos [rolling] [--short] [--seed N]`: breaks an installation, checks the laws, reports."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from chaos import report, rolling, suite
from chaos.programs import Missing, NotStarted
from chaos.report import Outcome
from chaos.shown import Breach

Act = Callable[[Path, int], Coroutine[Any, Any, Outcome]]


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("part", nargs="?", choices=["all", "cluster", "sqlite", "rolling"], default="all")
    parser.add_argument("--short", action="store_true", help="a few faults of every kind: under five minutes")
    parser.add_argument("--seed", type=int, help="choose faults and questions as the run with this seed did")
    parser.add_argument("--batches", type=int, help="so many batches of faults instead of the usual number")
    parser.add_argument("--streams", type=int, default=50, help="of the rolling restart (default: 50)")
    parser.add_argument("--keep", action="store_true", help="keep logs and data though every law held")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers here, too")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """The exit status: 0, or 1 when a law was broken or something could not be started.

    A part whose programs are not on this machine is skipped, and says so.
    """
    chosen = options(arguments)
    seed = chosen.seed if chosen.seed is not None else secrets.randbelow(1_000_000)
    suite.say(f"seed {seed}")
    # A shell or a CI job that ends us must not leave servers behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="parley-chaos-"))
    folder.chmod(0o711)
    outcomes: list[Outcome] = []
    try:
        for name, act in _acts(chosen):
            outcomes.append(_played(name, act, folder / name, seed))
    except KeyboardInterrupt:
        print("chaos: interrupted; everything that was started has been ended.", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    print(f"\n{report.table(outcomes, seed)}")
    if chosen.json:
        chosen.json.write_text(json.dumps([one.to_json() for one in outcomes], indent=1), "utf-8")
    if all(one.held for one in outcomes):
        if chosen.keep:
            print(f"Logs and data: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    again = f"python -m chaos {chosen.part}{' --short' if chosen.short else ''} --seed {seed}"
    print(
        f"\nchaos: a law was broken. The same faults again: {again}\nLogs and data: {folder}", file=sys.stderr
    )
    return 1


def _acts(chosen: argparse.Namespace) -> list[tuple[str, Act]]:
    cluster = suite.CLUSTER_SHORT if chosen.short else suite.CLUSTER
    embedded = suite.EMBEDDED_SHORT if chosen.short else suite.EMBEDDED
    if chosen.batches:
        cluster, embedded = (part.of_length(chosen.batches) for part in (cluster, embedded))
    acts: dict[str, Act] = {
        "cluster": lambda folder, seed: suite.play(cluster, folder, seed),
        "sqlite": lambda folder, seed: suite.play(embedded, folder, seed),
        "rolling": lambda folder, seed: rolling.play(folder, seed, chosen.streams),
    }
    wanted = ["cluster", "sqlite"] if chosen.part == "all" else [chosen.part]
    return [(name, acts[name]) for name in wanted]


def _played(name: str, act: Act, folder: Path, seed: int) -> Outcome:
    try:
        return uvloop.run(act(folder, seed))
    except Missing as missing:
        return Outcome(name, skipped=str(missing))
    except NotStarted as problem:
        outcome = Outcome(name)
        outcome.breaches.append(Breach("a server could not be started", "", str(problem)))
        return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
