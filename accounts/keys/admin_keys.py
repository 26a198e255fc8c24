"""The keys that read what a vendor says was used and charged. No call to a model is ever made with one.

One for each vendor that reports: the organisation's, entered by an admin, else the one from the environment.
The entered one is checked with the vendor before it is kept, sealed, and shown by its last four characters.
"""

from __future__ import annotations

from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from accounts.keys import actions, credentials
from accounts.models import Credential, Organisation, User
from accounts.sealing.sealing import SealBroken
from providers import errors, registry
from providers.access import Access, Secret
from providers.usage_reports import VendorAccount

SECRET_LENGTH = 4000


class KeyUnusable(Exception):
    """The stored key cannot be used as it is; the text says why, and is safe to show."""


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The key in force for a provider. `credential` is None where it is the environment's."""

    provider: str
    hint: str
    credential: Credential | None

    @property
    def variable(self) -> str:
        """The environment variable that it comes from, "" for an entered one."""
        return "" if self.credential is not None else _reports(self.provider).key_variable

    @property
    def trouble(self) -> str:
        """What the vendor, or a changed address, has against it; "" for nothing."""
        return (credentials.trouble(self.credential) or "") if self.credential is not None else ""


def in_force(provider: str) -> AdminKey | None:
    """The key with which this provider's reports are read; None when there is none. No secret is opened."""
    if (row := entered(provider)) is not None:
        return AdminKey(provider, row.hint, row)
    secret = _from_environment(provider)
    return AdminKey(provider, secret.reveal()[-4:], None) if secret is not None else None


def entered(provider: str) -> Credential | None:
    """The stored key, whatever its state but revoked."""
    own = Credential.objects.filter(provider=provider, kind=Credential.Kind.ADMIN_KEY)
    return own.exclude(state=Credential.State.REVOKED).first()


def access(key: AdminKey) -> Access:
    """The key opened, for a reporter and for nothing else. One that was refused is opened too: the vendor may
    take it again. Raises KeyUnusable.
    """
    row = key.credential
    if row is None:
        secret = _from_environment(key.provider)
        if secret is None:
            raise KeyUnusable("There is no admin key.")
        return Access(credentials.base_url(key.provider), secret, "api_key")
    if not credentials.is_at_home(row):
        raise KeyUnusable(f"{credentials.MOVED} Enter the admin key again.")
    try:
        opened = row.secret
    except (SealBroken, ValueError):
        opened = None
    if opened is None:
        credentials.mark_invalid(row.pk, credentials.UNOPENED)
        raise KeyUnusable(f"{credentials.UNOPENED} Enter the admin key again.")
    return Access(row.base_url, opened, "api_key")


@sensitive_variables()
def keep(
    *, organisation: Organisation, provider: str, secret: Secret, by: User | None = None
) -> VendorAccount:
    """Stores the key once the vendor has opened its reports to it; else raises ProviderError."""
    base_url = credentials.base_url(provider)
    reporter = registry.reporter(provider)
    account: VendorAccount = async_to_sync(reporter.account)(Access(base_url, secret, "api_key"))
    actions.save_admin_key(
        organisation=organisation,
        provider=provider,
        base_url=base_url,
        secret=secret,
        vendor_account=account.id,
        by=by,
    )
    return account


def refused(key: AdminKey, error: errors.ProviderError) -> None:
    """Notes what the vendor said of the key, where that was about the key."""
    if key.credential is not None and isinstance(error, errors.AuthenticationError | errors.Forbidden):
        credentials.mark_invalid(key.credential.pk, error.safe_message)


def taken(key: AdminKey, account: str) -> None:
    """The vendor has opened its reports to the key."""
    if key.credential is not None:
        actions.found_good(credential=key.credential, vendor_account=account)
        credentials.mark_used(key.credential.pk)


def advice(error: errors.ProviderError, provider: str) -> str:
    """Our own words for each kind of failure, with what to do about it."""
    row = registry.providers()[provider]
    label, reports = row.label, _reports(provider)
    match error:
        case errors.AuthenticationError():
            return (
                f"{label} does not accept this admin key. Admin keys begin with {reports.key_begins}; check "
                "that it was copied whole and is not revoked."
            )
        case errors.Forbidden():
            return f"{label} knows this key but does not let it read the reports. Check its rights there."
        case errors.NotFound():
            return f"{label} offers no reports at this address."
        case errors.ConnectionFailed() | errors.DeadlineExceeded() | errors.InterruptedStream():
            return f"{label} could not be reached, or did not answer in time."
        case errors.RateLimited() | errors.Overloaded() | errors.ServerError():
            return f"{label} is busy and gave no report."
        case _:
            return f"{label}'s report could not be understood."


def _reports(provider: str) -> registry.Reports:
    row = registry.providers()[provider]
    if row.reports is None:
        raise KeyError(provider)
    return row.reports


def _from_environment(provider: str) -> Secret | None:
    found: Secret | None = settings.PROVIDER_ENVIRONMENT.get(provider, {}).get("admin_key")
    return found
