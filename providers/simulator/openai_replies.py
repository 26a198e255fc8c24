"""Whole answers on OpenAI's wires: headers, errors, counts.

Names: OpenAI's API reference, pages "Error codes", "Rate limits" (resets are durations such as "6m0s") and
"Debugging requests" (response headers).
"""

from collections.abc import Mapping
from typing import Any, Final

from providers.simulator.replies import Headers, Refusal, Reply, encode_json
from providers.types import Json

ERRORS: Final[Mapping[int, tuple[str, str | None]]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "quota_exceeded"),
    403: ("permission_error", None),
    404: ("invalid_request_error", None),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", None),
    424: ("server_error", "failed_dependency"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("server_error", "server_is_overloaded"),
}
"""Type and code by status, where nothing else is said; above 500 `server_error` without a code."""
SPEND_LIMITS: Final[Mapping[str, str]] = {
    "enforced_spend_limit_reached": "organization_spend_limit_exceeded",
    "contract_spend_limit_reached": "credit_balance_exhausted",
}
"""Anthropic's codes, which directives and presets use, and what OpenAI says in their place."""
ANTHROPIC_KINDS: Final[Mapping[str, int]] = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 500,
    "overloaded_error": 503,
    "invalid_request_error": 400,
}
OVERLOADED: Final = 529
REQUESTS: Final = 10_000
TOKENS: Final = 2_000_000


def status_of(refusal: Refusal) -> int:
    """OpenAI's status for a refusal: it has no 529."""
    return 503 if refusal.status == OVERLOADED else refusal.status


def error_object(refusal: Refusal) -> Json:
    """The `error` object. A `kind` of the directive is the code, or Anthropic's name of an error."""
    details = dict(refusal.details or {})
    status = status_of(refusal)
    status = ANTHROPIC_KINDS.get(refusal.kind or "", status)
    kind, code = ERRORS.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    if refusal.kind is not None and refusal.kind not in ANTHROPIC_KINDS:
        code = refusal.kind
    spent = SPEND_LIMITS.get(str(details.pop("error_code", "")))
    if spent is not None:
        kind, code = "insufficient_quota", spent
    return {"message": refusal.message, "type": kind, "param": refusal.param, "code": code, **details}


def error_reply(refusal: Refusal) -> Reply:
    body = encode_json({"error": error_object(refusal)})
    return Reply(status_of(refusal), body, headers=refusal.headers)


def usual_headers(request_id: str, organization: str) -> Headers:
    """The rate limits are for show: nothing is ever refused because of them."""
    return [
        (b"x-request-id", request_id.encode()),
        (b"openai-organization", organization.encode()),
        (b"openai-processing-ms", b"5"),
        (b"openai-version", b"2020-10-01"),
        (b"x-ratelimit-limit-requests", b"%d" % REQUESTS),
        (b"x-ratelimit-remaining-requests", b"%d" % (REQUESTS - 1)),
        (b"x-ratelimit-reset-requests", b"6ms"),
        (b"x-ratelimit-limit-tokens", b"%d" % TOKENS),
        (b"x-ratelimit-remaining-tokens", b"%d" % TOKENS),
        (b"x-ratelimit-reset-tokens", b"6m0s"),
    ]


def usage_object(usage: Json, *, read: str, written: str) -> Json:
    """OpenAI's counts of Anthropic's usage object; `read` and `written` are the fields for the prompt and the
    answer. What is no number stays what it is, and fields that Anthropic does not have are passed on.
    """
    left = dict(usage)
    fresh, output = left.pop("input_tokens", 0), left.pop("output_tokens", 0)
    cached, stored = left.pop("cache_read_input_tokens", 0), left.pop("cache_creation_input_tokens", 0)
    thought = left.pop("output_tokens_details", {}).get("thinking_tokens", 0)
    left.pop("server_tool_use", None)
    prompt = _sum(fresh, cached, stored)
    return {
        read: prompt,
        f"{read}_details": {"cached_tokens": cached, "cache_write_tokens": stored},
        written: output,
        f"{written}_details": {"reasoning_tokens": thought},
        "total_tokens": _sum(prompt, output),
        **left,
    }


def _sum(first: Any, *others: Any) -> Any:
    """The sum of numbers; the first of them as it is where one is none."""
    if all(type(value) is int for value in (first, *others)):
        return first + sum(others)
    return first
