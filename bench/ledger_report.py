"""What the ledger's bench found, as a table for people."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.ledger_calls import BUDGETS, Added, percentile
from bench.ledger_pages import Timed

LIMITS = {"postgresql": 200.0, "sqlite": 400.0}  # milliseconds for a page
LIMIT_ADDED = 3.0  # milliseconds for admission and settlement, in the middle
WORST = 12


@dataclass(frozen=True)
class Found:
    """One run. `counts` are rows by table, `took` seconds by step, `load` that of the last minute, before and
    after.
    """

    database: str
    version: str
    machine: str
    began: datetime
    load: tuple[float, float]
    counts: dict[str, int]
    took: dict[str, float]
    pages: Sequence[Timed]
    added: Added

    @property
    def limit(self) -> float:
        return LIMITS[self.database]

    @property
    def shown(self) -> list[Timed]:
        return [one for one in self.pages if not one.page.is_file]

    @property
    def worst(self) -> float:
        """The slowest page by its median, in milliseconds."""
        return max(one.median for one in self.shown) * 1e3

    def is_met(self) -> bool:
        return self.worst <= self.limit and percentile(self.added.both(BUDGETS[-1]), 50) <= LIMIT_ADDED


def markdown(found: Found) -> str:
    return (
        "\n".join(
            [
                *_about(found),
                "",
                *_pages(found),
                "",
                *_slowest(found),
                "",
                *_calls(found),
                "",
                *_verdict(found),
            ]
        )
        + "\n"
    )


def keep(file: Path, found: Found, text: str) -> None:
    """Puts this run in the place of the last one on the same kind of database."""
    parts = file.read_text("utf-8").split("\n## ")[1:] if file.exists() else []
    kept = {part.split(" ")[0]: f"## {part.rstrip()}\n" for part in parts}
    kept[found.version.split(" ")[0]] = text
    body = "\n".join(kept[name] for name in sorted(kept))
    file.write_text(f"# Ten million ledger lines: the last recorded runs\n\n{body}", "utf-8")


def as_json(found: Found) -> dict[str, Any]:
    return {
        "database": found.database,
        "counts": found.counts,
        "took": found.took,
        "load": found.load,
        "pages": [
            {
                "kind": one.page.kind,
                "path": one.page.path,
                "bytes": one.size,
                "seconds": one.seconds,
                "worked": one.worked,
                "server": one.server,
            }
            for one in found.pages
        ],
        "admitted": found.added.admitted,
        "settled": found.added.settled,
        "bare": found.added.bare,
        "worked": found.added.worked,
    }


def _about(found: Found) -> list[str]:
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
    took = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in found.took.items())
    return [
        f"## {found.version}",
        "",
        f"{found.began:%Y-%m-%d %H:%M} UTC, {found.machine}, Python {platform.python_version()}. Load "
        f"average {found.load[0]:.2f} before and {found.load[1]:.2f} after: this program alone makes about "
        "1, and what is above that took time from it.",
        f"{counts}. It took: {took}.",
    ]


def _pages(found: Found) -> list[str]:
    lines = [
        f"Pages, through Django's test client; milliseconds. The limit is {found.limit:g}. Work: what our "
        "process and that of the database needed of a processor, the same however busy the machine is.",
        "",
        "| page | addresses | p50 | p95 | max | slowest median | within | most work | of the server |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    kinds: dict[str, list[Timed]] = {}
    for one in found.pages:
        kinds.setdefault(one.page.kind, []).append(one)
    for kind, some in kinds.items():
        times = sorted(second for one in some for second in one.seconds)
        slowest = max(one.median for one in some) * 1e3
        within = "a file" if some[0].page.is_file else "yes" if slowest <= found.limit else "**no**"
        lines.append(
            f"| {kind} | {len(some)} | {statistics.median(times) * 1e3:.0f} | "
            f"{times[int(len(times) * 0.95)] * 1e3:.0f} | {times[-1] * 1e3:.0f} | {slowest:.0f} | {within} | "
            f"{_work(max(some, key=lambda one: one.work))} |"
        )
    return lines


def _slowest(found: Found) -> list[str]:
    lines = [
        "The slowest addresses, by their median:",
        "",
        "| median | lowest | max | times | work | of the server | KiB | address |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in sorted(found.shown, key=lambda one: -one.median)[:WORST]:
        lines.append(
            f"| {one.median * 1e3:.0f} | {min(one.seconds) * 1e3:.0f} | {max(one.seconds) * 1e3:.0f} | "
            f"{len(one.seconds)} | {_work(one)} | {one.size // 1024} | `{one.page.path}` |"
        )
    return lines


def _work(one: Timed) -> str:
    """Two cells: all, and the server's."""
    return f"{one.work * 1e3:.0f} | {statistics.median(one.server) * 1e3:.0f}"


def _calls(found: Found) -> list[str]:
    added = found.added
    lines = [
        "A call's admission and settlement, each in a commit of its own; milliseconds. More: than the same "
        "call without budgets in the same round.",
        "",
        "| budgets | admission p50 | p95 | settlement p50 | p95 | both p50 | p95 | more p50 | p95 |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for count in BUDGETS:
        columns = [added.admitted[count], added.settled[count], added.both(count)]
        cells = [f"{percentile(one, share):.2f}" for one in columns for share in (50, 95)]
        cells += [f"{percentile(added.more(count), share):.2f}" for share in (50, 95)] if count else ["", ""]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    lines += [
        "",
        "To write and commit one bare row through the same writer, which a call does twice, took "
        f"{percentile(added.bare, 50):.2f} ms in the middle. Our process worked "
        f"{percentile(added.worked, 50):.2f} ms for a call with most budgets.",
        "",
        f"Making a budget of the whole organisation in mid-month took {added.made['made'] * 1e3:,.0f} ms; "
        f"the longest statement within a transaction {added.made['longest'] * 1e3:.1f} ms.",
    ]
    return lines


def _verdict(found: Found) -> list[str]:
    over = [one for one in found.shown if one.median * 1e3 > found.limit]
    busy = sum(1 for one in found.shown if one.work * 1e3 > found.limit)
    both = percentile(found.added.both(BUDGETS[-1]), 50)
    return [
        f"Goal for every page, {found.limit:g} ms: {'missed' if over else 'met'} (slowest "
        f"{found.worst:.0f} ms; {len(over)} of {len(found.shown)} addresses above it). By the work that one "
        f"needs: at most {max(one.work for one in found.shown) * 1e3:.0f} ms; {busy} addresses above it.",
        f"Goal for what budgets add to admission and settlement, {LIMIT_ADDED:g} ms in the middle: "
        f"{_met(percentile(found.added.more(BUDGETS[-1]), 50))} with six. Admission and settlement as a "
        f"whole, with six: {_met(both)}.",
    ]


def _met(middle: float) -> str:
    return f"{'met' if middle <= LIMIT_ADDED else 'missed'} ({middle:.2f} ms)"
