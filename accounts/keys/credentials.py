"""Which credentials a call to a provider may be made with, and what became of them.

The order is that of the organisation's policy (accounts.keys.policy): person, team, organisation, or the
organisation first; the environment's key is the organisation's last. Of several of one owner those of the
lowest rank come first. Credentials of one rank form a pool: calls are spread over them by what they belong
to, a conversation above all, so that one conversation stays with one account, where the vendor has its
prompts cached. A credential that does not work any more ends the list at its owner, unless another of the
same owner does: nobody's call silently moves on to somebody else's key. One that is paused, or that the
policy does not allow, is passed over.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.keys.policy import KeyPolicy
from accounts.keys.stored_grants import StoredGrant
from accounts.models import Credential
from accounts.sealing.sealing import SealBroken
from providers import registry
from providers.access import Access, AccessKind, Secret

Scope = Literal["person", "team", "organisation", "environment", "demo"]

OWNERS = {
    "person": ("Your", "{act}."),
    "team": ("Your team's", "A manager of the team can {act}."),
    "organisation": ("The organisation's", "An owner or admin can {act}."),
}
EXPIRED = "It has expired."
MOVED = "The provider's address was changed after it was entered."
UNOPENED = "It can no longer be opened."
USED_EVERY = 60.0  # seconds between two writes of last_used_at for one credential
ERROR_LENGTH = 300

log = logging.getLogger(__name__)
_used: dict[UUID, float] = {}


@dataclass(frozen=True, slots=True)
class CredentialChoice:
    """One way to make a call. `id` is None where no row stands behind it: the environment, the demo.

    `fresh_until` is the end of a grant's access token, None where it does not end (accounts.logins.grants).
    """

    id: UUID | None
    provider: str
    access: Access
    scope: Scope
    fresh_until: datetime | None = None


def for_call(
    user_id: UUID, team_id: UUID | None, provider: str, *, spread_by: UUID | None = None
) -> list[CredentialChoice]:
    """The credentials to try, in order; empty when there is none. One query. Says why by `blocked_reason`.

    Calls with the same `spread_by` go over the credentials of a pool in the same order; without it the newest
    comes first.
    """
    if registry.provider(provider) is None:
        return []
    if needs_no_secret(provider):
        return _open_to_all(provider)
    choices: list[CredentialChoice] = []
    for scope, rows in _by_scope(Credential.objects.serving_at(user_id, team_id, provider), spread_by):
        opened = [choice for row in rows if (choice := choice_of(row))]
        choices += opened
        if rows and not opened:
            return choices
        if scope == "organisation":
            choices += _environment(provider)
    return choices


def usable_providers(user_id: UUID, team_id: UUID | None) -> set[str]:
    """The providers for which `for_call` would find something: one query, no secret is opened."""
    found = {
        slug
        for slug in registry.providers()
        if (_open_to_all(slug) if needs_no_secret(slug) else in_environment(slug))
    }
    for provider, own in _by_provider(Credential.objects.serving(user_id, team_id)).items():
        for scope, rows in _by_scope(own):
            if rows and not any(trouble(row) is None for row in rows):
                found.discard(provider)
            elif rows or (scope == "organisation" and provider in found):
                found.add(provider)
            else:
                continue
            break
    return found & set(registry.providers())


def blocked_reasons(user_id: UUID, team_id: UUID | None, providers: Iterable[str]) -> dict[str, str]:
    """`blocked_reason` of each of these providers, in one query."""
    own = _by_provider(Credential.objects.serving(user_id, team_id))
    return {provider: _reason(provider, own.get(provider, [])) for provider in providers}


def blocked_reason(user_id: UUID, team_id: UUID | None, provider: str) -> str:
    """Why `for_call` found nothing and what to do about it. Safe to show to this person."""
    return _reason(provider, Credential.objects.serving(user_id, team_id).filter(provider=provider))


def _by_provider(rows: Iterable[Credential]) -> dict[str, list[Credential]]:
    found: dict[str, list[Credential]] = {}
    for row in rows:
        found.setdefault(row.provider, []).append(row)
    return found


def _reason(provider: str, own: Iterable[Credential]) -> str:
    known = registry.provider(provider)
    label = known.label if known is not None else provider
    own = list(own)
    for scope, rows in _by_scope(own):
        troubles = [trouble(row) for row in rows]
        if troubles and all(troubles):
            return _cannot(scope, label, "cannot be used.", rows[0], str(troubles[0]))
    for row in own:
        if row.paused and trouble(row) is None:
            return _cannot(row.scope, label, "is paused.", row, "", act="resume it")
    if own and own[0].scope == "person":
        return (
            f"There is no key for {label} that you may use: the organisation does not allow keys of people's "
            "own for it. An owner or admin can enter one for everyone."
        )
    return f"There is no key for {label} yet. An owner or admin can enter one."


def _cannot(scope: str, label: str, what: str, row: Credential, why: str, *, act: str = "") -> str:
    whose, advice = OWNERS[scope]
    thing, usual = ("login", "connect it again") if row.is_grant else ("key", "enter it again")
    advice = advice.format(act=act or usual)
    return " ".join(filter(None, [whose, label, thing, what, why, advice[0].upper() + advice[1:]]))


def mark_invalid(credential_id: UUID | None, error: str) -> None:
    """The provider refused the credential: it is not used again until somebody enters it anew.

    `error` is a text that is safe to show. Without a row (the environment's key) it is only logged.
    """
    if credential_id is None:
        log.error("The key from the environment was refused: %s", error[:ERROR_LENGTH])
        return
    _end(credential_id, Verb.CREDENTIAL_FAILED, last_error=error[:ERROR_LENGTH])


def mark_unopened(credential_id: UUID) -> None:
    """Its seal is broken: somebody changed the row, its owner or its bytes, or its data key is gone."""
    _end(credential_id, Verb.CREDENTIAL_OPENED_WRONGLY, last_error=UNOPENED)


def still_serves(credential_id: UUID | None) -> bool:
    """Whether a call that began with it may make another attempt; one query, none for what has no row."""
    if credential_id is None:
        return True
    return Credential.objects.filter(pk=credential_id).exclude(state=Credential.State.REVOKED).exists()


def revoked_of(credential_ids: Iterable[UUID]) -> set[UUID]:
    """Those that were revoked, or whose rows are gone. One query."""
    wanted = set(credential_ids)
    stored = Credential.objects.filter(pk__in=wanted).exclude(state=Credential.State.REVOKED)
    return wanted - set(stored.values_list("pk", flat=True))


def clean_up(credential_id: UUID, error: str, *, holder: UUID | None = None) -> bool:
    """As `mark_invalid`, for a secret that is worth nothing any more: it is removed as well.

    With `holder` only while that one holds the lease of the grant's renewal.
    """
    gone = {"secret": None, "renewer": None, "renewing_until": None}
    lease = Q() if holder is None else Q(renewer=holder)
    return _end(credential_id, Verb.CREDENTIAL_FAILED, lease, last_error=error[:ERROR_LENGTH], **gone)


def _end(credential_id: UUID, verb: Verb, condition: Q | None = None, **values: Any) -> bool:
    """An active credential becomes invalid; whether it did. Why stands with the row and not in the audit log:
    the words are the vendor's.
    """
    active = Credential.objects.filter(condition or Q(), pk=credential_id, state=Credential.State.ACTIVE)
    with transaction.atomic():
        if not active.update(state=Credential.State.INVALID, **values):
            return False
        row = Credential.objects.only("provider", "hint", "label").get(pk=credential_id)
        audit.record(
            verb,
            actor=None,
            via="vendor" if verb == Verb.CREDENTIAL_FAILED else "seal",
            kind="credential",
            id=credential_id,
            name=row.name,
            before={"state": "active"},
            after={"state": "invalid"},
        )
    removed = ", its secret is removed" if "secret" in values else ""
    log.warning("Credential %s is invalid%s: %s", credential_id, removed, values["last_error"])
    return True


def mark_used(credential_id: UUID | None) -> None:
    """Notes the time of use, at most once a minute for each credential and process."""
    now = time.monotonic()
    if credential_id is None or now - _used.get(credential_id, float("-inf")) < USED_EVERY:
        return
    _used[credential_id] = now
    moment = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=moment - timedelta(seconds=USED_EVERY))
    Credential.objects.filter(stale, pk=credential_id).update(last_used_at=moment)


def organisation_key(provider: str) -> Credential | None:
    """The organisation's newest credential for calls to a provider, whatever its state but revoked."""
    own = Credential.objects.for_calls().filter(organisation__isnull=False, provider=provider)
    return own.exclude(state=Credential.State.REVOKED).order_by("-id").first()


def trouble(row: Credential) -> str | None:
    """What keeps this credential from being used, as a sentence, without opening its secret."""
    if row.state != Credential.State.ACTIVE:
        return row.last_error or "The provider refused it."
    if row.has_expired():
        return EXPIRED
    return None if is_at_home(row) else MOVED


def is_at_home(row: Credential) -> bool:
    """Whether the provider is still at the address for which this credential was entered."""
    return has_own_address(row.provider) or row.base_url == base_url(row.provider)


def choice_of(row: Credential) -> CredentialChoice | None:
    """The credential opened; None when it cannot be used for calls. What can never be used again is cleaned
    up.
    """
    if row.kind == Credential.Kind.ADMIN_KEY:
        return None
    if (why := trouble(row)) is not None:
        if why == EXPIRED:
            clean_up(row.id, EXPIRED)
        return None
    try:
        return opened(row)
    except (SealBroken, ValueError):
        mark_unopened(row.id)
        return None


def opened(row: Credential) -> CredentialChoice:
    """The credential whatever its state. Raises SealBroken; ValueError where it has no secret for calls."""
    secret = row.secret
    if secret is None:
        raise ValueError("The secret of this credential is removed.")
    if row.kind == Credential.Kind.ADMIN_KEY:
        raise ValueError("An admin key is not for calls.")
    if row.is_grant:
        secret = StoredGrant.opened(secret).access_token
    options = {**shared_options(row.provider), **row.options}
    access = Access(row.base_url, secret, cast(AccessKind, row.kind), row.vendor_account, options)
    return CredentialChoice(row.id, row.provider, access, row.scope, row.fresh_until)


def in_environment(provider: str) -> bool:
    return bool(_environment(provider))


def environment_hint(provider: str) -> str | None:
    """The last four characters of the key for calls from the environment; None where there is none."""
    secret: Secret | None = _configured(provider).get("api_key")
    return secret.reveal()[-4:] if secret is not None else None


def environment_kind(provider: str) -> AccessKind:
    """What the secret from the environment is."""
    kind: AccessKind = _configured(provider).get("kind", "api_key")
    return kind


def needs_no_secret(provider: str) -> bool:
    return "none" in registry.providers()[provider].auth_kinds


def has_own_address(provider: str) -> bool:
    """Whether each credential of this provider says where the provider is; the registry does not."""
    known = registry.provider(provider)
    return known is not None and not known.base_url


def base_url(provider: str) -> str:
    """The address that the operator configured for a provider, or the provider's own."""
    known = registry.provider(provider)
    return str(_configured(provider).get("base_url") or (known.base_url if known is not None else ""))


def shared_options(provider: str) -> dict[str, str]:
    """The operator's or admin's options, which go with every credential of this provider."""
    known = registry.provider(provider)
    values = known.values if known is not None else {}
    return {**values, **_configured(provider).get("shared", {})}


def _by_scope(
    rows: Iterable[Credential], spread_by: UUID | None = None
) -> Iterator[tuple[str, list[Credential]]]:
    """The owners in the order of the policy, each with those of its credentials that are to be tried, in
    order.
    """
    rows = list(rows)
    policy = KeyPolicy.of(rows[0].policy) if rows else KeyPolicy()  # type: ignore[attr-defined] # annotated
    for scope in policy.scopes:
        own = [
            row
            for row in rows
            if row.scope == scope and not row.paused and policy.serves(scope, row.provider)
        ]
        yield scope, sorted(own, key=lambda row: _turn(row, spread_by)) if len(own) > 1 else own


def _turn(row: Credential, spread_by: UUID | None) -> tuple[int, int]:
    """Where a credential stands among those of its owner; the same for the same `spread_by`, in any
    process.
    """
    if spread_by is None:
        return row.rank, -row.id.int
    drawn = hashlib.blake2b(spread_by.bytes + row.id.bytes, digest_size=8).digest()
    return row.rank, int.from_bytes(drawn)


def _configured(provider: str) -> dict[str, Any]:
    found: dict[str, Any] = settings.PROVIDER_ENVIRONMENT.get(provider, {})
    return found


def _environment(provider: str) -> list[CredentialChoice]:
    entry = _configured(provider)
    secret: Secret | None = entry.get("api_key")
    if secret is None:
        return []
    access = Access(base_url(provider), secret, environment_kind(provider), options=entry.get("options", {}))
    return [CredentialChoice(None, provider, access, "environment")]


def _open_to_all(provider: str) -> list[CredentialChoice]:
    """What asks for no key: an endpoint of the organisation's own, or the simulator of this process.

    The simulator's address is known only once it listens.
    """
    if address := base_url(provider):
        access = Access(address, None, "none", options=shared_options(provider))
        return [CredentialChoice(None, provider, access, "organisation")]
    where: str | Callable[[], str | None] | None = settings.DEMO_BASE_URL
    address = (where() if callable(where) else where) or ""
    if not address:
        return []
    return [CredentialChoice(None, provider, Access(address, None, "none"), "demo")]
