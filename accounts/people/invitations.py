"""Inviting people: one link per person, that works once.

The link holds a token of 32 random bytes; the database has only its digest. Where this server sends mail, the
link goes to the invited address, and opening it proves that address. Without mail an admin passes it on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import letters
from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.mail import stored as mail
from accounts.models import Invitation, Membership, Organisation, Team, User
from accounts.names import clean_email
from accounts.people import rules
from accounts.people.rules import NotAllowed
from accounts.single_sign_on.sign_up import SignUp

LASTS = timedelta(days=7)
GONE = "This invitation cannot be used: it was used, taken back or has expired. Ask for a new one."

CLOSED = "Nobody new is taken now: sign-up is closed on Manage → Sign-in."

Redeem = Callable[[User, dict[str, Any]], None]
_redeemers: list[Redeem] = []


class InvitationGone(NotAllowed):
    """Used, revoked, expired, or never there: nobody is told which."""

    def __init__(self) -> None:
        super().__init__(GONE)


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation and its link, which nobody can find out again."""

    invitation: Invitation
    link: str


def when_accepted(redeem: Redeem) -> None:
    """Has the grants of invitations redeemed by a higher layer, in the transaction that makes the account."""
    if redeem not in _redeemers:
        _redeemers.append(redeem)


def invite(
    *,
    by: User | None,
    email: str,
    role: str = User.Role.MEMBER,
    team: Team | None = None,
    team_role: str = Membership.Role.MEMBER,
    grant: dict[str, Any] | None = None,
    via: str = "",
) -> Invited:
    """Makes an invitation and sends it where mail is set up. An open one to the same address is replaced.

    `by` is None for a command. Raises NotAllowed; ValidationError for an address that is malformed or has an
    account.
    """
    if by is not None and (reason := rules.may_invite(by, role, team)):
        raise NotAllowed(reason)
    if SignUp.current().mode == "closed":
        raise NotAllowed(CLOSED)
    email = clean_email(email)
    validate_email(email)
    if User.objects.filter(email=email).exists():
        raise ValidationError("This address has an account already.")
    token = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            earlier = Invitation.objects.filter(email=email, state=Invitation.State.OPEN)
            if (
                by is not None
                and earlier.exclude(pk__in=Invitation.objects.for_user(by).values("pk")).exists()
            ):
                raise NotAllowed("An admin has invited this address already.")
            earlier.update(state=Invitation.State.REVOKED, ended_at=timezone.now())
            invitation = Invitation.objects.create(
                email=email,
                role=role,
                team=team,
                team_role=team_role,
                grant=grant or {},
                sha256=Invitation.digest(token),
                created_by=by.pk if by else None,
                sent_at=timezone.now() if mail.is_set_up() else None,
                expires_at=timezone.now() + LASTS,
            )
            _record(Verb.PERSON_INVITED, by, via, invitation)
            return _sent(invitation, token, by)
    except IntegrityError:
        raise ValidationError("Somebody else is inviting this address now. Try again.") from None


def resend(*, by: User | None, invitation: Invitation, via: str = "") -> Invited:
    """A new link for the same invitation, for a week from now; the old one is dead.

    Whoever gets to see the link could use it, so `by` must be one who may invite like this: a manager makes
    no link that makes an admin. Raises InvitationGone, NotAllowed.
    """
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        invitation = _locked(pk=invitation.pk)
        if invitation.state != Invitation.State.OPEN:
            raise InvitationGone
        if by is not None and (reason := rules.may_invite(by, invitation.role, invitation.team)):
            raise NotAllowed(reason)
        invitation.sha256 = Invitation.digest(token)
        invitation.expires_at = timezone.now() + LASTS
        invitation.sent_at = timezone.now() if mail.is_set_up() else None
        invitation.save(update_fields=["sha256", "expires_at", "sent_at"])
        _record(Verb.INVITATION_RESENT, by, via, invitation)
        return _sent(invitation, token, by)


def revoke(*, by: User | None, invitation: Invitation, via: str = "") -> None:
    """The link no longer works. One that was used stays used."""
    with transaction.atomic():
        invitation = _locked(pk=invitation.pk)
        if invitation.state == Invitation.State.OPEN:
            _end(invitation, Invitation.State.REVOKED)
            _record(Verb.INVITATION_REVOKED, by, via, invitation)


