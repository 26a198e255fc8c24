"""What a rule would take from people, and give them, before it is saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Membership, User
from accounts.policies.features import OFFERED
from accounts.policies.rules import Item, Rules
from accounts.policies.standing import Standing
from providers.catalogue import ModelSpec
from usage.catalogue import known_models, overrides
from usage.policies import words

Teams = tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """The same models and features for the same people: how many, and in how many teams."""

    items: tuple[str, ...]
    people: int
    teams: int
    takes: bool

    @property
    def sentence(self) -> str:
        who = f"{self.people:,} {'person' if self.people == 1 else 'people'}"
        where = f" in {self.teams} team{'' if self.teams == 1 else 's'}" if self.teams else ""
        verb, to = ("takes", "from") if self.takes else ("gives", "to")
        return f"This {verb} {words.listed(self.items)} {to} {who}{where}."


def changes(before: Rules, after: Rules, usable: Iterable[str]) -> list[Change]:
    """What is taken first. Counted are active people and the models of these providers. Two queries."""
    people = _people()
    specs = [spec for provider in sorted(usable) for spec in overrides.specs(provider) if _counts(spec)]
    found: dict[tuple[bool, frozenset[Teams]], list[str]] = {}
    for name, may in _questions(specs):
        for takes, old, new in ((True, before, after), (False, after, before)):
            of = frozenset(
                teams for teams in people if may(_standing(old, teams)) and not may(_standing(new, teams))
            )
            if of:
                found.setdefault((takes, of), []).append(name)
    made = [
        Change(
            items=tuple(items),
            people=sum(people[teams] for teams in of),
            teams=len({team for teams in of for team in teams}),
            takes=takes,
        )
        for (takes, of), items in found.items()
    ]
    return sorted(made, key=lambda change: (not change.takes, -change.people))


def _questions(specs: list[ModelSpec]) -> list[tuple[str, Callable[[Standing], bool]]]:
    items: list[tuple[str, Item]] = [(spec.name, spec.ref) for spec in specs]
    items += [(words.item_name(feature), feature) for feature in OFFERED]
    return [(name, _asks(item)) for name, item in items]


def _asks(item: Item) -> Callable[[Standing], bool]:
    return lambda standing: standing.allows(item)


def _standing(rules: Rules, teams: Teams) -> Standing:
    return Standing(True, teams, None, rules)


def _counts(spec: ModelSpec) -> bool:
    enabled = overrides.known().override(spec.ref).enabled
    return (enabled is True or (enabled is None and not spec.restricted)) and not spec.is_retired(
        known_models.today()
    )


def _people() -> Counter[Teams]:
    """How many active people are in exactly these teams."""
    of: dict[UUID, list[UUID]] = {pk: [] for pk in User.objects.active().values_list("pk", flat=True)}
    for user, team in Membership.objects.filter(user__is_active=True).values_list("user", "team"):
        of.setdefault(user, []).append(team)
    return Counter(tuple(sorted(teams)) for teams in of.values())
