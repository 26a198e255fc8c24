"""Requests to sign-in providers: to addresses that an admin typed, so over providers.outbound alone.

No redirect is followed, an answer is read up to a mebibyte, and everything has an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers import outbound
from providers.cleaning import decode
from providers.errors import ConnectionFailed, DeadlineExceeded, ProtocolError, ProviderError
from providers.timeouts import Timeouts

from .refusals import Faulty

ANSWER_BYTES = 1024 * 1024
TIMEOUTS = Timeouts(connect=5, first=10, idle=10, total=15)


async def fetch(url: str, what: str, *, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON at an address. `what` names it in the reason. Raises Faulty."""
    try:
        async with outbound.outbound().stream(
            "GET", url, headers={"accept": "application/json", **(headers or {})}, timeouts=TIMEOUTS
        ) as answer:
            status = answer.status
            body = await answer.read(ANSWER_BYTES)
    except ProviderError as error:
        raise Faulty(f"{what}: {told(error)}") from None
    if 300 <= status < 400:
        raise Faulty(f"{what}: it answered {status}, elsewhere. Redirects are not followed.")
    if status != 200:
        raise Faulty(f"{what}: it answered {status}.")
    try:
        found, _ = decode(body)
    except ValueError:
        raise Faulty(f"{what}: the answer is no JSON.") from None
    return found


def told(error: ProviderError) -> str:
    """The failure in words for an admin."""
    match error:
        case ConnectionFailed():
            return "The connection broke before an answer came." if error.sent else outbound.NOT_REACHED
        case DeadlineExceeded():
            return f"No answer came within {TIMEOUTS.first:.0f} seconds."
        case ProtocolError():
            return "The answer is too large, or no HTTP answer."
        case _:
            return error.safe_message
