"""Salesforce's refusals as errors of our own tree. Their shape differs from gateway to gateway: an object, a
list of objects, or plain text.
"""

from collections.abc import Mapping

from providers.access import Secret
from providers.errors import (
    MESSAGE_LENGTH,
    AuthenticationError,
    BillingError,
    ContextExceeded,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    NotFound,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
    TooLarge,
)
from providers.openai_errors import error_object, masked, request_id
from providers.types import Json
from providers.waits import retry_after

_MAYBE_BILLED = frozenset({408, 502, 504})
_MESSAGES = ("message", "error_description", "errorMessage", "detail", "title", "error")
_CODES = ("errorCode", "code", "error", "type")
_TOO_LONG = ("context length", "context window", "prompt is too long", "maximum context", "too many tokens")
_REFUSED_WHILE_NEW = (
    "Salesforce refuses the token that it has just given. The app needs the scope sfap_api, and the person it"
    " runs as needs access to Einstein's models."
)
_UNKNOWN_MODEL = (
    "Salesforce does not know this model, or the org may not use it. Models are named like"
    " sfdc_ai__DefaultGPT4Omni, or by the API name that Model Builder shows."
)


def from_answer(
    status: int, headers: Mapping[str, str], body: bytes, secrets: list[Secret], *, fresh_token: bool
) -> ProviderError:
    """The error for an answer with any status but 200. `fresh_token`: its token was made for this call."""
    text = _said(body, secrets)
    facts: Json = {
        "status": status,
        "request_id": request_id(headers),
        "retry_after": retry_after(headers),
        "sent": status in _MAYBE_BILLED,
    }
    match status:
        case _ if status < 400:
            return ProtocolError(f"Salesforce answered with status {status}, which is not followed.", **facts)
        case 401 if fresh_token:
            return Forbidden(_REFUSED_WHILE_NEW, **facts)
        case 401:
            return AuthenticationError(text, **facts)
        case 402:
            return BillingError(text, **facts)
        case 403:
            return Forbidden(text, **facts)
        case 404:
            return NotFound(_UNKNOWN_MODEL, **facts)
        case 408 | 504:
            return DeadlineExceeded(text, **facts)
        case 413:
            return TooLarge(text, **facts)
        case 429:
            return RateLimited(text, **facts)
        case _ if status >= 500:
            return ServerError(text or f"Salesforce failed with status {status}.", **facts)
        case _ if any(words in text.lower() for words in _TOO_LONG):
            return ContextExceeded(text, **facts)
        case _:
            return InvalidRequest(text or f"Salesforce refused the request with status {status}.", **facts)


def _said(body: bytes, secrets: list[Secret]) -> str:
    """What the refusal says, code and words; "" for a page of HTML and for what says nothing."""
    found = error_object(body)
    words = _text(found, _MESSAGES)
    code = _text(found, _CODES)
    said = f"{code}: {words}" if code and words and code != words else words or code
    return masked(said, secrets)[:MESSAGE_LENGTH]


def _text(found: Json, names: tuple[str, ...]) -> str:
    return next((text for name in names if isinstance(text := found.get(name), str) and text), "")
