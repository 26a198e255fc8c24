"""Whose account an identity opens, whether one is made for it, and who is refused.

The subject at the provider says who somebody is. Their e-mail alone opens nothing: an account that is there
already is connected by itself only where all of this holds, and else by its owner, in Settings → Security:

- the provider itself says that the address is theirs (an admin's "counts as verified" is not enough),
- the provider is trusted with the address's domain, by the admin's list,
- the address was proven here too: an account that somebody else made with it would get a second owner,
- the account is a member's without a second factor of their own: neither the rights of an owner or admin
  nor a second factor may be had by whoever can write addresses at the provider,
- nobody at this provider is connected to it yet: an address that was given up belongs to another person.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import Invitation, SignInConnection, SignInProvider, User
from accounts.people import invitations
from accounts.people.invitations import InvitationGone
from accounts.sign_in import audit as sign_in_audit
from accounts.sign_in import policy as sign_in_policy
from accounts.single_sign_on import connections, groups
from accounts.single_sign_on.groups import VIA
from accounts.single_sign_on.identities import Identity
from accounts.single_sign_on.refusals import Turned
from accounts.single_sign_on.sign_up import SignUp

NOT_ACCEPTED = "Your address at this provider is not accepted here. Ask an admin."
INACTIVE = "This account is not active. Ask an admin if you think that this is a mistake."
UNPROVEN = (
    "The provider does not say that your e-mail address is verified. Verify it there, or sign in another way "
    "and connect the provider in Settings → Security."
)
CONNECT_FIRST = (
    "There is an account with your e-mail address. Sign in to it another way, then connect this provider in "
    "Settings → Security."
)
NO_ACCOUNT = "There is no account for you yet. Ask an admin for an invitation."


class Inactive(Turned):
    def __init__(self) -> None:
        super().__init__(INACTIVE)


def enter(provider: SignInProvider, identity: Identity) -> User:
    """The person who may come in, connected, with what their groups give. Raises Turned, and notes it."""
    try:
        try:
            return _entered(provider, identity)
        except (IntegrityError, InvitationGone):  # of two first sign-ins at once the other one was quicker
            return _entered(provider, identity)
    except Turned:
        known = SignInConnection.objects.filter(provider=provider, subject=identity.subject)
        connection = known.select_related("person").first()
        sign_in_audit.failed(connection.person if connection else None, via=VIA)
        raise


def _entered(provider: SignInProvider, identity: Identity) -> User:
    if not provider.accepts(identity.email):
        raise Turned(NOT_ACCEPTED)
    with transaction.atomic():
        known = SignInConnection.objects.filter(provider=provider, subject=identity.subject).first()
        connection = known or _connected(provider, identity)
        person: User = User.objects.select_for_update().get(pk=connection.person_id)
        if not person.is_active:
            raise Inactive
        connection.person, connection.provider = person, provider
        connection.email, connection.used_at = identity.email, timezone.now()
        connection.save(update_fields=["email", "used_at"])
        if identity.groups is not None:  # else the provider tells that it does not tell all: nothing changes
            groups.apply(connection, groups.outcome(provider, identity.groups))
    return person


def _connected(provider: SignInProvider, identity: Identity) -> SignInConnection:
    """Of somebody who comes for the first time. What is unproven is refused before an account is looked for:
    nobody learns here whose addresses have one.
    """
    vouched = provider.vouches and provider.is_trusted_with(identity.email)
    if not identity.email or not (identity.verified or vouched):
        raise Turned(UNPROVEN)
    who = {"provider": provider, "subject": identity.subject}
    person = User.objects.select_for_update().filter(email=identity.email).first()
    if person is None:
        person = _made(provider, identity)
    elif (quicker := SignInConnection.objects.filter(**who).first()) is not None:
        return quicker
    elif not person.is_active:
        raise Inactive
    elif not may_be_connected(person, provider, identity):
        raise Turned(CONNECT_FIRST)
    return connections.connect(person=person, provider=provider, identity=identity, via=VIA)


def may_be_connected(person: User, provider: SignInProvider, identity: Identity) -> bool:
    """Whether this account is connected without its owner having signed in; the module says why so."""
    return (
        identity.verified
        and provider.is_trusted_with(identity.email)
        and person.role == User.Role.MEMBER
        and EmailAddress.objects.filter(user=person, email=person.email, verified=True).exists()
        and not sign_in_policy.second_factors_of(person).exists()
        and not SignInConnection.objects.filter(person=person, provider=provider).exists()
    )


def _made(provider: SignInProvider, identity: Identity) -> User:
    if not provider.makes_accounts:
        raise Turned(NO_ACCOUNT)
    decided = SignUp.current()
    invitation = invitations.open_for(identity.email)
    if invitation is not None and _may_redeem(invitation, provider, identity):
        return invitations.accept_by(VIA, invitation=invitation, display_name=identity.name)
    by_provider = decided.mode == "sso" and provider.is_trusted_with(identity.email)
    if not by_provider and not decided.admits(identity.email):
        raise Turned(NO_ACCOUNT)
    person = User(email=identity.email, display_name=identity.name, role=User.Role.MEMBER)
    person.set_unusable_password()
    person.save(force_insert=True)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    audit.record(
        Verb.PERSON_CREATED,
        actor=None,
        via=VIA,
        kind="person",
        id=person.pk,
        after={"email": person.email, "role": person.role, "provider": provider.name},
    )
    sign_in_policy.apply(User.objects.filter(pk=person.pk))
    return person


def _may_redeem(invitation: Invitation, provider: SignInProvider, identity: Identity) -> bool:
    """One that makes an admin needs the provider's own word, and the admin's trust in it. One that makes an
    owner works by its link alone: an admin, who enters providers, must not become an owner by one.
    """
    if invitation.role != User.Role.ADMIN:
        return invitation.role == User.Role.MEMBER
    return identity.verified and provider.is_trusted_with(identity.email)
