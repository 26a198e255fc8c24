"""A person before the rules: what they may use, and by which rules.

    allowed = the organisation's rule allows it
          and the team that pays allows it, where one pays
          and one of the person's teams allows it, where none pays, or one that the person is not in

Each model and each feature is judged by itself, so that rights add up over teams: a person in Design, which
may use Opus, and in Research, which may search the web, may search the web with Opus. A team without a rule
of its own, and a person in no team, go by the rule of the others; where there is none, the organisation's is
all. Where a team pays its rule counts, not that of the person's other teams: what is done in a team's name
and with its money goes by what the team may. Who is not in the team that pays gets nothing from it that they
would not have without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from .rules import Item, Rule, Rules


class Source(StrEnum):
    """Whose rule it was."""

    ORGANISATION = "organisation"
    TEAM = "team"  # its own
    PAYING = "paying"  # of the team that pays: its own
    UNRULED = "unruled"  # of a team without one: that of the others
    FREE = "free"  # of a team without one, where there is none for the others
    NO_TEAM = "no_team"  # of a person in no team: that of the others


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that took part, and what it says of an item. `team` is for whose sake it counts."""

    source: Source
    team: UUID | None
    item: Item
    allows: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What was decided of one item, with every rule that took part, in order."""

    item: Item
    allowed: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """`teams` are the person's own, `paying` is the team that pays for what is asked."""

    active: bool
    teams: tuple[UUID, ...]
    paying: UUID | None
    rules: Rules

    @property
    def is_plain(self) -> bool:
        """Nothing was ever decided here."""
        return self.rules.stamp is None

    def allows(self, item: Item) -> bool:
        """As `judge`, without its reasons. Whether the account is active is not asked."""
        if not self.rules.organisation.allows(item, founds=True):
            return False
        if self.paying is not None:
            if not _says(self._of(self.paying), item):
                return False
            if self.paying in self.teams:
                return True
        if not self.teams:
            return _says(self.rules.others, item)
        return any(_says(self._of(team), item) for team in self.teams)

    def judge(self, item: Item) -> Judged:
        return Judged(item, self.allows(item), tuple(self._reasons(item)))

    def _reasons(self, item: Item) -> Iterator[Reason]:
        organisation = self.rules.organisation
        yield Reason(Source.ORGANISATION, None, item, organisation.allows(item, founds=True))
        if self.paying is not None:
            yield self._reason(self.paying, item, own=Source.PAYING)
            if self.paying in self.teams:
                return
        for team in self.teams:
            yield self._reason(team, item)
        if not self.teams and self.rules.others is not None:
            yield Reason(Source.NO_TEAM, None, item, self.rules.others.allows(item))

    def _reason(self, team: UUID, item: Item, own: Source = Source.TEAM) -> Reason:
        without = Source.FREE if self.rules.others is None else Source.UNRULED
        source = own if team in self.rules.teams else without
        return Reason(source, team, item, _says(self._of(team), item))

    def _of(self, team: UUID) -> Rule | None:
        return self.rules.teams.get(team, self.rules.others)


def _says(rule: Rule | None, item: Item) -> bool:
    return rule is None or rule.allows(item)
