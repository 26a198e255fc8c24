"""Unit prices and sizes of models as the manage area shows them. Integers in, text out."""

from __future__ import annotations

from django import template

from providers.model_changes import dollars

register = template.Library()


@register.filter
def per_million(pico: int | None) -> str:
    """Pico-dollars per token as dollars per million tokens, exactly: "$2.00", "$0.075"; "" for None."""
    return "" if pico is None else dollars(pico)


@register.filter
def size(tokens: int | None) -> str:
    """A number of tokens, in thousands or millions: "1M", "1.05M", "400k", "8,192"."""
    if tokens is None:
        return ""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if tokens >= unit and tokens * 100 % unit == 0:
            whole, rest = divmod(tokens * 100 // unit, 100)
            return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + letter
    return f"{tokens:,}"
