"""Whole answers, before they have a vendor's shape: bodies of JSON, and refusals."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from providers.types import Json

Headers = list[tuple[bytes, bytes]]


class Refusal(Exception):
    """The request is answered with an error status, in the shape of the vendor who was asked.

    status: HTTP status; kind: the vendor's name of the error, None for the one that belongs to the status;
    param: the field of the request that is wrong, for vendors who name it; details: more of the error's
    object (Anthropic's `details`, other vendors' further fields); headers: sent besides the usual ones;
    delay: how many seconds the answer is held back.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        param: str | None = None,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.details = details
        self.headers = dict(headers or {})
        self.delay = 0.0


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


def new_id(prefix: str) -> str:
    """An id in the vendor's form, such as `msg_01…`."""
    return f"{prefix}_01{secrets.token_hex(11)}"
