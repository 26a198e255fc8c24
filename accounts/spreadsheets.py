"""Texts for spreadsheets, which take some of them for formulas."""

from __future__ import annotations

import unicodedata

# What makes a spreadsheet take a text for a formula, also after it has dropped what cannot be seen.
FORMULA = frozenset("=+-@\t\r\n|%")


def safe(text: str) -> str:
    """The text as no spreadsheet runs it: with an apostrophe before what it might take for a formula."""
    first = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\ufeff\u200b"))[:1]
    return f"'{text}" if first in FORMULA or text[:1].isspace() else text
