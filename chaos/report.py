"""What a part of the suite came to: for people as a table, for programs as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.facts import Facts
from chaos.shown import Breach, Witness
from chaos.story import OPENING
from chaos.tally import Tally, percentile

CONTENT = (OPENING, "Answer p", "Question p")


@dataclass(slots=True)
class Outcome:
    """One part: its name, what was counted, and which laws were broken; `skipped` says why it did not run."""

    name: str
    skipped: str = ""
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int | float] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)  # what the servers wrote at level ERROR
    answers: dict[str, int] = field(default_factory=dict)
    checks: int = 0

    def close(self, tally: Tally, seconds: float, logs: list[str]) -> None:
        """Takes what can be said in any case, however the part ended."""
        self.seconds = seconds
        self.faults = dict(tally.faults)
        self.answers = dict(sorted(tally.answers.items()))
        self.errors = errors_in(logs)
        self.breaches += told_in(logs)

    @property
    def held(self) -> bool:
        return not self.breaches

    def to_json(self) -> dict[str, Any]:
        return {
            "part": self.name,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 1),
            "faults": self.faults,
            "numbers": self.numbers,
            "http": self.answers,
            "errors": self.errors,
            "breaches": [{"law": one.law, "run": one.run, "story": one.story} for one in self.breaches],
        }


def numbers(
    facts: Facts, witness: Witness, tally: Tally, *, damaged: Counter[str] | None = None
) -> dict[str, int | float]:
    """The figures of a part. Lost and doubled: those seen on pages and those that the database lacks."""
    status = Counter(run.status for run in facts.runs)
    more = damaged or Counter()
    return {
        "runs started": len(facts.runs),
        "runs completed": status["completed"],
        "runs stopped by people": status["stopped"],
        "runs interrupted": status["interrupted"],
        "runs failed (as the vendor's script says)": status["failed"],
        "runs started again": sum(run.attempts for run in facts.runs),
        "answers continued": tally.asked["continue"],
        "model calls": len(facts.holds),
        "ledger lines": len(facts.lines),
        "characters shown, on all pages": witness.characters,
        "characters lost": witness.lost + more["lost"],
        "characters doubled": witness.doubled + more["doubled"],
        "frames": tally.frames,
        "states (page was behind)": tally.states,
        "gaps noticed and closed": tally.gaps,
        "socket reconnects": tally.reconnects,
        "s without socket, p50": round(percentile(tally.away, 0.5), 2),
        "s without socket, p95": round(percentile(tally.away, 0.95), 2),
        "s from loss of host to recovery, p50": round(percentile(tally.recovery, 0.5), 2),
        "s from loss of host to recovery, p95": round(percentile(tally.recovery, 0.95), 2),
        "s from loss of host to recovery, longest": round(max(tally.recovery, default=0.0), 2),
    }


def errors_in(logs: list[str]) -> dict[str, int]:
    """How often the servers wrote each error, without what differs from line to line."""
    found: Counter[str] = Counter()
    for text in logs:
        for line in text.splitlines():
            if line.startswith("{"):
                said = json.loads(line)
                level, message = said["level"], f"{said['logger']}: {said['message']}"
            else:
                before, level, message = line.partition(" ERROR ")
                level = level.strip() if len(before) < 60 else ""
            if level in ("ERROR", "CRITICAL"):
                plain = [word for word in message.split() if not any(map(str.isdigit, word))]
                found[" ".join(plain)[:110]] += 1
    return dict(found.most_common(12))


def told_in(logs: list[str]) -> list[Breach]:
    """Logs hold no words of people or models: every question and every answer here has a mark."""
    said = [line for text in logs for line in text.splitlines() if any(mark in line for mark in CONTENT)]
    return [Breach("a log holds what somebody wrote", "", line[:300]) for line in said[:3]]


def table(outcomes: list[Outcome], seed: int) -> str:
    lines = []
    for one in outcomes:
        if one.skipped:
            star = "*" * 100
            lines += [star, f"SKIPPED: {one.name}. {one.skipped}", star, ""]
            continue
        verdict = "held" if one.held else f"BROKEN {len(one.breaches)} times"
        lines += [
            f"### {one.name}",
            "",
            f"Seed {seed}, {one.seconds:.0f} s, {sum(one.faults.values())} faults and what they hit, "
            f"{one.checks} looks at rest: the laws {verdict}.",
            "",
            "| what | count |",
            "| --- | ---: |",
            *(f"| {name} | {count} |" for name, count in sorted(one.faults.items())),
            *(f"| {name} | {value:,} |" for name, value in one.numbers.items()),
            "",
        ]
        if one.errors:
            lines += [
                "Errors that the servers wrote:",
                *(f"- {count} x {text}" for text, count in one.errors.items()),
                "",
            ]
        lines += [f"BREACH {breach}" for breach in one.breaches[:20]]
    return "\n".join(lines)
