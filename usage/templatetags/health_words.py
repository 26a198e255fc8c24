"""Figures of health as text. "–" stands where there is no figure."""

from __future__ import annotations

from django import template

from providers.resilience import in_words

register = template.Library()

NONE = "–"
# Kinds of errors (providers.errors, and those of calls that never reached a provider), as titles.
FAULTS = {
    "api_error": "Server error",
    "authentication_error": "Key refused",
    "billing_error": "Account cannot pay",
    "connection_error": "No connection",
    "internal_error": "Fault of this server",
    "interrupted_stream": "Broke off",
    "key_revoked": "Key revoked",
    "token_ended": "Access token ended",
    "invalid_request_error": "Wrong request",
    "not_found_error": "Not found",
    "overloaded_error": "Overloaded",
    "permission_error": "Not permitted",
    "process_lost": "This server was stopped",
    "protocol_error": "Unreadable answer",
    "rate_limit_error": "Rate limit",
    "request_too_large": "Too large",
    "timeout_error": "Too slow",
}


@register.filter
def seconds(milliseconds: int | None) -> str:
    """Milliseconds as seconds: "0.92 s", "12.3 s"."""
    if milliseconds is None:
        return NONE
    value = milliseconds / 1000
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


@register.filter
def percent(share: float | None) -> str:
    """From 0 to 1, rounded down to a tenth, so that only perfect is called 100 %."""
    if share is None:
        return NONE
    tenths = int(share * 1000 + 1e-9)
    return "100 %" if tenths == 1000 else f"{tenths / 10:.1f} %"


@register.filter
def rate(per_second: float | None) -> str:
    """Tokens per second."""
    return NONE if per_second is None else f"{per_second:.0f}"


@register.filter
def wait(duration: float) -> str:
    """Seconds from now: "in 5 minutes"."""
    return in_words(duration)


@register.filter
def fault(kind: str) -> str:
    """The kind of an error as a title; one that is not known as it is."""
    return FAULTS.get(kind, kind)
