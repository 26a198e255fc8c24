"""Whole answers of the wire: headers, JSON bodies and errors in the shape of Anthropic's Messages API.

Header and error names: Anthropic's API documentation, pages "Errors", "Rate limits" and "API overview".
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from providers.types import Json

Headers = list[tuple[bytes, bytes]]

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


class Refusal(Exception):
    """The request is answered with an error status.

    status: HTTP status; kind: Anthropic's `error.type`, by default the one that belongs to the status;
    details: the error's optional `details` object; headers: sent besides the usual ones.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind or ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        self.details = details
        self.headers = dict(headers or {})

    def error(self) -> Json:
        """The `error` object."""
        error: Json = {"type": self.kind, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return error


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: status, body (bytes), content type, headers besides the usual ones, and how many
    seconds it is held back.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, encode_json(value))


def encode_json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def encode_odd_json(value: Any) -> bytes:
    """Like `encode_json`, but with numbers that JSON does not have (NaN, Infinity) or that are huge, as they
    are.
    """
    return json.dumps(value, ensure_ascii=False).encode()


def error_reply(refusal: Refusal, request_id: str) -> Reply:
    body = {"type": "error", "error": refusal.error(), "request_id": request_id}
    return Reply(refusal.status, encode_json(body), headers=refusal.headers)


def new_id(prefix: str) -> str:
    """An id in the vendor's form, such as `msg_01…`."""
    return f"{prefix}_01{secrets.token_hex(11)}"


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
