"""Whole answers on Anthropic's wire: headers and errors.

Header and error names: Anthropic's API documentation, pages "Errors", "Rate limits" and "API overview".
"""

import time
from collections.abc import Mapping
from typing import Final

from providers.simulator.replies import Headers, Refusal, Reply, encode_json
from providers.types import Json

ERROR_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
REQUESTS_PER_MINUTE: Final = 4000
TOKENS_PER_MINUTE: Final = 2_000_000


def error_object(refusal: Refusal) -> Json:
    """The `error` object; its type is by default the one that belongs to the status."""
    usual = ERROR_TYPES.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
    error: Json = {"type": refusal.kind or usual, "message": refusal.message}
    if refusal.details is not None:
        error["details"] = refusal.details
    return error


def error_reply(refusal: Refusal, request_id: str) -> Reply:
    body = {"type": "error", "error": error_object(refusal), "request_id": request_id}
    return Reply(refusal.status, encode_json(body), headers=refusal.headers)


class UsualHeaders:
    """The headers of every answer. The rate limits are for show: nothing is ever refused because of them."""

    def __init__(self) -> None:
        self._second = 0
        self._limits: Headers = []

    def make(self, request_id: str, organization: str) -> Headers:
        second = int(time.time())
        if second != self._second:
            self._second, self._limits = second, self._rate_limits(second)
        return [
            (b"request-id", request_id.encode()),
            (b"anthropic-organization-id", organization.encode()),
            *self._limits,
        ]

    @staticmethod
    def _rate_limits(second: int) -> Headers:
        reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second + 60)).encode()
        headers: Headers = []
        for name, limit in (
            (b"requests", REQUESTS_PER_MINUTE),
            (b"tokens", TOKENS_PER_MINUTE),
            (b"input-tokens", TOKENS_PER_MINUTE),
            (b"output-tokens", TOKENS_PER_MINUTE // 5),
        ):
            headers += [
                (b"anthropic-ratelimit-" + name + b"-limit", b"%d" % limit),
                (
                    b"anthropic-ratelimit-" + name + b"-remaining",
                    b"%d" % (limit - 1 if name == b"requests" else limit),
                ),
                (b"anthropic-ratelimit-" + name + b"-reset", reset),
            ]
        return headers
