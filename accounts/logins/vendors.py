"""The vendors at which this installation may log in: settings.OAUTH, as the operator configured them."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from providers.oauth import OAuthClient


def client(provider: str) -> OAuthClient | None:
    """This installation as the vendor knows it; None where logging in there is not switched on."""
    clients: Mapping[str, OAuthClient] = settings.OAUTH
    return clients.get(provider)
