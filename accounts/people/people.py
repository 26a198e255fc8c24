"""Changes of people and teams: keyword-only, each in one transaction with its audit event.

They are in force at once where a request is answered, and within five seconds for sockets and live answers.
Raises accounts.people.rules.NotAllowed with a sentence for the person who tried.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import Membership, Team, User
from accounts.names import clean_name
from accounts.people import rules
from accounts.people.rules import NotAllowed
from accounts.sign_in import policy as sign_in_policy

LAST_OWNER = "This is the only owner. Make somebody else an owner first."


def change_role(*, by: User, person: User, role: str) -> None:
    """`role` is one of User.Role."""
    with transaction.atomic():
        # Owners are locked together, so that two who demote each other at once leave one.
        list(User.objects.select_for_update().filter(role=User.Role.OWNER).order_by("pk"))
        person = User.objects.select_for_update().get(pk=person.pk)
        _refuse(rules.may_change(by, person) or rules.may_give_role(by, role))
        if role == person.role:
            return
        if rules.is_last_owner(person):
            raise NotAllowed(LAST_OWNER)
        before, person.role = person.role, role
        person.save(update_fields=["role"])
        sign_in_policy.apply(User.objects.filter(pk=person.pk))
        audit.record(
            Verb.PERSON_ROLE_CHANGED,
            actor=by,
            kind="person",
            id=person.pk,
            before={"role": before},
            after={"role": role},
        )


def deactivate(*, by: User | None, person: User, via: str = "") -> None:
    """The person can do nothing any more; what they wrote and used stays. `by` is None for a command."""
    with transaction.atomic():
        list(User.objects.select_for_update().filter(role=User.Role.OWNER).order_by("pk"))
        person = User.objects.select_for_update().get(pk=person.pk)
        if by is not None:
            _refuse(rules.may_change(by, person))
        if not person.is_active:
            return
        if rules.is_last_owner(person):
            raise NotAllowed(LAST_OWNER)
        person.is_active = False
        person.save(update_fields=["is_active"])
        audit.record(Verb.PERSON_DEACTIVATED, actor=by, via=via, kind="person", id=person.pk)


def activate(*, by: User | None, person: User, via: str = "") -> None:
    """Takes the deactivation back."""
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person.pk)
        if by is not None:
            _refuse(rules.may_change(by, person))
        if person.is_active:
            return
        person.is_active = True
        person.save(update_fields=["is_active"])
        audit.record(Verb.PERSON_ACTIVATED, actor=by, via=via, kind="person", id=person.pk)


def change_profile(*, person: User, display_name: str, timezone: str, language: str = "") -> None:
    """What people say of themselves; `language` is one of accounts.people.languages, or "". Raises
    ValidationError.
    """
    person.display_name, person.timezone, person.language = display_name, timezone, language
    person.clean_fields(exclude=["password"])
    person.save(update_fields=["display_name", "timezone", "language"])


def create_team(*, by: User | None, name: str, via: str = "") -> Team:
    """Raises ValidationError for a name that is empty or taken."""
    with transaction.atomic():
        team = _named(Team(), name)
        audit.record(Verb.TEAM_CREATED, actor=by, via=via, kind="team", id=team.pk, name=team.name)
    return team


def rename_team(*, by: User | None, team: Team, name: str, via: str = "") -> None:
    """Raises ValidationError for a name that is empty or taken."""
    with transaction.atomic():
        team = Team.objects.select_for_update().get(pk=team.pk)
        before = team.name
        if _named(team, name).name != before:
            audit.record(
                Verb.TEAM_RENAMED,
                actor=by,
                via=via,
                kind="team",
                id=team.pk,
                name=team.name,
                before={"name": before},
                after={"name": team.name},
            )


def put_in_team(*, by: User | None, person: User, team: Team, role: str, via: str = "") -> None:
    """Adds the person, or gives them another role there."""
    with transaction.atomic():
        if not User.objects.active().filter(pk=person.pk).exists():
            raise NotAllowed("This account is deactivated.")
        membership, is_new = Membership.objects.select_for_update().get_or_create(
            user=person, team=team, defaults={"role": role}
        )
        before = None if is_new else membership.role
        if before == role:
            return
        if not is_new:
            membership.role = role
            membership.save(update_fields=["role"])
        _record_membership(Verb.MEMBERSHIP_CHANGED, by, via, team, person, before, role)


def take_out_of_team(*, by: User | None, person: User, team: Team, via: str = "") -> None:
    """The person no longer belongs to the team; who does not, stays out."""
    with transaction.atomic():
        membership = Membership.objects.select_for_update().filter(user=person, team=team).first()
        if membership is None:
            return
        before = membership.role
        membership.delete()
        _record_membership(Verb.MEMBERSHIP_ENDED, by, via, team, person, before, None)


def _record_membership(
    verb: Verb, by: User | None, via: str, team: Team, person: User, before: str | None, after: str | None
) -> None:
    audit.record(
        verb,
        actor=by,
        via=via,
        kind="person",
        id=person.pk,
        before={"team": team.name, "role": before} if before else None,
        after={"team": team.name, "role": after} if after else None,
    )


def _named(team: Team, name: str) -> Team:
    team.name = clean_name(name)
    if not team.name:
        raise ValidationError("A team needs a name.")
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError:
        raise ValidationError("There is a team with this name.") from None
    return team


def _refuse(reason: str) -> None:
    if reason:
        raise NotAllowed(reason)
