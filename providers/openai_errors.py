"""Refusals of servers that speak OpenAI's wire, as errors of our own tree.

Facts are from OpenAI's API documentation ("Error codes", "Rate limits"). The error's code decides, then its
type, then the status; compatible servers often send the status alone, or no JSON. What the server wrote is
shown to people, because it says what to mend; a secret that it echoes is masked.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from providers.access import MASK, Secret
from providers.cleaning import clean_text, decode
from providers.errors import (
    MESSAGE_LENGTH,
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
)
from providers.heard import Limits
from providers.types import LARGEST_COUNT, Json
from providers.waits import LONGEST_WAIT, retry_after, span

ID_LENGTH = 100

# Code or type of an error, in lower case.
_BY_NAME: dict[str, type[ProviderError]] = {
    # No amount of waiting mends these, whatever their status.
    "insufficient_quota": BillingError,
    "credit_balance_exhausted": BillingError,
    "organization_spend_limit_exceeded": BillingError,
    "project_spend_limit_exceeded": BillingError,
    "organization_usage_limit_exceeded": BillingError,
    "billing_hard_limit_reached": BillingError,
    "billing_not_active": BillingError,
    "billing_error": BillingError,
    "context_length_exceeded": ContextExceeded,
    "exceed_context_size_error": ContextExceeded,  # llama.cpp
    "invalid_api_key": AuthenticationError,
    "account_deactivated": AuthenticationError,
    "authentication_error": AuthenticationError,
    "unauthorized": AuthenticationError,
    "permission_error": Forbidden,
    "permission_denied": Forbidden,
    "unsupported_country_region_territory": Forbidden,
    "model_not_found": NotFound,
    "deploymentnotfound": NotFound,  # Azure
    "not_found_error": NotFound,
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "too_many_requests": RateLimited,
    "request_too_large": TooLarge,
    "server_is_overloaded": Overloaded,
    "overloaded_error": Overloaded,
    "server_error": ServerError,
    "api_error": ServerError,
    "internal_error": ServerError,
    "timeout_error": DeadlineExceeded,
}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: BillingError,
    403: Forbidden,
    404: NotFound,
    408: DeadlineExceeded,
    413: TooLarge,
    429: RateLimited,
    503: Overloaded,
    504: DeadlineExceeded,
    529: Overloaded,
}
_SLOW_DOWN = "slow_down"  # 429: too many requests; 503: no capacity
# How codes and types begin that blame the request, where no status came with them.
_OF_REQUESTS = ("invalid_", "bad_request", "unsupported_", "image_", "empty_", "unknown_parameter")
_CONFLICT = 409
# Somebody between us and the model gave up waiting; the model may have answered, and billed.
_MAYBE_BILLED = frozenset({408, 502, 504})
# Servers without codes for it (vLLM, OpenRouter, Ollama) say it in words.
_TOO_LONG = re.compile(
    r"maximum context length|context[ _](length|window|size)\b.{0,40}\bexceed|"
    r"exceed\w*\b.{0,40}\bcontext[ _](length|window|size)|prompt is too long",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"\b(?:sk|rk|pk|gsk|xai)-[\w*-]{8,}|\b(?:gho|ghu|ghp|ghs|github_pat)_\w{8,}|\btid=[^\s\"']{16,}|"
    r"\bey[\w-]{16,}\.[\w-]{8,}\.[\w-]*|\bBearer\s+\S{16,}",
    re.IGNORECASE,
)


def from_answer(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> ProviderError:
    """The error for an answer with any status but 200. The body may be anything.

    `x-should-retry` overrules on retrying, save where the account cannot pay.
    """
    facts: Json = {
        "status": status,
        "request_id": request_id(headers),
        "retry_after": retry_after(headers),
        "sent": status in _MAYBE_BILLED,
    }
    if status < 400:
        return ProtocolError(f"The provider answered with status {status}, which is not followed.", **facts)
    failure = from_object(error_object(body), secrets, **facts)
    if isinstance(failure, RateLimited) and failure.retry_after is None:
        failure.retry_after = _until_reset(limits(headers))
    if status == _CONFLICT:
        failure.retryable = True
    advice = headers.get("x-should-retry", "").strip().lower()
    if advice in ("true", "false"):
        failure.retryable = advice == "true" and not isinstance(failure, BillingError)
    return failure


def from_object(
    error: Json, secrets: Iterable[Secret] = (), *, status: int | None = None, **facts: Any
) -> ProviderError:
    """The typed error of an error object `{"message", "type", "param", "code"}`, any of which may be absent.

    `facts` are further keyword arguments of ProviderError. A `code` that is a number is a status, as
    OpenRouter writes it into its streams.
    """
    text = error.get("message")
    message = masked(text, secrets)[:MESSAGE_LENGTH] if isinstance(text, str) else ""
    names = [value.lower() for key in ("code", "type") if isinstance(value := error.get(key), str)]
    decisive = status or _as_status(error.get("code")) or _as_status(error.get("status"))
    known = _kind(names, decisive, message)
    kind = known or ServerError
    if kind is ServerError and decisive is not None:
        message = message or f"The provider failed with status {decisive}."
    elif kind is InvalidRequest and decisive is not None:
        message = message or f"The provider refused the request with status {decisive}."
    failure = kind(message, status=status, **facts)
    if known is None:
        failure.retryable = False
    return failure


def error_object(body: bytes) -> Json:
    """The error object in any of the forms that servers send; of plain text, its beginning as the message."""
    try:
        value, _ = decode(body)
    except ValueError:
        return _of_text(body)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return {"message": value} if isinstance(value, str) else {}
    error = value.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {**{key: value[key] for key in ("code", "type") if key in value}, "message": error}
    detail = value.get("detail")
    if isinstance(detail, str):
        return {"message": detail}
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        return {"message": detail[0].get("msg")}
    return value


def masked(text: str, secrets: Iterable[Secret] = ()) -> str:
    """The beginning of a text of the server's without these secrets, without what looks like a key, on one
    line."""
    for secret in secrets:
        text = secret.masked_in(text)
    text = _KEY.sub(MASK, clean_text(text[: 4 * MESSAGE_LENGTH]))
    return "".join(character if character.isprintable() else " " for character in text)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The vendor's id of a call, when what it sent can be one."""
    for name in ("x-request-id", "request-id", "apim-request-id"):
        value = headers.get(name, "")
        if value.isprintable() and 0 < len(value) <= ID_LENGTH:
            return value
    return None