def found(token: str) -> Invitation:
    """The open invitation of a link. Raises InvitationGone."""
    invitation = Invitation.objects.open().by_token(token).select_related("team").first()
    if invitation is None or not _may_be_used(invitation):
        raise InvitationGone
    return invitation


def accept(*, token: str, display_name: str, password: str) -> User:
    """Makes the account that the link promises. Of any number of tries exactly one succeeds.

    Raises InvitationGone, or ValidationError for a weak password: the invitation then stays open.
    """
    promised = found(token)
    person = User(email=promised.email, display_name=display_name, role=promised.role)
    person.full_clean(exclude=["password"])
    validate_password(password, person)
    person.set_password(password)  # takes its time, so before the transaction
    with transaction.atomic():
        invitation = _locked(pk=promised.pk)
        if invitation.sha256 != Invitation.digest(token):
            raise InvitationGone
        _accept(invitation, person, "")
    return person


def open_for(email: str) -> Invitation | None:
    """The open invitation of an address that somebody has proven in another way than by its link."""
    found = Invitation.objects.open().filter(email=clean_email(email)).select_related("team").first()
    return found if found is not None and _may_be_used(found) else None


def accept_by(via: str, *, invitation: Invitation, display_name: str) -> User:
    """The same account without a password, for whoever has proven the address: the caller has made sure.
    Raises InvitationGone.
    """
    person = User(email=invitation.email, display_name=display_name, role=invitation.role)
    person.set_unusable_password()
    with transaction.atomic():
        _accept(_locked(pk=invitation.pk), person, via)
    return person


def _accept(invitation: Invitation, person: User, via: str) -> None:
    """In the transaction that locked the invitation."""
    is_open = invitation.state == Invitation.State.OPEN and not invitation.has_expired
    if not is_open or not _may_be_used(invitation):
        raise InvitationGone
    person.save(force_insert=True)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    if invitation.team is not None:
        Membership.objects.create(user=person, team=invitation.team, role=invitation.team_role)
    invitation.accepted_by = person.pk
    _end(invitation, Invitation.State.ACCEPTED)
    for redeem in _redeemers:
        redeem(person, invitation.grant)
    _record(Verb.INVITATION_ACCEPTED, person, via, invitation)


def _may_be_used(invitation: Invitation) -> bool:
    """Nobody's, while the organisation takes nobody new."""
    return SignUp.current().mode != "closed" and _still_allowed(invitation)


def _still_allowed(invitation: Invitation) -> bool:
    """Whether who invited could still do so: a demoted admin's invitation makes no admin."""
    if invitation.created_by is None:
        return True
    by = User.objects.active().filter(pk=invitation.created_by).first()
    return by is not None and not rules.may_invite(by, invitation.role, invitation.team)


def _locked(*, pk: UUID) -> Invitation:
    return Invitation.objects.select_for_update().get(pk=pk)


def _end(invitation: Invitation, state: str) -> None:
    invitation.state, invitation.ended_at = state, timezone.now()
    invitation.save(update_fields=["state", "ended_at", "accepted_by"])


def _sent(invitation: Invitation, token: str, by: User | None) -> Invited:
    link = f"{settings.PUBLIC_URL}{reverse('accounts:join', args=[token])}"
    if mail.is_set_up():
        organisation = Organisation.current()
        letters.tell(
            "accounts/email/invitation",
            invitation.email,
            by=by.display if by else "",
            organisation=organisation.name if organisation else "",
            link=link,
            until=invitation.expires_at,
        )
    return Invited(invitation, link)


def _record(verb: Verb, actor: User | None, via: str, invitation: Invitation) -> None:
    audit.record(
        verb,
        actor=actor,
        via=via,
        kind="invitation",
        id=invitation.pk,
        name=invitation.email,
        after={
            "role": invitation.role,
            "team": invitation.team.name if invitation.team else None,
            "team_role": invitation.team_role if invitation.team else None,
            "with_budget": bool(invitation.grant),
        },
    )
