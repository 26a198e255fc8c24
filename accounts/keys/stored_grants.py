"""A grant as a credential's sealed column holds it: JSON, or the bare token where somebody entered one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

from providers.access import Secret
from providers.oauth import Grant


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """`client` is the identity of the OAuth client that it was granted to, "" for a token that was entered:
    a refresh token is sent nowhere else (OAuthClient.identity).
    """

    access_token: Secret
    refresh_token: Secret | None = None
    client: str = ""
    scope: str = ""

    @classmethod
    def of(cls, grant: Grant, client: str) -> Self:
        return cls(grant.access_token, grant.refresh_token, client, grant.scope)

    @classmethod
    def opened(cls, secret: Secret) -> Self:
        """Raises ValueError for what is neither a token nor JSON of ours."""
        text = secret.reveal()
        if not text.startswith("{"):
            return cls(secret)
        try:
            held = json.loads(text)
            refresh_token = held.get("refresh_token")
            return cls(
                Secret(str(held["access_token"])),
                Secret(str(refresh_token)) if refresh_token else None,
                str(held.get("client", "")),
                str(held.get("scope", "")),
            )
        except (KeyError, AttributeError, json.JSONDecodeError):
            pass  # raised outside: the error of the decoder holds the text
        raise ValueError("This is no stored grant.")

    @property
    def hint(self) -> str:
        """The last four characters of the access token."""
        return self.access_token.reveal()[-4:]

    def to_secret(self) -> Secret:
        """The text to seal."""
        held = {
            "access_token": self.access_token.reveal(),
            "refresh_token": self.refresh_token.reveal() if self.refresh_token is not None else None,
            "client": self.client,
            "scope": self.scope,
        }
        return Secret(json.dumps(held))
