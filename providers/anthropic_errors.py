"""Anthropic's refusals as errors of our own tree (documentation: "Errors", "Rate limits").

What the vendor wrote is shown to people, because it says what to mend; a secret that it echoes is masked.
Its code decides before its type, and its words only where the vendor gives neither: a prompt that is too
long, and thinking that belongs elsewhere, are `invalid_request_error` like everything else that is wrong.
"""

import re
from collections.abc import Mapping
from typing import Any

from providers.access import MASK, Access
from providers.cleaning import clean_text, decode
from providers.errors import (
    AuthenticationError,
    BillingError,
    ContextExceeded,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
    TooLarge,
    from_error_object,
)
from providers.types import Json, StreamEvent
from providers.waits import retry_after

ID_LENGTH = 100

_BY_STATUS: dict[int, type[ProviderError]] = {
    400: InvalidRequest,
    401: AuthenticationError,
    402: BillingError,
    403: Forbidden,
    404: NotFound,
    408: DeadlineExceeded,
    413: TooLarge,
    429: RateLimited,
    504: DeadlineExceeded,
    529: Overloaded,
}
_CONFLICT = 409
# Somebody between us and the model gave up waiting; the model may have answered, and billed.
_MAYBE_BILLED = frozenset({408, 502, 504})
# Codes that say more than the type beside them ("Errors", error codes).
_BY_CODE: dict[str, type[ProviderError]] = {
    "organization_on_hold": Forbidden,
    "request_body_too_large_after_decoding": TooLarge,
    "ramp_limit_exceeded": RateLimited,
}
# "Context windows": the words of a prompt that does not fit, alone or with the answer that it asks for.
_TOO_LONG = re.compile(
    r"(?:prompt|input) is too long"
    r"|exceed(?:s|ed)? (?:the |your )?(?:model's )?(?:maximum )?context (?:limit|window|length)",
    re.IGNORECASE,
)
SHORTEN = "Shorten it, begin a new conversation, or choose a model that reads more."
# "Extended thinking": a signature that does not fit, or a block that is not where it was made.
_UNBOUND = re.compile(
    r"\bsignature\b.*\bthinking\b|\bthinking\b.*\bsignature\b|bound to a different conversation"
    r"|thinking\b.*\bcannot be modified",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"\bsk-[\w-]{8,}|\bBearer\s+\S{16,}", re.IGNORECASE)


def from_answer(status: int, headers: Mapping[str, str], body: bytes, access: Access) -> ProviderError:
    """The error for an answer with any status but 200. The body may be anything.

    The error's type decides, the status where there is none; `x-should-retry` overrules both on retrying.
    """
    facts: Json = {
        "status": status,
        "request_id": request_id(headers.get("request-id")),
        "retry_after": retry_after(headers),
        "sent": status in _MAYBE_BILLED,
    }
    if status < 400:
        return ProtocolError(f"The provider answered with status {status}, which is not followed.", **facts)
    envelope = _object(body)
    facts["request_id"] = facts["request_id"] or request_id(envelope.get("request_id"))
    error = envelope.get("error")
    if isinstance(error, dict) and isinstance(error.get("type"), str):
        failure = _typed(error, access, facts)
    else:
        failure = _by_status(status, facts)
    if status == _CONFLICT:
        failure.retryable = True
    advice = headers.get("x-should-retry", "").strip().lower()
    if advice in ("true", "false"):
        failure.retryable = advice == "true" and not isinstance(failure, BillingError)
    return failure


def from_event(event: StreamEvent, access: Access, *, sent: bool) -> ProviderError:
    """The error that an `error` event carries in a stream whose status was 200: its type alone decides."""
    error = event.get("error")
    facts: Json = {"request_id": request_id(event.get("request_id")), "sent": sent}
    return _typed(error if isinstance(error, dict) else {}, access, facts)


def masked(text: str, access: Access) -> str:
    """Text of the vendor's without our secret, without anything that looks like a key, on one line."""
    if access.secret is not None:
        text = access.secret.masked_in(text)
    text = _KEY.sub(MASK, clean_text(text))
    return "".join(character if character.isprintable() else " " for character in text)


def request_id(value: Any) -> str | None:
    """The vendor's id of a call, when what it sent can be one."""
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= ID_LENGTH:
        return value
    return None


def _typed(error: Json, access: Access, facts: Json) -> ProviderError:
    """The error by its code, its type, and last its words."""
    shown = _shown(error, access)
    failure = from_error_object(shown, **facts)
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    finer = _BY_CODE.get(code) if isinstance(code, str) else None
    if finer is not None:
        return finer(failure.safe_message, **facts)
    if not isinstance(failure, InvalidRequest):
        return failure
    text = failure.safe_message
    if _TOO_LONG.search(text):
        return ContextExceeded(f"{text.rstrip('. ')}. {SHORTEN}", **facts)
    if _UNBOUND.search(text):
        failure.thinking_unbound = True
    return failure


def _by_status(status: int, facts: Json) -> ProviderError:
    known = _BY_STATUS.get(status)
    if known is not None:
        return known(**facts)
    if status >= 500:
        return ServerError(f"The provider failed with status {status}.", **facts)
    return InvalidRequest(f"The provider refused the request with status {status}.", **facts)


def _shown(error: Json, access: Access) -> Json:
    shown = {
        name: masked(text, access) for name in ("type", "message") if isinstance(text := error.get(name), str)
    }
    return {**error, **shown}


def _object(body: bytes) -> Json:
    try:
        value, _ = decode(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
