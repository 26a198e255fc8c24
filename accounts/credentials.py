"""Which credentials a call to a provider may be made with, and what became of them.

The order is person, team, organisation, environment; within one owner the newest first. A credential that
does not work any more ends the list at its owner: nobody's call silently moves on to somebody else's key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts.models import Credential
from accounts.sealing import SealBroken
from providers import registry
from providers.access import Access, Secret

Scope = Literal["person", "team", "organisation", "environment", "demo"]

ORDER: dict[str, int] = {"person": 0, "team": 1, "organisation": 2}
OWNERS = {
    "person": ("Your", "Enter it again."),
    "team": ("Your team's", "A manager of the team can enter it again."),
    "organisation": ("The organisation's", "An owner or admin can enter it again."),
}
USED_EVERY = 60.0  # seconds between two writes of last_used_at for one credential

log = logging.getLogger(__name__)
_used: dict[UUID, float] = {}


@dataclass(frozen=True, slots=True)
class CredentialChoice:
    """One way to make a call. `id` is None where no row stands behind it: the environment, the demo."""

    id: UUID | None
    provider: str
    access: Access
    scope: Scope


def for_call(user_id: UUID, team_id: UUID | None, provider: str) -> list[CredentialChoice]:
    """The credentials to try, in order; empty when there is none. One query. Says why by `blocked_reason`."""
    if registry.provider(provider) is None:
        return []
    if needs_no_secret(provider):
        return _demo(provider)
    choices: list[CredentialChoice] = []
    for _scope, rows in _by_scope(Credential.objects.serving_at(user_id, team_id, provider)):
        opened = [choice for row in rows if (choice := _open(row))]
        choices += opened
        if not opened:
            return choices
    return choices + _environment(provider)


def usable_providers(user_id: UUID, team_id: UUID | None) -> set[str]:
    """The providers for which `for_call` would find something: one query, no secret is opened."""
    found = {
        slug
        for slug in registry.providers()
        if (_demo(slug) if needs_no_secret(slug) else in_environment(slug))
    }
    rows = sorted(Credential.objects.serving(user_id, team_id), key=lambda row: row.provider)
    for provider, own in groupby(rows, key=lambda row: row.provider):
        _, narrowest = next(_by_scope(own))
        if any(trouble(row) is None for row in narrowest):
            found.add(provider)
        else:
            found.discard(provider)
    return found & set(registry.providers())


def blocked_reason(user_id: UUID, team_id: UUID | None, provider: str) -> str:
    """Why `for_call` found nothing and what to do about it. Safe to show to this person."""
    known = registry.provider(provider)
    label = known.label if known is not None else provider
    for scope, rows in _by_scope(Credential.objects.serving(user_id, team_id).filter(provider=provider)):
        troubles = [trouble(row) for row in rows]
        if all(troubles):
            whose, advice = OWNERS[scope]
            return f"{whose} {label} key cannot be used. {troubles[0]} {advice}"
    return f"There is no key for {label} yet. An owner or admin can enter one."


def mark_invalid(credential_id: UUID | None, error: str) -> None:
    """The provider refused the credential: it is not used again until somebody enters it anew.

    `error` is a text that is safe to show. Without a row (the environment's key) it is only logged.
    """
    if credential_id is None:
        log.error("The key from the environment was refused: %s", error[:300])
        return
    active = Credential.objects.filter(pk=credential_id, state=Credential.State.ACTIVE)
    if active.update(state=Credential.State.INVALID, last_error=error[:300]):
        log.warning("Credential %s is invalid: %s", credential_id, error[:300])


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
        return "It has expired."
    if row.base_url != base_url(row.provider):
        return "The provider's address was changed after it was entered."
    return None


def in_environment(provider: str) -> bool:
    return bool(_environment(provider))


def needs_no_secret(provider: str) -> bool:
    return "none" in registry.providers()[provider].auth_kinds


def base_url(provider: str) -> str:
    """The address that the operator configured for a provider, or the provider's own."""
    configured = settings.PROVIDER_ENVIRONMENT.get(provider, {}).get("base_url")
    return str(configured or registry.providers()[provider].base_url)


def _by_scope(rows: Iterable[Credential]) -> Iterator[tuple[str, list[Credential]]]:
    ordered = sorted(rows, key=lambda row: (ORDER[row.scope], -row.id.int))
    return ((scope, list(own)) for scope, own in groupby(ordered, key=lambda row: row.scope))


def _open(row: Credential) -> CredentialChoice | None:
    if trouble(row) is not None:
        return None
    try:
        secret: Secret | None = row.secret
    except SealBroken:
        mark_invalid(row.id, "It can no longer be opened.")
        return None
    kind: Literal["api_key", "oauth"] = "api_key" if row.kind == Credential.Kind.API_KEY else "oauth"
    access = Access(base_url=row.base_url, secret=secret, kind=kind, vendor_account=row.vendor_account)
    return CredentialChoice(row.id, row.provider, access, row.scope)


def _environment(provider: str) -> list[CredentialChoice]:
    secret: Secret | None = settings.PROVIDER_ENVIRONMENT.get(provider, {}).get("api_key")
    if secret is None:
        return []
    access = Access(base_url=base_url(provider), secret=secret, kind="api_key")
    return [CredentialChoice(None, provider, access, "environment")]


def _demo(provider: str) -> list[CredentialChoice]:
    """The simulator of this process. Its address is known only once it listens."""
    where: str | Callable[[], str | None] | None = settings.DEMO_BASE_URL
    address = where() if callable(where) else where
    if not address:
        return []
    return [CredentialChoice(None, provider, Access(base_url=address, secret=None, kind="none"), "demo")]
