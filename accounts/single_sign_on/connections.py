"""Which providers a person is connected to, and may sign in at."""

from __future__ import annotations

from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction

from accounts import letters
from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import SignInConnection, SignInProvider, User
from accounts.sign_in import policy as sign_in_policy
from accounts.single_sign_on import groups
from accounts.single_sign_on.identities import Identity
from accounts.single_sign_on.refusals import Turned
from accounts.single_sign_on.sign_up import SignUp

TAKEN = "This account at the provider is connected to another account here."
OTHER = "You are connected to another account at this provider. Disconnect that one first."
LAST_WAY = "It is your last way to sign in. Set a password first."
NOT_ACCEPTED = "This provider’s accounts with your address there are not accepted here. Ask an admin."


def of(person: User) -> list[SignInConnection]:
    return list(
        SignInConnection.objects.filter(person=person).select_related("provider").order_by("created_at")
    )


def connect(*, person: User, provider: SignInProvider, identity: Identity, via: str = "") -> SignInConnection:
    """Connects them, for a person who is signed in, or whose account this is by rule. Raises Turned."""
    if not provider.accepts(identity.email):
        raise Turned(NOT_ACCEPTED)
    try:
        with transaction.atomic():
            known = SignInConnection.objects.filter(provider=provider)
            if (same := known.filter(subject=identity.subject).first()) is not None:
                if same.person_id != person.pk:
                    raise Turned(TAKEN)
                return same
            if known.filter(person=person).exists():
                raise Turned(OTHER)
            made = SignInConnection.objects.create(
                person=person, provider=provider, subject=identity.subject, email=identity.email
            )
            _record(Verb.CONNECTION_MADE, made, person if not via else None, via)
            sign_in_policy.apply(User.objects.filter(pk=person.pk))
            letters.tell("accounts/email/connected", person.email, provider=provider.name)
            return made
    except IntegrityError:
        raise Turned(TAKEN) from None


def disconnect(*, person: User, id: UUID) -> SignInProvider | None:
    """What its groups gave goes with it. None where the person has no such connection. Raises Turned for the
    last way to sign in.
    """
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person.pk)
        connection = SignInConnection.objects.filter(person=person, pk=id).select_related("provider").first()
        if connection is None:
            return None
        if not has_another_way(person, connection):
            raise Turned(LAST_WAY)
        end(connection, by=person)
    letters.tell("accounts/email/disconnected", person.email, provider=connection.provider.name)
    return connection.provider


def disconnect_for(*, by: User, person: User, id: UUID) -> bool:
    """The same by an admin, who may take the last way to sign in as well; the caller has asked the rules."""
    with transaction.atomic():
        rows = SignInConnection.objects.select_for_update().filter(person=person, pk=id)
        connection = rows.select_related("provider").first()
        if connection is None:
            return False
        end(connection, by=by)
    letters.tell("accounts/email/disconnected", person.email, provider=connection.provider.name)
    return True


def end(connection: SignInConnection, *, by: User | None) -> None:
    """In the caller's transaction."""
    connection.person = User.objects.select_for_update().get(pk=connection.person_id)
    groups.take_back(connection)
    _record(Verb.CONNECTION_ENDED, connection, by, "")
    connection.delete()
    sign_in_policy.apply(User.objects.filter(pk=connection.person_id))


def has_another_way(person: User, connection: SignInConnection) -> bool:
    """Whether the person could sign in without this connection."""
    others = SignInConnection.objects.filter(person=person, provider__is_on=True).exclude(pk=connection.pk)
    if others.exists():
        return True
    if SignUp.current().mode == "sso" and person.role != User.Role.OWNER:
        return False
    return person.has_usable_password() or any(
        passkey.wrap().is_passwordless is True
        for passkey in Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN)
    )


def _record(verb: Verb, connection: SignInConnection, actor: User | None, via: str) -> None:
    audit.record(
        verb,
        actor=actor,
        via=via,
        kind="person",
        id=connection.person_id,
        after={"provider": connection.provider.name, "account": connection.email},
    )
