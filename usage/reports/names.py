"""How reports call what they count: people, teams, tokens and models by their names, removed ones too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from accounts.models import AccessToken, Team, User
from providers import registry
from usage.catalogue import overrides
from usage.models import NOBODY, Outcome

PURPOSES = {"chat": "Chat", "title": "Titles", "benchmark": "Benchmark", "gateway": "Front door"}
KEYS = {
    "person": "A person's own key",
    "team": "A team's key",
    "organisation": "The organisation's key",
    "environment": "The environment's key",
    "demo": "Built in",
}
OUTCOMES = dict(Outcome.choices)
HEADINGS = {
    "day": "Day",
    "person": "Person",
    "team": "Team",
    "token": "Token",
    "provider": "Provider",
    "model": "Model",
    "purpose": "Purpose",
    "key": "Whose key",
}


@dataclass(frozen=True, slots=True)
class Name:
    """What a value is called. `beside` tells it from others of that name, or says what became of it."""

    text: str
    beside: str = ""

    @property
    def whole(self) -> str:
        return f"{self.text} ({self.beside})" if self.beside else self.text


class Names:
    """Reads the names of people, teams and tokens once; who is not known any more is called removed.

    At most one query for each of people, teams and tokens, none for those of which there are no ids.
    """

    def __init__(
        self, *, people: Iterable[UUID] = (), teams: Iterable[UUID] = (), tokens: Iterable[UUID] = ()
    ) -> None:
        self._known = {
            "person": {
                row.pk: Name(row.display, row.email if row.is_active else "deactivated")
                for row in _found(User, people, "email", "display_name", "is_active")
            },
            "team": {row.pk: Name(row.name) for row in _found(Team, teams, "name")},
            "token": {
                row.pk: Name(row.name, f"{row.prefix}…")
                for row in _found(AccessToken, tokens, "name", "prefix")
            },
        }

    @classmethod
    def of(cls, by: tuple[str, ...], keys: Iterable[tuple[Any, ...]]) -> Names:
        """The names that these groups of a report need."""
        keys = list(keys)
        wanted = {name: {key[place] for key in keys} for place, name in enumerate(by)}
        return cls(
            people=wanted.get("person", ()), teams=wanted.get("team", ()), tokens=wanted.get("token", ())
        )

    def name(self, grouping: str, value: Any) -> Name:
        """The name of one value of a grouping."""
        if grouping in self._known:
            if value == NOBODY:
                return Name({"person": "Nobody", "team": "No team", "token": "No token"}[grouping])
            removed = Name(f"Removed {grouping}", str(value)[-8:])
            return self._known[grouping].get(value, removed)
        return plain_name(grouping, value)


def plain_name(grouping: str, value: Any) -> Name:
    """The name of a value that needs no look into the database."""
    if grouping == "day":
        return Name(day_text(value))
    if grouping == "model":
        return model_name(value)
    if grouping == "provider":
        return Name(provider_name(value))
    known = {"purpose": PURPOSES, "key": KEYS, "outcome": OUTCOMES}[grouping]
    return Name(known.get(value, value))


def model_name(ref: str) -> Name:
    """A model's name, and its provider's; the id of one that is not known any more."""
    provider, _, model = ref.partition("/")
    spec = overrides.spec(ref)
    return Name(spec.name if spec is not None else model, provider_name(provider))


def provider_name(slug: str) -> str:
    known = registry.provider(slug)
    return known.label if known is not None else slug


def day_text(day: date) -> str:
    """A day as people write it: "3 November 2026"."""
    return f"{day.day} {day:%B %Y}"


def _found(model: Any, ids: Iterable[UUID], *columns: str) -> list[Any]:
    wanted = {one for one in ids if one != NOBODY}
    return list(model.objects.filter(pk__in=wanted).only(*columns)) if wanted else []
