"""Rules of models and features, decided as an admin decides them."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import Membership, Team, User
from accounts.policies import store
from accounts.policies.features import Feature
from accounts.policies.rules import Rule, Which
from accounts.policies.store import Scope


def rule(
    which: Which = "all",
    models: Iterable[str] = (),
    *,
    refused: Iterable[Feature] = (),
    granted: Iterable[Feature] = (),
) -> Rule:
    return Rule(which, frozenset(models), frozenset(refused), frozenset(granted))


def organisation(decided: Rule) -> None:
    store.change(by=None, scope=Scope.ORGANISATION, rule=decided, via="command")


def everyone_else(decided: Rule | None) -> None:
    store.change(by=None, scope=Scope.OTHERS, rule=decided, via="command")


def of(team: Team, decided: Rule | None) -> None:
    store.change(by=None, scope=Scope.TEAM, team=team, rule=decided, via="command")


def team(name: str, *people: User, decided: Rule | None = None) -> Team:
    made = Team.objects.create(name=name)
    for person in people:
        Membership.objects.create(team=made, user=person)
    if decided is not None:
        of(made, decided)
    return made
