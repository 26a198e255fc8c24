"""People, teams and invitations as their pages list them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Lower, NullIf

from accounts.models import Invitation, Membership, Team, User

PAGE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One person of the list."""

    person: User
    memberships: list[Membership]

    @property
    def role(self) -> str:
        return User.Role(self.person.role).label


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of people. `first` and `last` count from 1."""

    lines: list[Line]
    total: int
    number: int

    @property
    def first(self) -> int:
        return (self.number - 1) * PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1

    @property
    def earlier(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def later(self) -> int | None:
        return self.number + 1 if self.last < self.total else None


def people(asked: dict[str, Any]) -> Listed:
    """Those that the filters of PeopleForm ask for. Three queries."""
    found: QuerySet[User] = User.objects.all()
    if asked.get("state") != "all":
        found = found.filter(is_active=asked.get("state") != "off")
    if asked.get("q"):
        found = found.filter(Q(display_name__icontains=asked["q"]) | Q(email__icontains=asked["q"]))
    if asked.get("role"):
        found = found.filter(role=asked["role"])
    if asked.get("team"):
        found = found.filter(memberships__team=asked["team"])
    number = asked.get("page") or 1
    rows = found.order_by(*_order(asked.get("sort") or "name"))[(number - 1) * PAGE : number * PAGE]
    return Listed(_lines(rows), found.count(), number)


def members(team: Team) -> list[tuple[Membership, User]]:
    """Who is in a team, its managers first. One query."""
    rows = Membership.objects.filter(team=team).select_related("user")
    ranked = sorted(rows, key=lambda row: (row.role != "manager", row.user.display.casefold()))
    return [(row, row.user) for row in ranked]


def teams(person: User) -> QuerySet[Team]:
    """The teams that this person manages, with how many are in each."""
    managed = Team.objects.managed_by(person)
    return managed.annotate(
        people=Count("memberships", filter=Q(memberships__user__is_active=True), distinct=True)
    ).order_by(Lower("name"))


def open_invitations(person: User, team: Team | None = None) -> list[tuple[Invitation, str]]:
    """Those not yet accepted or taken back, also expired ones, each with who invited. Two queries."""
    found = Invitation.objects.for_user(person).filter(state=Invitation.State.OPEN).select_related("team")
    if team is not None:
        found = found.filter(team=team)
    rows = list(found.order_by("-created_at"))
    names = names_of(row.created_by for row in rows)
    return [(row, names.get(row.created_by, "") if row.created_by else "") for row in rows]


def names_of(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    return {row.pk: row.display for row in User.objects.filter(pk__in={id for id in ids if id})}


def _order(sort: str) -> tuple[Any, ...]:
    name = (Lower(Coalesce(NullIf("display_name", Value("")), "email")), "pk")
    if sort == "role":
        return ("role", *name)
    return (F("last_login").desc(nulls_last=True), *name) if sort == "seen" else name


def _lines(rows: Iterable[User]) -> list[Line]:
    people = list(rows)
    of: dict[UUID, list[Membership]] = {}
    for row in Membership.objects.filter(user__in=people).select_related("team").order_by("team__name"):
        of.setdefault(row.user_id, []).append(row)
    return [Line(person, of.get(person.pk, [])) for person in people]
