"""Who may do what to whom, in one place. Each answer is a reason to refuse, or ""."""

from __future__ import annotations

from accounts.models import Membership, Team, User

RANK = {User.Role.MEMBER: 0, User.Role.ADMIN: 1, User.Role.OWNER: 2}


class NotAllowed(Exception):
    """What was asked for is refused. The text says why, and what to do."""


def rank(person: User) -> int:
    return RANK[User.Role(person.role)] if person.is_active else -1


def may_give_role(by: User, role: str) -> str:
    """Owners give every role, admins that of admin and member."""
    if rank(by) < RANK[User.Role.ADMIN] or RANK[User.Role(role)] > rank(by):
        return "Only an owner can make somebody an owner." if by.is_admin else "Only admins give roles."
    return ""


def may_change(by: User, person: User) -> str:
    """Whether `by` may change the role or state of this person."""
    if by.pk == person.pk:
        return "You cannot do this to yourself. Another admin can."
    if not by.is_admin:
        return "Only admins do this."
    if person.role == User.Role.OWNER and by.role != User.Role.OWNER:
        return "Only an owner changes an owner."
    return ""


def may_invite(by: User, role: str, team: Team | None) -> str:
    """Admins invite anybody; a manager invites members to a team that they manage."""
    if by.is_admin:
        return may_give_role(by, role)
    if team is None or not Team.objects.managed_by(by).filter(pk=team.pk).exists():
        return "You can invite people to the teams that you manage."
    return "" if role == User.Role.MEMBER else "Only admins give roles."


def is_last_owner(person: User) -> bool:
    others = User.objects.active().filter(role=User.Role.OWNER).exclude(pk=person.pk)
    return person.role == User.Role.OWNER and person.is_active and not others.exists()


def reasons(person: User) -> list[tuple[str, str]]:
    """What this person may do, and by what."""
    if not person.is_active:
        return [("Nothing", "The account is deactivated.")]
    found = [("Chat with models, see their own usage", "Every active account may.")]
    if person.is_admin:
        found.append(("Manage people, teams, keys, budgets, models and rules", f"By the role {person.role}."))
    if person.role == User.Role.OWNER:
        found.append(("Make and change owners", "By the role owner."))
    memberships = Membership.objects.filter(user=person).select_related("team").order_by("team__name")
    for membership in memberships:
        name = membership.team.name
        found.append((f"Use the keys and the pool of {name}", f"By the team {name}."))
        if membership.role == Membership.Role.MANAGER:
            found.append((f"Invite people to {name} and manage its keys", f"As manager of {name}."))
    return found
