"""What a run measured, as tables for people and as JSON for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.level import Level

MB, KB = 1e6, 1e3
FULL_LOAD = 0.9  # of the machine, or of one processor: above it the numbers say more about the bench
DISTURBED = 0.15  # of one processor, used by programs that are not part of the bench
LONGEST_START = 20.0  # seconds that a level waits for its streams to begin; it keeps the whole run short
MEMORY_LEVEL = 500  # streams


@dataclass(slots=True)
class Run:
    """levels: in the order in which they were measured; rest and end: bytes of each server before the first
    stream and after the last; idle: CPU milliseconds per second of each server at rest.
    """

    machine: dict[str, Any]
    seconds: float
    fetches: bool = False
    levels: list[Level] = field(default_factory=list)
    rest: dict[str, int] = field(default_factory=dict)
    end: dict[str, int] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def of(self, name: str, streams: int) -> list[Level]:
        """The levels of one server, one for each pair."""
        return [level for level in self.of_name(name) if level.streams == streams]

    def of_name(self, name: str) -> list[Level]:
        return [level for level in self.levels if level.name == name]

    def sizes(self) -> list[int]:
        return sorted({level.streams for level in self.levels})

    def names(self) -> list[str]:
        """The servers, in the order in which they were first measured."""
        return list(dict.fromkeys(level.name for level in self.levels))

    def expected_start(self, name: str, size: int) -> float:
        """Seconds until so many streams have begun, with room, judged by what was measured so far."""
        known = self.of_name(name)
        if not known:
            return 1.0
        nearest = min(known, key=lambda level: abs(level.streams - size))
        return min(LONGEST_START, 1.0 + 1.3 * nearest.start_seconds * max(1.0, size / nearest.streams))

    def complete(self) -> bool:
        """Whether every delta came, once, and no server complained."""
        return not self.problems and not any(level.problems for level in self.levels)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run, its tables for people, and its numbers for programs."""

    run: Run
    text: str
    numbers: dict[str, Any]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of the values do not exceed; NaN for none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


def pooled(levels: list[Level], values: Callable[[Level], list[float]]) -> list[float]:
    return [value for level in levels for value in values(level)]


def ratios(run: Run, streams: int) -> list[float]:
    """CPU of Parley over CPU of the relay in the steady window, for each pair."""
    return [parley / relay for parley, relay in paired(run, "parley", "relay", streams) if relay]


def paired(run: Run, one: str, other: str, streams: int, name: str = "cpu") -> list[tuple[float, float]]:
    """The value of that name for both servers, in each pair in which both had a steady window."""
    pairs = zip(run.of(one, streams), run.of(other, streams), strict=False)
    return [(getattr(a, name), getattr(b, name)) for a, b in pairs if a.window and b.window]


def markdown(run: Run) -> str:
    """All tables."""
    return joined(head(run), delays_table(run), _costs(run), _memory(run), _targets(run), warnings_list(run))


def joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def head(run: Run) -> str:
    """What the numbers depend on."""
    about = run.machine
    pairs = max((len(run.of(name, size)) for name in run.names() for size in run.sizes()), default=0)
    return (
        f"{about['processors']} processors, Python {about['python']}, {about['system']}; "
        f"steady windows of {run.seconds:g} s, {pairs} pairs"
        f"{', pages fetch turns and sidebars' if run.fetches else ''}."
    )


def delays_table(run: Run) -> str:
    rows = []
    for size in run.sizes():
        for name in run.names():
            levels = run.of(name, size)
            first, answered = pooled(levels, lambda one: one.first), pooled(levels, lambda one: one.answered)
            delays, steady = (
                pooled(levels, lambda one: one.delays),
                pooled(levels, lambda one: one.steady_delays),
            )
            lost = sum(one.expected for one in levels) - sum(one.deltas for one in levels)
            rows.append(
                [
                    f"{size}",
                    name,
                    " / ".join(f"{percentile(first, share):.1f}" for share in (0.5, 0.95, 1)),
                    f"{percentile(answered, 0.5):.1f}" if answered else "",
                    f"{percentile(steady, 0.5):.1f} / {percentile(steady, 0.99):.1f}",
                    f"{percentile(delays, 0.99):.1f} / {percentile(delays, 1):.1f}",
                    f"{sum(one.deltas for one in levels)}",
                    f"{lost}",
                    f"{sum(len(one.problems) for one in levels)}",
                ]
            )
    titles = (
        "streams|server|first frame p50 / p95 / max|POST answered p50|delta p50 / p99|with start p99 / max"
    )
    return "Times in milliseconds.\n\n" + table(f"{titles}|deltas|lost|problems", rows)


def _costs(run: Run) -> str:
    rows = []
    for size in run.sizes():
        for name in run.names():
            levels = run.of(name, size)
            found = ratios(run, size) if name == "parley" else []
            mean = {key: mean_of(levels, key) for key in _MEANS}
            rows.append(
                [
                    f"{size}",
                    name,
                    f"{mean['cpu']:.0f}",
                    f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})" if found else "",
                    f"{mean['cpu_with_start']:.0f}",
                    f"{mean['start_cpu']:.1f}",
                    f"{mean['start_seconds']:.2f}",
                    f"{mean['deltas_per_second']:.0f} / {mean['frames_per_second']:.0f}",
                    " / ".join(f"{100 * mean[f'{who}_load']:.0f}" for who in _WHO),
                ]
            )
    titles = (
        "streams|server|CPU ms per 1,000 deltas|times the relay (of pairs)|with start|CPU ms per start"
        "|all shown after s|deltas / frames per s|% of a processor: server / simulator / client / others"
    )
    return table(titles, rows)


