"""Writes to accounts that others must see: keyword-only, each in one transaction."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction

from accounts.models import Credential, Organisation, User
from accounts.names import NAME_LENGTH, clean_email
from accounts.stored_grants import StoredGrant
from providers.access import Secret
from providers.oauth import Grant


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
            Organisation.objects.create(name=organisation)
            _store(owner)
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
    return person


def save_organisation_key(
    *,
    organisation: Organisation,
    provider: str,
    base_url: str,
    secret: Secret,
    vendor_account: str,
    label: str = "",
) -> Credential:
    """Stores a checked key for everybody; earlier ones of the same provider are revoked."""
    with transaction.atomic():
        earlier = Credential.objects.select_for_update().filter(organisation=organisation, provider=provider)
        for credential in earlier.exclude(state=Credential.State.REVOKED):
            revoke(credential=credential)
        return Credential.objects.create(
            organisation=organisation,
            provider=provider,
            base_url=base_url,
            secret=secret,
            hint=secret.reveal()[-4:],
            vendor_account=vendor_account[:200],
            label=label[:NAME_LENGTH],
        )


def add_credential(
    *,
    organisation: Organisation,
    provider: str,
    kind: str,
    base_url: str,
    secret: Secret,
    options: dict[str, str],
    vendor_account: str,
    label: str = "",
    replaces: Credential | None = None,
) -> Credential:
    """Stores a checked key for everybody, beside those that are there; the one it replaces is revoked."""
    return _add(
        Credential(
            organisation=organisation,
            provider=provider,
            kind=kind,
            base_url=base_url,
            secret=secret,
            hint=secret.reveal()[-4:],
            options=options,
            vendor_account=vendor_account[:200],
            label=label[:NAME_LENGTH],
        ),
        replaces,
    )


def add_grant(
    *,
    organisation: Organisation,
    provider: str,
    kind: str,
    base_url: str,
    grant: Grant,
    client: str,
    options: dict[str, str],
    vendor_account: str,
    label: str = "",
    replaces: Credential | None = None,
) -> Credential:
    """Stores what a vendor granted to everybody here; `client` is the identity of the client it was for."""
    stored = StoredGrant.of(grant, client)
    return _add(
        Credential(
            organisation=organisation,
            provider=provider,
            kind=kind,
            base_url=base_url,
            secret=stored.to_secret(),
            hint=stored.hint,
            options=options,
            vendor_account=vendor_account[:200],
            label=label[:NAME_LENGTH],
            fresh_until=grant.expires_at,
            expires_at=grant.ends_at,
        ),
        replaces,
    )


def revoke(*, credential: Credential) -> None:
    """The credential is never used again and its secret is gone; the row stays for what refers to it."""
    credential.state, credential.secret = Credential.State.REVOKED, None
    credential.renewer = credential.renewing_until = None
    credential.save(update_fields=["state", "secret", "renewer", "renewing_until"])


def found_good(*, credential: Credential, vendor_account: str) -> None:
    """The vendor has taken the credential: it is used (again)."""
    checked = Credential.objects.filter(pk=credential.pk).exclude(state=Credential.State.REVOKED)
    checked.exclude(secret=None).update(
        state=Credential.State.ACTIVE, last_error="", vendor_account=vendor_account[:200]
    )


def _add(credential: Credential, replaces: Credential | None) -> Credential:
    with transaction.atomic():
        if replaces is not None:
            revoke(credential=replaces)
        credential.save(force_insert=True)
    return credential


def _person(email: str, password: str | None, display_name: str, role: str) -> User:
    """Not stored yet: hashing a password takes its time, so it is done before the transaction."""
    person = User(email=clean_email(email), display_name=display_name, role=role)
    person.set_password(password)
    return person


def _store(person: User) -> None:
    person.save(force_insert=True)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
