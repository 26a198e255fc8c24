"""What followers in another process cost, and whether their deltas come in time, as tables for people."""

from __future__ import annotations

from statistics import mean, median
from typing import Any

from bench import report
from bench.report import Run, percentile, pooled

SLOWEST = 400  # milliseconds: the 99th percentile of the delays at MANY streams
MANY = 200
DIFFERENCES = {
    "the bell is rung: here (A) minus alone (C)": ("here", "alone"),
    "it is heard, the journal is read: elsewhere (A + B) minus here (A)": ("elsewhere", "here"),
}
PARTS = ("A", "B", "C", "PostgreSQL", "Redis")


def markdown(run: Run, versions: str, unread: list[str]) -> str:
    """All tables. unread: stores whose CPU could not be read."""
    notes = [f"- The CPU of {name} is not reported: its processes are not seen from here." for name in unread]
    return report.joined(
        f"{report.head(run)} {versions}.",
        report.delays_table(run),
        _fetched(run),
        _parts(run),
        _costs(run),
        _targets(run),
        "\n".join([*notes, *filter(None, [report.warnings_list(run)])]),
    )


def differences(run: Run, streams: int) -> dict[str, dict[str, list[float]]]:
    """By what it is spent on: CPU ms per 1,000 deltas more, and how many times, of each pair."""
    found: dict[str, dict[str, list[float]]] = {}
    for what, (more, less) in DIFFERENCES.items():
        steady = report.paired(run, more, less, streams)
        start = report.paired(run, more, less, streams, "cpu_with_start")
        found[what] = {
            "more": [one - other for one, other in steady],
            "times": [one / other for one, other in steady if other],
            "more_with_start": [one - other for one, other in start],
            "times_with_start": [one / other for one, other in start if other],
        }
    return found


def as_json(run: Run, versions: str, unread: list[str]) -> dict[str, Any]:
    known = report.as_json(run)
    del known["ratios"]  # there is no relay
    costs = {str(size): differences(run, size) for size in run.sizes()}
    return known | {"stores": versions, "unread": unread, "differences": costs}


def _fetched(run: Run) -> str:
    """The end of an answer is stored with the message: other processes show it with the finished turn."""
    levels = run.of_name("elsewhere")
    fetched, all_of_them = sum(one.fetched for one in levels), sum(one.deltas for one in levels)
    return f"Of the {all_of_them} deltas that came elsewhere, {fetched} came last, with the finished turn."


def _parts(run: Run) -> str:
    """CPU of every process in the steady window; the load is charged with those in its `server` column."""
    rows = []
    for size in run.sizes():
        for name in run.names():
            levels = [level for level in run.of(name, size) if level.window]
            row = [f"{size}", name, f"{report.mean_of(levels, 'cpu'):.0f}"]
            for part in PARTS:
                values = [level.parts[part] for level in levels if part in level.parts]
                row.append(f"{mean(values):.0f}" if values else "")
            rates = ("deltas_per_second", "frames_per_second")
            row.append(" / ".join(f"{report.mean_of(levels, rate):.0f}" for rate in rates))
            loads = ("server_load", "simulator_load", "client_load", "others_load", "machine_load")
            rows.append([*row, " / ".join(f"{100 * report.mean_of(levels, load):.0f}" for load in loads)])
    titles = (
        f"streams|load|its servers|{'|'.join(PARTS)}|deltas / frames per s"
        "|% of a processor: servers / simulator / client / others; of the machine"
    )
    return f"CPU milliseconds per 1,000 deltas, steady window.\n\n{report.table(titles, rows)}"


def _costs(run: Run) -> str:
    rows = []
    for size in run.sizes():
        for what, values in differences(run, size).items():
            cells = [
                _spread(values["more"], "+.0f"),
                _spread(values["times"], ".2f"),
                _spread(values["more_with_start"], "+.0f"),
                _spread(values["times_with_start"], ".2f"),
            ]
            rows.append([f"{size}", what, *cells])
    titles = "streams|what|CPU ms per 1,000 deltas (of pairs)|times|with start|times, with start"
    return report.table(titles, rows)


def _spread(values: list[float], form: str) -> str:
    """Median, and from the smallest to the largest."""
    if not values:
        return ""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _targets(run: Run) -> str:
    rows: list[list[str]] = []
    for size in run.sizes():
        levels = run.of("elsewhere", size)
        lost = sum(one.expected - one.deltas for one in levels)
        rows += report.target_rows(f"lost at {size} streams, followed elsewhere", 0, float(lost), "")
        wrong = float(sum(len(one.problems) for one in levels))
        rows += report.target_rows(
            f"streams at {size} with a delta doubled, changed or out of order", 0, wrong, ""
        )
        if size == MANY:
            steady = percentile(pooled(levels, lambda one: one.steady_delays), 0.99)
            delays = percentile(pooled(levels, lambda one: one.delays), 0.99)
            rows += report.target_rows(
                f"delta p99 at {MANY} streams, followed elsewhere", SLOWEST, steady, "ms"
            )
            rows += report.target_rows("the same with start", SLOWEST, delays, "ms")
    return report.targets_table(rows)