_WHO = ("server", "simulator", "client", "others")
_MEANS = (
    "cpu cpu_with_start start_cpu start_seconds deltas_per_second frames_per_second "
    "server_load simulator_load client_load others_load"
).split()


def _memory(run: Run) -> str:
    rows = []
    for name in run.names():
        row = [name, f"{run.rest[name] / MB:.0f}", f"{run.idle.get(name, 0):.1f}"]
        row += [_per_stream(run, name, size) for size in run.sizes() if size > 1]
        rows.append([*row, f"{run.end.get(name, 0) / MB:.0f}"])
    sizes = "".join(f"|KB per stream at {size}" for size in run.sizes() if size > 1)
    return table(f"server|MB at rest|CPU ms per s at rest{sizes}|MB at the end", rows)


def per_stream(run: Run, name: str, size: int) -> float | None:
    """KB that one stream added to the server, the first time that so many ran; None when not measured."""
    levels = run.of(name, size)
    return (levels[0].rss_peak - levels[0].rss_before) / size / KB if levels else None


def _per_stream(run: Run, name: str, size: int) -> str:
    found = per_stream(run, name, size)
    return "" if found is None else f"{found:.0f}"


def _targets(run: Run) -> str:
    """What issue and design ask of two processors, and what was measured."""
    rows: list[list[str]] = []

    def line(what: str, most: float, measured: float | None, unit: str) -> None:
        rows.extend(target_rows(what, most, measured, unit))

    for size, most in ((1, 10), (50, 75)):
        levels = run.of("parley", size)
        line(
            f"first frame p50, {size} started together",
            most,
            percentile(pooled(levels, lambda one: one.first), 0.5),
            "ms",
        )
    for level in run.of("parley", 500)[:1]:
        levels = run.of("parley", level.streams)
        line("lost at 500 streams", 0, float(sum(one.expected - one.deltas for one in levels)), "")
        line(
            "delta p99 at 500 streams",
            250,
            percentile(pooled(levels, lambda one: one.steady_delays), 0.99),
            "ms",
        )
        line("the same with start", 250, percentile(pooled(levels, lambda one: one.delays), 0.99), "ms")
    for size in run.sizes():
        if found := ratios(run, size):
            line(f"CPU at {size} streams, of the relay's", 1.5, median(found), "×")
    if "parley" in run.rest:
        line("memory at rest", 150, run.rest["parley"] / MB, "MB")
        line("memory per stream at 500", 100, per_stream(run, "parley", MEMORY_LEVEL), "KB")
    return targets_table(rows)


def target_rows(what: str, most: float, measured: float | None, unit: str) -> list[list[str]]:
    """The row of one target; none when it was not measured."""
    if measured is None or measured != measured:
        return []
    verdict = "met" if measured <= most else "MISSED"
    return [[what, f"{most:g} {unit}".strip(), f"{measured:.3g} {unit}".strip(), verdict]]


def targets_table(rows: list[list[str]]) -> str:
    return table("target|at most|measured|", rows) if rows else ""


def warnings_list(run: Run) -> str:
    lines: list[str] = []
    for level in run.levels:
        where = f"{level.name}, {level.streams} streams"
        if not level.window:
            lines.append(f"{where}: no steady window, the streams took {level.start_seconds:.1f} s to begin.")
        if level.machine_load > FULL_LOAD:
            lines.append(
                f"{where}: the machine was {100 * level.machine_load:.0f} % busy, which delays show, too."
            )
        if level.others_load > DISTURBED:
            lines.append(f"{where}: other programs used {100 * level.others_load:.0f} % of a processor.")
        for who, load in (("client", level.client_load), ("simulator", level.simulator_load)):
            if load > FULL_LOAD:
                lines.append(
                    f"{where}: the {who} used {100 * load:.0f} % of a processor and may have been late."
                )
        counted: dict[str, int] = defaultdict(int)
        for problem in level.problems:
            counted[problem] += 1
        lines += [f"{where}: {problem} ({count} ×)" for problem, count in list(counted.items())[:5]]
    lines += run.problems[:10]
    return "\n".join(f"- {line}" for line in lines)


def as_json(run: Run) -> dict[str, Any]:
    """All levels with their percentiles instead of single values."""
    return {
        "machine": run.machine,
        "seconds": run.seconds,
        "complete": run.complete(),
        "rest_bytes": run.rest,
        "end_bytes": run.end,
        "idle_cpu_ms_per_s": run.idle,
        "levels": [_level(level) for level in run.levels],
        "ratios": {str(size): ratios(run, size) for size in run.sizes()},
        "problems": run.problems,
    }


def _level(level: Level) -> dict[str, Any]:
    known = {name: getattr(level, name) for name in Level.__slots__}
    for name in ("first", "answered", "delays", "steady_delays"):
        values = known.pop(name)
        if values:
            shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
            known[f"{name}_ms"] = {key: percentile(values, share) for key, share in shares.items()}
    return known


def mean_of(levels: list[Level], name: str) -> float:
    values = [float(getattr(level, name)) for level in levels if level.window]
    return sum(values) / len(values) if values else float("nan")


def table(titles: str, rows: list[list[str]]) -> str:
    heads = titles.split("|")
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
