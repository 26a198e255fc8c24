"""Findings as people read them. Integers in, text out."""

from __future__ import annotations

from django import template

from usage.recommendations.recommendations import Recommendation
from usage.recommendations.words import WORDS
from usage.recommendations.words import roughly as roughly_in_words

register = template.Library()


@register.filter
def roughly(nano: int) -> str:
    """Nano-dollars with two digits: "$13"."""
    return roughly_in_words(nano)


@register.filter
def measured(one: Recommendation) -> str:
    """What was measured, as sentences."""
    return WORDS[one.slug].measured(one)
