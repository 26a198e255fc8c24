"""Writes to credentials: keyword-only, each in one transaction with its audit event.

`by` is the person who did it, None where none did; `via` then says what did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.keys.owners import Owner
from accounts.keys.stored_grants import StoredGrant
from accounts.models import Credential, Organisation, User
from accounts.names import NAME_LENGTH
from providers.access import Secret
from providers.oauth import Grant

EVENTS = {True: Verb.CREDENTIAL_PAUSED, False: Verb.CREDENTIAL_RESUMED}


def add_credential(
    *,
    owner: Owner,
    provider: str,
    kind: str,
    base_url: str,
    secret: Secret,
    options: dict[str, str],
    vendor_account: str,
    label: str = "",
    rotate_by: date | None = None,
    replaces: Credential | None = None,
    by: User | None = None,
    via: str = "",
) -> Credential:
    """Stores a checked key beside those that are there; the one it replaces is revoked."""
    credential = Credential(
        **owner.columns,
        provider=provider,
        kind=kind,
        base_url=base_url,
        secret=secret,
        hint=secret.reveal()[-4:],
        options=options,
        vendor_account=vendor_account[:200],
        label=label[:NAME_LENGTH],
        rotate_by=rotate_by,
    )
    return _add(credential, replaces, by, via)


def add_grant(
    *,
    owner: Owner,
    provider: str,
    kind: str,
    base_url: str,
    grant: Grant,
    client: str,
    options: dict[str, str],
    vendor_account: str,
    label: str = "",
    replaces: Credential | None = None,
    by: User | None = None,
    via: str = "",
) -> Credential:
    """Stores what a vendor granted; `client` is the identity of the client it was for."""
    stored = StoredGrant.of(grant, client)
    credential = Credential(
        **owner.columns,
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
    )
    return _add(credential, replaces, by, via)


def save_only_credential(
    *,
    owner: Owner,
    provider: str,
    base_url: str,
    secret: Secret,
    vendor_account: str,
    label: str = "",
    by: User | None = None,
    via: str = "",
) -> Credential:
    """Stores a checked API key; the owner's earlier ones for the same provider are revoked."""
    with transaction.atomic():
        calls = Credential.objects.for_calls().select_for_update(of=("self",))
        earlier = calls.filter(**owner.filters, provider=provider)
        for credential in earlier.exclude(state=Credential.State.REVOKED):
            revoke(credential=credential, by=by, via=via)
        return add_credential(
            owner=owner,
            provider=provider,
            kind=Credential.Kind.API_KEY,
            base_url=base_url,
            secret=secret,
            options={},
            vendor_account=vendor_account,
            label=label,
            by=by,
            via=via,
        )


def save_admin_key(
    *,
    organisation: Organisation,
    provider: str,
    base_url: str,
    secret: Secret,
    vendor_account: str,
    by: User | None = None,
) -> Credential:
    """Stores a checked key that reads the vendor's reports, and no more; the earlier one is revoked."""
    with transaction.atomic():
        Organisation.objects.select_for_update().get(pk=organisation.pk)  # of two savers one comes second
        admin_keys = Credential.objects.filter(provider=provider, kind=Credential.Kind.ADMIN_KEY)
        for credential in admin_keys.exclude(state=Credential.State.REVOKED):
            revoke(credential=credential, by=by)
        return add_credential(
            owner=Owner(organisation=organisation),
            provider=provider,
            kind=Credential.Kind.ADMIN_KEY,
            base_url=base_url,
            secret=secret,
            options={},
            vendor_account=vendor_account,
            by=by,
        )


def revoke(*, credential: Credential, by: User | None = None, via: str = "") -> None:
    """The credential is never used again and its secret is gone; the row stays for what refers to it. What
    runs with it is stopped within seconds (usage.calls.revoked).
    """
    with transaction.atomic():
        _revoke(credential)
        _record(Verb.CREDENTIAL_REVOKED, credential, by, via, after={"state": "revoked"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be changed of a credential without entering it again."""

    label: str
    rank: int
    rotate_by: date | None
    paused: bool


def change(*, credential: Credential, settings: Settings, by: User | None = None, via: str = "") -> bool:
    """In force from the next call on; running ones go on. Says whether anything changed."""
    with transaction.atomic():
        row = Credential.objects.select_for_update(of=("self",)).get(pk=credential.pk)
        before, was_paused = _settings(row), row.paused
        row.label, row.rank = settings.label[:NAME_LENGTH], settings.rank
        row.rotate_by, row.paused = settings.rotate_by, settings.paused
        old, new = audit.changed(before, _settings(row))
        if not new:
            return False
        row.save(update_fields=["label", "rank", "rotate_by", "paused"])
        verb = EVENTS[row.paused] if row.paused != was_paused else Verb.CREDENTIAL_CHANGED
        _record(verb, row, by, via, before=old, after=new)
    return True


def found_good(*, credential: Credential, vendor_account: str) -> None:
    """The vendor has taken the credential: it is used (again)."""
    checked = Credential.objects.filter(pk=credential.pk).exclude(state=Credential.State.REVOKED)
    checked.exclude(secret=None).update(
        state=Credential.State.ACTIVE, last_error="", vendor_account=vendor_account[:200]
    )


def _add(credential: Credential, replaces: Credential | None, by: User | None, via: str) -> Credential:
    with transaction.atomic():
        verb, old = Verb.CREDENTIAL_ADDED, None
        if replaces is not None:
            verb, old = Verb.CREDENTIAL_REPLACED, {"credential": str(replaces.pk), "hint": replaces.hint}
            credential.rank = replaces.rank
            _revoke(replaces)
        credential.save(force_insert=True)
        after: dict[str, object] = {
            **Owner.of(credential).facts(),
            "provider": credential.provider,
            "kind": str(credential.kind),
            "hint": credential.hint,
        }
        if credential.person_id is None:
            after["address"] = credential.base_url
        _record(verb, credential, by, via, before=old, after=after)
    return credential


def _revoke(credential: Credential) -> None:
    credential.state, credential.secret = Credential.State.REVOKED, None
    credential.renewer = credential.renewing_until = None
    credential.save(update_fields=["state", "secret", "renewer", "renewing_until"])


def _record(verb: Verb, credential: Credential, by: User | None, via: str, **sides: Any) -> None:
    name = "" if credential.person_id else credential.name  # a person's own words go when the person does
    audit.record(verb, actor=by, via=via, kind="credential", id=credential.pk, name=name, **sides)


def _settings(row: Credential) -> dict[str, object]:
    rotate_by = row.rotate_by.isoformat() if row.rotate_by is not None else None
    return {"label": row.label, "rank": row.rank, "rotate_by": rotate_by, "paused": row.paused}
