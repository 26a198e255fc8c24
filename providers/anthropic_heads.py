"""What the head of an answer of the Messages API says: whose account was asked, what is left of its limits.

Facts are from Anthropic's documentation: "Rate limits" and "API overview", response headers.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from providers.access import Access
from providers.anthropic_errors import masked, request_id
from providers.heard import Head, Limits

ACCOUNT_LENGTH = 200
LONGEST_RESET = 31 * 24 * 3600.0  # seconds
# Which count stands for "tokens": the vendor sends all, where it sends any; the first shows the tightest.
_TOKENS = ("tokens", "input-tokens", "output-tokens")


def head(status: int, headers: Mapping[str, str], access: Access, now: datetime | None = None) -> Head:
    """The head of an answer, its texts without our secret."""
    return Head(
        status=status,
        request_id=request_id(headers.get("request-id")) or "",
        vendor_account=vendor_account(headers, access),
        limits=limits(headers, now or datetime.now(UTC)),
    )


def vendor_account(headers: Mapping[str, str], access: Access) -> str:
    return masked(headers.get("anthropic-organization-id", ""), access)[:ACCOUNT_LENGTH]


def limits(headers: Mapping[str, str], now: datetime) -> Limits | None:
    """The limits that the headers name; None when they name none."""

    def of(kind: str, what: str) -> str:
        return headers.get(f"anthropic-ratelimit-{kind}-{what}", "").strip()

    tokens = next((kind for kind in _TOKENS if of(kind, "limit")), _TOKENS[0])
    found = Limits(
        requests=_count(of("requests", "limit")),
        requests_left=_count(of("requests", "remaining")),
        requests_reset=_seconds_until(of("requests", "reset"), now),
        tokens=_count(of(tokens, "limit")),
        tokens_left=_count(of(tokens, "remaining")),
        tokens_reset=_seconds_until(of(tokens, "reset"), now),
    )
    # Subscriptions have one limit of their own without counts: used up, or not.
    if of("unified", "status").lower() == "rejected":
        reset = _seconds_until(of("unified", "reset"), now)
        found = replace(found, requests_left=0, requests_reset=reset)
    return found if found != Limits() else None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _seconds_until(text: str, now: datetime) -> float | None:
    """Seconds until a moment in RFC 3339 or in seconds since 1970; None for what is no moment."""
    try:
        moment = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else _moment(text)
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_RESET)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