def limits(headers: Mapping[str, str]) -> Limits | None:
    """What `x-ratelimit-*` say; None when they say nothing."""
    told: dict[str, Any] = {}
    for measure in ("requests", "tokens"):
        told[measure] = _number(headers.get(f"x-ratelimit-limit-{measure}"))
        told[f"{measure}_left"] = _number(headers.get(f"x-ratelimit-remaining-{measure}"))
        reset = span(headers.get(f"x-ratelimit-reset-{measure}", ""))
        told[f"{measure}_reset"] = None if reset is None or reset > LONGEST_WAIT else reset
    return Limits(**told) if any(value is not None for value in told.values()) else None


def _kind(names: list[str], status: int | None, message: str) -> type[ProviderError] | None:
    if _SLOW_DOWN in names:
        return RateLimited if status == 429 else Overloaded
    for name in names:
        if name in _BY_NAME:
            return _BY_NAME[name]
    if status in (None, 400, 413, 422, 500) and _TOO_LONG.search(message):
        return ContextExceeded
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None:
        return ServerError if status >= 500 else InvalidRequest
    return InvalidRequest if any(name.startswith(_OF_REQUESTS) for name in names) else None


def _as_status(code: object) -> int | None:
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else None


def _of_text(body: bytes) -> Json:
    text = body[: 4 * MESSAGE_LENGTH].decode(errors="replace").strip()
    return {} if text.startswith("<") else {"message": text}


def _until_reset(told: Limits | None) -> float | None:
    """The wait until the limit that is used up is there again."""
    if told is None:
        return None
    used_up = [
        reset
        for left, reset in (
            (told.requests_left, told.requests_reset),
            (told.tokens_left, told.tokens_reset),
        )
        if left == 0 and reset is not None
    ]
    return max(used_up, default=None)


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    if not text.isdecimal() or not text.isascii() or len(text) > 15:
        return None
    return min(int(text), LARGEST_COUNT * 1000)
