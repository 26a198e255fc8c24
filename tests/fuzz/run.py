"""`python -m tests.fuzz.run --minutes 10 [--target NAME]`: spoilt streams without end, led by coverage.

Needs atheris (a tool, no dependency of the tests). Each target runs in a process of its own, in turns of the
whole time; it begins with the simulator's streams, and with recordings where their folder is. An input that
breaks a rule of targets.py, or takes longer than ten seconds, is kept in `--keep` (default: a new folder
below the system's temporary one) and named at the end. The exit status is 1 when there was one.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import seeds

TARGETS = ("sse", *seeds.NAMES)
HANG_SECONDS = 10
MEMORY_MB = 2048
LONGEST = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """What one target has come to."""

    target: str
    executions: int
    seconds: float
    coverage: int
    crashes: list[Path]
    hangs: list[Path]

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.executions:,} executions in {self.seconds:.0f} s, "
            f"{self.coverage} places reached, {len(self.crashes)} crashes, {len(self.hangs)} hangs"
        )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; repeatable")
    parser.add_argument("--keep", type=Path, help="folder for what was found, and for what leads further")
    chosen = parser.parse_args(arguments)
    keep = chosen.keep or Path(tempfile.mkdtemp(prefix="parley-fuzz-"))
    wanted = chosen.target or list(TARGETS)
    outcomes = [_run(target, chosen.minutes * 60 / len(wanted), keep / target) for target in wanted]
    for outcome in outcomes:
        print(outcome)
        for path in outcome.crashes + outcome.hangs:
            print(f"  {path}")
    return int(any(outcome.crashes or outcome.hangs for outcome in outcomes))


def _run(target: str, seconds: float, keep: Path) -> Outcome:
    """One target for so many seconds; a crash ends a process, the next one goes on until they are over."""
    corpus, found = keep / "corpus", keep / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    _sow(target, corpus)
    executions = coverage = 0
    began = time.monotonic()
    while (left := int(seconds - (time.monotonic() - began))) > 0:
        command = [
            sys.executable,
            *("-m", "tests.fuzz.child", target),
            f"-max_total_time={left}",
            f"-timeout={HANG_SECONDS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={LONGEST}",
            f"-artifact_prefix={found}/",
            "-print_final_stats=1",
            str(corpus),
        ]
        log = keep / "log.txt"
        with log.open("wb") as output:
            status = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
        text = log.read_text("utf-8", "replace")
        executions += sum(int(number) for number in re.findall(r"number_of_executed_units:\s*(\d+)", text))
        coverage = max([coverage, *(int(number) for number in re.findall(r"cov: (\d+)", text))])
        if status == 0:
            break
        if not any(found.iterdir()):
            raise SystemExit(f"{target} could not be run:\n{text[-3000:]}")
        (found / f"log-{len(list(found.iterdir()))}.txt").write_text(text[-20_000:], "utf-8")
    spoilt = sorted(path for path in found.iterdir() if not path.name.startswith("log-"))
    hangs = [path for path in spoilt if path.name.startswith(("timeout", "slow"))]
    crashes = [path for path in spoilt if path not in hangs]
    return Outcome(target, executions, time.monotonic() - began, coverage, crashes, hangs)


def _sow(target: str, corpus: Path) -> None:
    for stream in _streams(target):
        (corpus / hashlib.sha256(stream).hexdigest()[:16]).write_bytes(stream[:LONGEST])


def _streams(target: str) -> list[bytes]:
    names = [name for name in seeds.NAMES if target in ("sse", name)]
    return [stream for name in names for stream in (*seeds.simulated(name), *seeds.recorded(name))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
