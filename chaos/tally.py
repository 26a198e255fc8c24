"""What is counted while chaos goes on, beside what the witness and the database say."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    faults: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)  # what people did
    answers: Counter[str] = field(default_factory=Counter)  # HTTP answers by method and status; 0: none came
    closes: Counter[str] = field(default_factory=Counter)  # how sockets ended, by code
    notices: Counter[str] = field(default_factory=Counter)
    ended_by_itself: int = 0  # servers that ended before they were ready, and were started again
    frames: int = 0
    states: int = 0
    gaps: int = 0  # frames that did not follow what the page had; it asked again
    reconnects: int = 0
    away: list[float] = field(default_factory=list)  # seconds from the loss of a socket to the next one
    recovery: list[float] = field(
        default_factory=list
    )  # seconds from the loss of a host to a new one, or the end
    _left: dict[str, float] = field(default_factory=dict)
    hosts: dict[str, tuple[str, float]] = field(default_factory=dict)  # lost ones by run, and since when

    def answered(self, method: str, status: int) -> None:
        self.answers[f"{method} {status}"] += 1

    def joined(self, tab: str) -> None:
        if (left := self._left.pop(tab, None)) is not None:
            self.reconnects += 1
            self.away.append(time.monotonic() - left)

    def left(self, tab: str, code: int | None) -> None:
        self.closes[str(code)] += 1
        self._left.setdefault(tab, time.monotonic())

    def gone(self, tab: str) -> None:
        """The page was closed: it does not come back."""
        self._left.pop(tab, None)

    def host_lost(self, runs: list[tuple[str, str]]) -> None:
        """These runs (id, host) have just lost their host."""
        for run, host in runs:
            self.hosts.setdefault(run, (host, time.monotonic()))

    def hosts_now(self, live: dict[str, str]) -> None:
        """Which host every live run has now: those that have another one than they lost have recovered."""
        for run, (host, since) in list(self.hosts.items()):
            if live.get(run) != host:
                del self.hosts[run]
                self.recovery.append(time.monotonic() - since)


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of all lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
