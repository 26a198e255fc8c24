"""Where a call to a server of OpenAI's wire goes, and what proves who it is.

From OpenAI's API reference ("Authentication").
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from providers.access import Access, Secret
from providers.errors import AuthenticationError, InvalidRequest

Place = Literal["chat", "responses", "models", "input_tokens"]
PATHS: Mapping[Place, str] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "models": "/models",
    "input_tokens": "/responses/input_tokens",
}
HOSTS = ("api.openai.com", ".api.openai.com")  # the second: regions ("Data residency")


@dataclass(frozen=True, slots=True)
class Address:
    """Where one HTTP call goes, with which headers; `secrets` is what must not be seen in the answer."""

    url: str
    headers: Mapping[str, str]
    secrets: tuple[Secret, ...] = ()


def bearer(secret: Secret) -> dict[str, str]:
    """The header that carries this secret. Raises AuthenticationError when no header can."""
    return {"authorization": f"Bearer {header_value(secret)}"}


def header_value(secret: Secret) -> str:
    """The secret's text, fit for a header. Raises AuthenticationError when it is not."""
    text = secret.reveal()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise AuthenticationError("The key holds characters that no key of this provider has.", sent=False)
    return text


def account_headers(access: Access) -> dict[str, str]:
    """For a key that is of several organisations or projects ("Authentication")."""
    headers: dict[str, str] = {}
    for name, header in (("organization", "openai-organization"), ("project", "openai-project")):
        value = access.options.get(name, "")
        if value and (not value.isascii() or not value.isprintable()):
            raise InvalidRequest(f"The {name} holds characters that it cannot have.", sent=False)
        if value:
            headers[header] = value
    return headers


def fingerprint(access: Access) -> str:
    """Something that stands for an account whose name is not known: the same for the same key only."""
    if access.secret is None or access.kind == "none":
        return ""
    return "key:" + hashlib.sha256(b"account of " + access.secret.reveal().encode()).hexdigest()[:16]


def is_openai(host: str) -> bool:
    return host == HOSTS[0] or host.endswith(HOSTS[1])


def host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return ""
