"""Asks a vendor whether a credential works, before it is kept and whenever somebody wants to know."""

from __future__ import annotations

import logging

from asgiref.sync import async_to_sync
from django.views.decorators.debug import sensitive_variables

from accounts.keys import actions, credentials
from accounts.logins import grants
from accounts.models import Credential
from accounts.sealing.sealing import SealBroken
from providers import errors, registry
from providers.access import Access, Account

log = logging.getLogger(__name__)


@sensitive_variables()
def account_behind(provider: str, access: Access) -> Account:
    """What this access opens at the vendor. Raises ProviderError when it does not work now."""
    account: Account = async_to_sync(registry.adapter(provider).check)(access)
    return account


def check_again(credential: Credential) -> str:
    """Asks the vendor about a stored credential; "" when it works, else why not. The row says it afterwards.

    One that the vendor takes again is used again; only its own refusal makes one invalid.
    """
    if credential.state == Credential.State.ACTIVE and (why := credentials.trouble(credential)):
        return why
    try:
        choice = credentials.opened(credential)
    except SealBroken:
        credentials.mark_unopened(credential.id)
        return credentials.UNOPENED
    except ValueError:
        return credential.last_error or credentials.UNOPENED
    if not credentials.is_at_home(credential):
        return credentials.MOVED
    try:
        if credential.state == Credential.State.ACTIVE:
            choice = async_to_sync(grants.fresh)(choice)
        account = account_behind(credential.provider, choice.access)
    except errors.AuthenticationError as error:
        credentials.mark_invalid(credential.id, error.safe_message)
        return error.safe_message
    except errors.ProviderError as error:
        log.warning("Credential %s could not be checked: %s", credential.id, error.safe_message)
        return advice(error, credential.provider)
    actions.found_good(credential=credential, vendor_account=account.vendor_account)
    return ""


def advice(error: errors.ProviderError, provider: str) -> str:
    """Our own words for each kind of failure: a provider's text may hold the key that it was sent."""
    known = registry.provider(provider)
    label = known.label if known is not None else provider
    match error:
        case errors.AuthenticationError():
            return f"{label} does not accept this key. Check that it was copied whole and is not revoked."
        case errors.Forbidden():
            return f"{label} knows this key but does not let it list models. Check the key's rights there."
        case errors.BillingError():
            return f"The key's account at {label} has no credit. Add credit there, then try again."
        case errors.ConnectionFailed() | errors.DeadlineExceeded():
            return (
                f"This server could not reach {label}. Nothing was stored. Check its network and try again."
            )
        case errors.RateLimited() | errors.Overloaded() | errors.ServerError():
            return f"{label} is busy, so the key could not be tested. Nothing was stored. Try again soon."
        case errors.NotFound():
            return f"{label} is not at this address. Nothing was stored. Check the address."
        case _:
            return f"{label}'s answer could not be understood. Nothing was stored. Check the address."
