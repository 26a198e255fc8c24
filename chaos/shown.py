"""What people were shown, of every answer, on every page. Its word stands against the database's.

Three things can go wrong on a screen, and each is noticed at the moment it happens:

- an answer changes: what a page shows no longer begins with what it showed before;
- an answer is told in two ways: two pages show texts of which neither begins with the other;
- an answer shrinks: a page that was asked for after something had been shown does not have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chaos.story import characters

TAIL = 60


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that must not happen: which law, of which run (or ""), and the story for whoever mends it."""

    law: str
    run: str
    story: str

    def __str__(self) -> str:
        return f"{self.law}: run {self.run or '-'}: {self.story}"


@dataclass(slots=True)
class Shown:
    """The longest script of a run that anybody was shown."""

    run: str
    message: str
    script: str = ""
    where: str = ""


@dataclass(slots=True)
class Witness:
    runs: dict[str, Shown] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)
    characters: int = 0  # shown, on all pages together
    lost: int = 0
    doubled: int = 0

    def floor(self) -> dict[str, str]:
        """What has been shown of each run so far: a page that is asked for from now on has at least that."""
        return {run: shown.script for run, shown in self.runs.items()}

    def saw(self, run: str, message: str, before: str, now: str, where: str) -> None:
        """A page (`where`) that showed `before` of a run shows `now`."""
        if now.startswith(before):
            self.characters += characters(now[len(before) :])
        else:
            self._breach("an answer changed on a page", run, before, now, where)
        shown = self.runs.setdefault(run, Shown(run, message))
        if now.startswith(shown.script):
            shown.script, shown.where = now, where
        elif not shown.script.startswith(now):
            self._breach(
                "two pages tell an answer in two ways", run, shown.script, now, f"{shown.where}, {where}"
            )

    def loaded(self, run: str, floor: str, now: str, where: str) -> None:
        """A page that was asked for when `floor` had been shown of a run shows `now` of it."""
        if not now.startswith(floor):
            self._breach("a fresh page shows less than was shown", run, floor, now, where)

    def say(self, law: str, run: str, story: str) -> None:
        self.breaches.append(Breach(law, run, story))

    def _breach(self, law: str, run: str, before: str, now: str, where: str) -> None:
        lost, doubled = damage(before, now)
        self.lost += lost
        self.doubled += doubled
        self.say(law, run, f"{where}: {difference(before, now)}")


def common(one: str, other: str) -> int:
    """The length of the beginning that both have."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def damage(before: str, now: str) -> tuple[int, int]:
    """(characters lost, characters doubled) where `now` should begin with `before`."""
    at = common(before, now)
    rest = now[at:]
    for size in range(min(len(rest), at), 0, -1):
        if rest.startswith(before[at - size : at]) and now[at + size :].startswith(before[at : at + TAIL]):
            return 0, size
    return characters(before[at:]), 0


def difference(before: str, now: str) -> str:
    """Where they part, and what each has there."""
    at = common(before, now)
    return (
        f"after {at} characters that agree, {len(before)} were expected: {_around(before, at)!r} "
        f"but there are {len(now)}: {_around(now, at)!r}"
    )


def _around(text: str, at: int) -> str:
    return text[max(0, at - TAIL) : at + TAIL]
