"""Writes to accounts that others must see: keyword-only, each in one transaction."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import Organisation, User
from accounts.names import clean_email, clean_name


class AlreadySetUp(Exception):
    """Somebody else made the first account."""


def found(*, organisation: str, email: str, password: str, display_name: str) -> User:
    """Makes the organisation and its owner, both or neither.

    Of any number of first visitors exactly one succeeds: the database takes one Organisation row only. The
    others get AlreadySetUp and leave nothing behind.
    """
    if Organisation.objects.exists():
        raise AlreadySetUp
    owner = _person(email, password, display_name, User.Role.OWNER)
    try:
        with transaction.atomic():
            made = Organisation.objects.create(name=organisation)
            _store(owner)
            audit.record(
                Verb.ORGANISATION_FOUNDED, actor=owner, kind="organisation", id=made.pk, name=organisation
            )
    except IntegrityError:
        raise AlreadySetUp from None
    return owner


def create_user(*, email: str, password: str, role: str = User.Role.MEMBER, display_name: str = "") -> User:
    """Makes a person, and the organisation where it is missing. The operator vouches for the address.

    Raises ValidationError for an address that is malformed or taken, an unknown role or a weak password.
    """
    person = _person(email, None, display_name, role)
    person.full_clean(exclude=["password"])
    validate_password(password, person)
    person.set_password(password)
    with transaction.atomic():
        Organisation.objects.get_or_create(only=True, defaults={"name": "Our organisation"})
        _store(person)
        audit.record(
            Verb.PERSON_CREATED,
            actor=None,
            via="command",
            kind="person",
            id=person.pk,
            after={"email": person.email, "role": person.role},
        )
    return person


def rename_organisation(*, by: User, name: str) -> None:
    """Raises ValidationError for a name of which nothing is left to read."""
    name = clean_name(name)
    if not name:
        raise ValidationError("Enter a name.")
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get()
        if row.name == name:
            return
        before, row.name = row.name, name
        row.save(update_fields=["name"])
        audit.record(
            Verb.ORGANISATION_RENAMED,
            actor=by,
            kind="organisation",
            id=row.pk,
            name=name,
            before={"name": before},
            after={"name": name},
        )


def keep_conversations(*, by: User, days: int | None) -> bool:
    """From now on conversations go so many days after their last change; None: they stay. Says whether
    anything changed.
    """
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get()
        if row.retention_days == days:
            return False
        before, row.retention_days = row.retention_days, days
        row.save(update_fields=["retention_days"])
        audit.record(
            Verb.RETENTION_CHANGED,
            actor=by,
            kind="organisation",
            id=row.pk,
            before={"days": before},
            after={"days": days},
        )
    return True


def _person(email: str, password: str | None, display_name: str, role: str) -> User:
    """Not stored yet: hashing a password takes its time, so it is done before the transaction."""
    person = User(email=clean_email(email), display_name=display_name, role=role)
    person.set_password(password)
    return person


def _store(person: User) -> None:
    person.save(force_insert=True)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
