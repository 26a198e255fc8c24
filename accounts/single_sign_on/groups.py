"""What a provider's groups give: memberships of teams, and the role of admin; never that of owner.

What a mapping gave, it takes back when the group is gone, at the next sign-in. What was given by hand is left
as it is, also where the mapping would give the same or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import GivenMembership, Membership, SignInConnection, SignInSettings, Team, User
from accounts.people import people
from accounts.sign_in import policy as sign_in_policy

VIA = "single sign-on"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`teams` are roles by the team's id."""

    teams: Mapping[UUID, str] = field(default_factory=dict)
    admin: bool = False


def outcome(settings: SignInSettings, groups: Sequence[str]) -> Outcome:
    """What these groups give by the rules. Of two roles the higher one counts."""
    teams: dict[UUID, str] = {}
    admin = False
    for rule in settings.groups:
        if rule["group"] not in groups:
            continue
        admin = admin or rule.get("role") == User.Role.ADMIN
        if rule.get("team"):
            team = UUID(rule["team"])
            if teams.get(team) != Membership.Role.MANAGER:
                teams[team] = rule.get("team_role") or Membership.Role.MEMBER
    return Outcome(teams, admin)


def apply(connection: SignInConnection, given: Outcome) -> None:
    """In the caller's transaction, which has locked the person."""
    person = connection.person
    by_rule = {
        row.membership.team_id: row
        for row in connection.given.select_related("membership", "membership__team")
    }
    for id, row in by_rule.items():
        if id not in given.teams:
            people.take_out_of_team(by=None, person=person, team=row.membership.team, via=VIA)
    others = set(Membership.objects.filter(user=person).values_list("team", flat=True)) - set(by_rule)
    for team in Team.objects.filter(pk__in=set(given.teams) - others).order_by("pk"):
        people.put_in_team(by=None, person=person, team=team, role=given.teams[team.pk], via=VIA)
        if team.pk not in by_rule:
            membership = Membership.objects.get(user=person, team=team)
            GivenMembership.objects.create(connection=connection, membership=membership)
    _give_role(connection, given.admin)


def take_back(connection: SignInConnection) -> None:
    """Everything that it gave; in the caller's transaction."""
    apply(connection, Outcome())


def _give_role(connection: SignInConnection, admin: bool) -> None:
    """Owners are left alone; so is who was made an admin by hand."""
    person = connection.person
    if admin and person.role == User.Role.MEMBER:
        _change(person, User.Role.ADMIN)
        _note(connection, gave=True)
    elif not admin and connection.gave_admin:
        if person.role == User.Role.ADMIN:
            _change(person, User.Role.MEMBER)
        _note(connection, gave=False)


def _change(person: User, role: str) -> None:
    before, person.role = person.role, role
    person.save(update_fields=["role"])
    sign_in_policy.apply(User.objects.filter(pk=person.pk))
    audit.record(
        Verb.PERSON_ROLE_CHANGED,
        actor=None,
        via=VIA,
        kind="person",
        id=person.pk,
        before={"role": before},
        after={"role": role},
    )


def _note(connection: SignInConnection, *, gave: bool) -> None:
    connection.gave_admin = gave
    connection.save(update_fields=["gave_admin"])
