"""Which credentials a call to a provider may be made with, and what became of them.

The order is person, team, organisation, environment; within one owner the newest first. A credential that
does not work any more ends the list at its owner: nobody's call silently moves on to somebody else's key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal, cast
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts.models import Credential
from accounts.sealing import SealBroken
from accounts.stored_grants import StoredGrant
from providers import registry
from providers.access import Access, AccessKind, Secret

Scope = Literal["person", "team", "organisation", "environment", "demo"]

ORDER: dict[str, int] = {"person": 0, "team": 1, "organisation": 2}
OWNERS = {
    "person": ("Your", "{act} it again."),
    "team": ("Your team's", "A manager of the team can {act} it again."),
    "organisation": ("The organisation's", "An owner or admin can {act} it again."),
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

    `fresh_until` is the end of a grant's access token, None where it does not end (accounts.grants).
    """

    id: UUID | None
    provider: str
    access: Access
    scope: Scope
    fresh_until: datetime | None = None


def for_call(user_id: UUID, team_id: UUID | None, provider: str) -> list[CredentialChoice]:
    """The credentials to try, in order; empty when there is none. One query. Says why by `blocked_reason`."""
    if registry.provider(provider) is None:
        return []
    if needs_no_secret(provider):
        return _open_to_all(provider)
    choices: list[CredentialChoice] = []
    for _scope, rows in _by_scope(Credential.objects.serving_at(user_id, team_id, provider)):
        opened = [choice for row in rows if (choice := choice_of(row))]
        choices += opened
        if not opened:
            return choices
    return choices + _environment(provider)


def usable_providers(user_id: UUID, team_id: UUID | None) -> set[str]:
    """The providers for which `for_call` would find something: one query, no secret is opened."""
    found = {
        slug
        for slug in registry.providers()
        if (_open_to_all(slug) if needs_no_secret(slug) else in_environment(slug))
    }
    for provider, own in _by_provider(Credential.objects.serving(user_id, team_id)).items():
        _, narrowest = next(_by_scope(own))
        if any(trouble(row) is None for row in narrowest):
            found.add(provider)
        else:
            found.discard(provider)
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
    for scope, rows in _by_scope(own):
        troubles = [trouble(row) for row in rows]
        if all(troubles):
            whose, advice = OWNERS[scope]
            thing, act = ("login", "connect") if rows[0].is_grant else ("key", "enter")
            advice = advice.format(act=act)
            return f"{whose} {label} {thing} cannot be used. {troubles[0]} {advice[0].upper()}{advice[1:]}"
    return f"There is no key for {label} yet. An owner or admin can enter one."


def mark_invalid(credential_id: UUID | None, error: str) -> None:
    """The provider refused the credential: it is not used again until somebody enters it anew.

    `error` is a text that is safe to show. Without a row (the environment's key) it is only logged.
    """
    if credential_id is None:
        log.error("The key from the environment was refused: %s", error[:ERROR_LENGTH])
        return
    active = Credential.objects.filter(pk=credential_id, state=Credential.State.ACTIVE)
    if active.update(state=Credential.State.INVALID, last_error=error[:ERROR_LENGTH]):
        log.warning("Credential %s is invalid: %s", credential_id, error[:ERROR_LENGTH])


def clean_up(credential_id: UUID, error: str, *, holder: UUID | None = None) -> bool:
    """As `mark_invalid`, for a secret that is worth nothing any more: it is removed as well.

    With `holder` only while that one holds the lease of the grant's renewal.
    """
    active = Credential.objects.filter(pk=credential_id, state=Credential.State.ACTIVE)
    if holder is not None:
        active = active.filter(renewer=holder)
    values = {"state": Credential.State.INVALID, "secret": None, "last_error": error[:ERROR_LENGTH]}
    if not active.update(**values, renewer=None, renewing_until=None):
        return False
    log.warning("Credential %s is invalid, its secret is removed: %s", credential_id, error[:ERROR_LENGTH])
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
    """The organisation's newest credential for a provider, whatever its state but revoked."""
    own = Credential.objects.filter(organisation__isnull=False, provider=provider)
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
    """The credential opened; None when it cannot be used. What can never be used again is cleaned up."""
    if (why := trouble(row)) is not None:
        if why == EXPIRED:
            clean_up(row.id, EXPIRED)
        return None
    try:
        return opened(row)
    except (SealBroken, ValueError):
        mark_invalid(row.id, UNOPENED)
        return None


def opened(row: Credential) -> CredentialChoice:
    """The credential whatever its state. Raises SealBroken, or ValueError where it holds no secret."""
    secret = row.secret
    if secret is None:
        raise ValueError("The secret of this credential is removed.")
    if row.is_grant:
        secret = StoredGrant.opened(secret).access_token
    options = {**shared_options(row.provider), **row.options}
    access = Access(row.base_url, secret, cast(AccessKind, row.kind), row.vendor_account, options)
    return CredentialChoice(row.id, row.provider, access, row.scope, row.fresh_until)


def in_environment(provider: str) -> bool:
    return bool(_environment(provider))


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


def _by_scope(rows: Iterable[Credential]) -> Iterator[tuple[str, list[Credential]]]:
    ordered = sorted(rows, key=lambda row: (ORDER[row.scope], -row.id.int))
    return ((scope, list(own)) for scope, own in groupby(ordered, key=lambda row: row.scope))


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
