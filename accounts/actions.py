"""Writes to accounts that others must see: keyword-only, each in one transaction."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Verb
from accounts.models import Organisation, User
from accounts.names import clean_email


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


def _person(email: str, password: str | None, display_name: str, role: str) -> User:
    """Not stored yet: hashing a password takes its time, so it is done before the transaction."""
    person = User(email=clean_email(email), display_name=display_name, role=role)
    person.set_password(password)
    return person


def _store(person: User) -> None:
    person.save(force_insert=True)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
