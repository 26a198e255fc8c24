"""The request or socket that the running code answers, for the lines that it logs.

Context variables follow a request into its thread. What only becomes known there is seen from the loop too,
because both hold the same object.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject


def new_id() -> str:
    return secrets.token_hex(8)


@dataclass(slots=True, eq=False)
class Seen:
    """One request or socket."""

    id: str = field(default_factory=new_id)
    request: HttpRequest | None = None

    @property
    def user(self) -> Any:
        """The person's id if the request has found out who asks; it is never found out for a log line."""
        if self.request is None:
            return None
        known = vars(self.request)
        signed_in = known.get("user")  # a person after signing in, else a promise to look
        if signed_in is None or type(signed_in) is SimpleLazyObject:
            signed_in = known.get("_cached_user")  # where django.contrib.auth keeps whom it found
        return getattr(signed_in, "pk", None)

    @property
    def route(self) -> str:
        """The name of the address: the path may hold the key of a link."""
        match = getattr(self.request, "resolver_match", None)
        return match.view_name if match is not None else ""


current: ContextVar[Seen | None] = ContextVar("parley_request", default=None)
