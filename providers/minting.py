"""Asking a vendor for a short-lived token: one request, and what its answer means.

Nothing that happens here was billed (`sent` is False): the model was not asked. What a vendor writes is shown
short and masked, because token endpoints echo what they were sent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from providers.access import Access, Secret
from providers.cleaning import decode
from providers.errors import (
    AuthenticationError,
    ConnectionFailed,
    Forbidden,
    InterruptedStream,
    InvalidRequest,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
)
from providers.oauth_tokens import masked
from providers.transport import Timeouts, Transport
from providers.types import Json
from providers.waits import retry_after

ANSWER_BYTES = 1024 * 1024
TOKEN_LENGTH = 16 * 1024
TIMEOUTS = Timeouts(connect=5, first=15, idle=15, total=30)
LONGEST_LIFE = 24 * 3600.0  # seconds; a longer one is taken for a mistake

# Mended by another secret or another client (RFC 6749, section 5.2; `invalid_client_id` is Salesforce's).
_WRONG_CLIENT = frozenset({"invalid_client", "invalid_client_id", "unauthorized_client", "invalid_grant"})
_LATER = frozenset({"temporarily_unavailable", "server_error"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a token endpoint said. `body` is None when it is no JSON object; `wait` is in seconds."""

    status: int
    body: Json | None
    text: str
    wait: float | None


async def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
    secrets: Iterable[Secret],
    through: Callable[[], Transport],
) -> Answer:
    """One request. No redirect is followed. `text` is the answer masked. Raises ProviderError."""
    must_be_safe(url)
    failure: ProviderError
    try:
        async with through().stream(
            method, url, headers=headers, content=content, timeouts=TIMEOUTS
        ) as answer:
            body = await answer.read(ANSWER_BYTES)
            return Answer(
                answer.status, _object(body), _text(body, list(secrets)), retry_after(answer.headers)
            )
    except InterruptedStream:
        failure = ConnectionFailed("The token service broke off its answer.")
    except ProviderError as error:
        failure = error
    failure.sent = False
    raise failure


async def client_credentials(
    vendor: str,
    url: str,
    *,
    client_id: str,
    secret: Secret,
    scope: str = "",
    through: Callable[[], Transport],
) -> Json:
    """The answer to a client's own request for a token (RFC 6749, section 4.4). Raises ProviderError:

    AuthenticationError  the client or its secret is wrong
    Forbidden            what the client may do, or where it asks, is wrong
    others               later it may go better
    """
    fields = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret.reveal()}
    if scope:
        fields["scope"] = scope
    answer = await ask(
        "POST",
        url,
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        content=urlencode(fields).encode(),
        secrets=[secret],
        through=through,
    )
    body = answer.body or {}
    if answer.status == 200 and "error" not in body and answer.body is not None:
        return body
    raise _refusal(vendor, answer, secret)


def token(vendor: str, body: Json, name: str) -> Secret:
    """The token in an answer: visible ASCII, so that it can go into a header. Raises ProtocolError."""
    value = body.get(name)
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    if not isinstance(value, str) or not fits or not 0 < len(value) <= TOKEN_LENGTH:
        raise ProtocolError(f"{vendor} gave no token that can be used.", sent=False)
    return Secret(value)


def seconds(value: Any) -> float | None:
    """A plausible life of a token in seconds; some vendors send it as text."""
    found = number(value)
    return min(found, LONGEST_LIFE) if found is not None and found > 0 else None


def number(value: Any) -> float | None:
    """A finite number, or one that is written as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return float(value)


def must_be_safe(url: str) -> None:
    """Secrets go to https, or stay on this machine. Raises InvalidRequest."""
    if not is_safe(url):
        raise InvalidRequest("A key is sent to https addresses only.", sent=False)


def is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.username or parts.password or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def host_of(url: str) -> str:
    """The host of an address in small letters, "" when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_below(host: str, domain: str) -> bool:
    """Whether the host is this domain or a part of it."""
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def secret_of(access: Access) -> Secret:
    """The secret of an access that must have one. Raises AuthenticationError."""
    secret = access.secret
    if secret is None:
        raise AuthenticationError("There is no key for this provider.", sent=False)
    text = secret.reveal()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise AuthenticationError("The key holds characters that no key of this provider has.", sent=False)
    return secret


def _refusal(vendor: str, answer: Answer, secret: Secret) -> ProviderError:
    body = answer.body or {}
    code = body.get("error")
    said = body.get("error_description")
    facts: Json = {"status": answer.status, "retry_after": answer.wait, "sent": False}
    name = masked(code, [secret])[:64] if isinstance(code, str) else f"status {answer.status}"
    words = masked(said, [secret]) if isinstance(said, str) else ""
    text = f"{name} ({words})" if words else name
    if answer.status == 429:
        return RateLimited(f"{vendor} gives no more tokens for now.", **facts)
    if answer.status >= 500 or code in _LATER or answer.status == 408:
        return ServerError(f"{vendor} could not give a token.", **facts)
    if code in _WRONG_CLIENT or (code is None and answer.status == 401):
        return AuthenticationError(f"{vendor} refuses the client: {text}", **facts)
    if isinstance(code, str) or answer.status in (403, 404):
        return Forbidden(f"{vendor} gives no token. An admin has to look at the client: {text}", **facts)
    return ProtocolError(f"{vendor} answered with status {answer.status} instead of a token.", **facts)


def _object(body: bytes) -> Json | None:
    try:
        value, _ = decode(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _text(body: bytes, secrets: list[Secret]) -> str:
    return masked(body.decode("utf-8", "replace"), secrets)
