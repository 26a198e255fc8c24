"""The settings of allauth that follow whether this server sends mail; allauth asks for each when it needs it.

Codes to sign in with, and to prove an address, begin and end with mail, without a restart.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import DatabaseError

# What each is with mail, and without.
FOLLOWING: dict[str, tuple[Any, Any]] = {
    "ACCOUNT_LOGIN_BY_CODE_ENABLED": (True, False),
    "ACCOUNT_EMAIL_VERIFICATION": ("mandatory", "none"),
    "ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED": (True, False),
}


def get(name: str, default: Any) -> Any:
    """Named in ALLAUTH_SETTING_GETTER."""
    if name not in FOLLOWING:
        return getattr(settings, name, default)
    with_mail, without = FOLLOWING[name]
    return with_mail if _sends_mail() else without


def _sends_mail() -> bool:
    """Django's checks at a start ask as well, when there may be no tables yet, or no database."""
    # Here, not above: allauth asks for some settings while apps are loaded, when there are no models yet.
    from accounts.mail import stored

    try:
        return stored.is_set_up()
    except DatabaseError:
        return False
