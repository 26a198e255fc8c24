"""Takes a person out of the installation for good, and leaves what they did to the organisation.

Their account stays as an id under which the ledger, the daily sums, budgets and conversations go on to fit
together, with a name that says nothing: who they were, and every way to sign in or to pay as them, is gone.
What they wrote in conversations is the organisation's and stays.

Apps above this one keep words about people too. They add what forgets those with `also`, when they are ready;
it runs in the same transaction.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.keys import actions as key_actions
from accounts.models import (
    AccessToken,
    Credential,
    DeviceSession,
    Invitation,
    LoginAttempt,
    Membership,
    SignInConnection,
    User,
)

UNREACHABLE = "@former.invalid"  # RFC 2606: no mail ever gets there
AT_ONCE = 500  # sessions read, or removed, in one query

log = logging.getLogger(__name__)


class NotPossible(Exception):
    """The person cannot be anonymised; the text says why, and may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """Whom to forget: what they were called until now, and what they are called from now on."""

    id: UUID
    email: str
    display: str
    new_email: str
    new_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would end, counted."""

    sessions: int
    credentials: int
    tokens: int
    teams: int


Forget = Callable[[Former], None]
_forgetting: list[Forget] = []


def also(forget: Forget) -> None:
    """From now on this is called whenever somebody is anonymised."""
    if forget not in _forgetting:
        _forgetting.append(forget)


def anonymise(*, person: User, by: User | None) -> None:
    """Makes an unnamed former member of a person, whether active or not. It cannot be undone.

    `by` is the admin who does it, None from the server's terminal. Raises NotPossible for the last active
    owner, and for whom it was done before.
    """
    known = _sessions_of(person.pk)
    with transaction.atomic():
        mine = _locked(person.pk)
        former = _former(mine)
        for credential in Credential.objects.select_for_update().filter(person=mine).order_by("pk"):
            _empty(credential)
        for token in AccessToken.objects.select_for_update().filter(user=mine).order_by("pk"):
            _end(token, former.new_name)
        LoginAttempt.objects.filter(person=mine).delete()
        SignInConnection.objects.filter(person=mine).delete()
        Authenticator.objects.filter(user=mine).delete()
        DeviceSession.objects.filter(user=mine).delete()
        invited = Q(email=mine.email) | Q(accepted_by=mine.pk)
        Invitation.objects.filter(invited).update(email=former.new_email)
        EmailAddress.objects.filter(user=mine).delete()
        Membership.objects.filter(user=mine).delete()
        _end_sessions(known)
        _rename(mine, former)
        for forget in _forgetting:
            forget(former)
        via = "" if by is not None else "command"
        audit.record(Verb.PERSON_ANONYMISED, actor=by, via=via, kind="person", id=person.pk)
    # A session that began meanwhile opens nothing any more; what it says of the person goes as well.
    _end_sessions(_sessions_of(person.pk))
    log.warning("Person %s was anonymised by %s", person.pk, by.pk if by is not None else "the operator")


def is_former(person: User) -> bool:
    """Whether the person was anonymised."""
    return person.email.endswith(UNREACHABLE)


def outlook(person: User) -> Outlook:
    """What `anonymise` would end now."""
    return Outlook(
        sessions=len(_sessions_of(person.pk)),
        credentials=Credential.objects.filter(person=person).exclude(state=Credential.State.REVOKED).count(),
        tokens=AccessToken.objects.filter(user=person, revoked_at=None).count(),
        teams=Membership.objects.filter(user=person).count(),
    )


def _locked(person: UUID) -> User:
    """The person's row, locked together with those of all active owners, in one order for everybody: of two
    owners who anonymise each other, the second finds themselves the last one.
    """
    owners = Q(role=User.Role.OWNER, is_active=True)
    rows = User.objects.select_for_update(no_key=True).filter(owners | Q(pk=person)).order_by("pk")
    found: dict[UUID, User] = {row.pk: row for row in rows}
    if person not in found:
        raise NotPossible("There is no such person.")
    mine = found[person]
    if is_former(mine):
        raise NotPossible("This person was anonymised before.")
    others = [row for row in found.values() if row.pk != person and row.is_active]
    if mine.is_active and mine.role == User.Role.OWNER and not others:
        raise NotPossible("This is the last active owner. Make somebody else an owner first.")
    return mine


def _former(person: User) -> Former:
    """A name and an address that are drawn, and derived from nothing."""
    octets = 2
    name = _drawn(octets)
    while User.objects.filter(display_name=name).exists():
        octets += 1
        name = _drawn(octets)
    return Former(
        id=person.pk,
        email=person.email,
        display=person.display,
        new_email=f"{secrets.token_hex(16)}{UNREACHABLE}",
        new_name=name,
    )


def _drawn(octets: int) -> str:
    return f"Former member {secrets.token_hex(octets).upper()}"


def _empty(credential: Credential) -> None:
    """Revoked, and without what might name its owner: their words, their account and their addresses."""
    if credential.state != Credential.State.REVOKED:
        key_actions.revoke(credential=credential, via="anonymised")
    Credential.objects.filter(pk=credential.pk).update(
        label="", hint="", vendor_account="", base_url="", options={}, last_error=""
    )


def _end(token: AccessToken, name: str) -> None:
    """Revoked, under another name, and without the hash of its text."""
    token.revoked_at = token.revoked_at or timezone.now()
    token.name, token.prefix = f"Token of {name}", ""
    token.sha256 = AccessToken.digest(secrets.token_hex(32))
    token.last_used_from = token.last_client = ""
    token.save(update_fields=["revoked_at", "name", "prefix", "sha256", "last_used_from", "last_client"])


def _rename(person: User, former: Former) -> None:
    person.email, person.display_name = former.new_email, former.new_name
    person.role, person.is_active = User.Role.MEMBER, False
    person.timezone, person.language, person.last_login = "UTC", "", None
    person.set_unusable_password()
    person.save(
        update_fields=[
            "email",
            "display_name",
            "role",
            "is_active",
            "timezone",
            "language",
            "last_login",
            "password",
        ]
    )


def _sessions_of(person: UUID) -> list[str]:
    """The keys of this person's sessions, those that have expired too. Only a session itself says whose it
    is.
    """
    store, whose = SessionStore(), str(person)
    rows = Session.objects.values_list("session_key", "session_data").iterator(chunk_size=AT_ONCE)
    return [key for key, data in rows if store.decode(data).get(SESSION_KEY) == whose]


def _end_sessions(keys: list[str]) -> None:
    for start in range(0, len(keys), AT_ONCE):
        Session.objects.filter(session_key__in=keys[start : start + AT_ONCE]).delete()
