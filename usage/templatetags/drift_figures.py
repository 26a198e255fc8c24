"""Figures beside those of a vendor, which may have none yet. Integers in, text out."""

from __future__ import annotations

from django import template

from usage.reports.csv_file import exact
from usage.templatetags.figures import count, usd

register = template.Library()

NONE = "–"


@register.filter
def usd_or_none(nano: int | None) -> str:
    """Nano-dollars as dollars; "–" where there is no figure."""
    return NONE if nano is None else usd(nano)


@register.filter
def exact_or_none(nano: int | None) -> str:
    """Nano-dollars as dollars with all nine decimals."""
    return NONE if nano is None else f"${exact(nano)}".replace("$-", "-$")


@register.filter
def usd_signed(nano: int | None) -> str:
    """A difference in dollars, with its sign."""
    return f"+{usd(nano)}" if nano is not None and nano > 0 else usd_or_none(nano)


@register.filter
def count_signed(number: int | None) -> str:
    """A difference of counts, with its sign; "–" where there is no figure."""
    if number is None:
        return NONE
    return f"+{count(number)}" if number > 0 else count(number)


@register.filter
def count_or_none(number: int | None) -> str:
    return NONE if number is None else count(number)
