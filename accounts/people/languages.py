"""The languages that people can say they write in: ISO 639 codes, some with a script or region (BCP 47)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

from django.conf.locale import LANG_INFO

# Where Django has only the English name.
OWN_NAMES = {"eu": "euskara", "km": "ខ្មែរ", "kn": "ಕನ್ನಡ", "mn": "монгол", "pa": "ਪੰਜਾਬੀ"}


@dataclass(frozen=True, slots=True)
class Language:
    """`code` as HTML's `lang` takes it; `own_name` as its speakers call it, `name` in English."""

    code: str
    own_name: str
    name: str
    right_to_left: bool


@cache
def known() -> dict[str, Language]:
    """By code, in the order of their own names."""
    found = [
        Language(_tag(code), own_name, row["name"], _right_to_left(own_name))
        for code, row in LANG_INFO.items()
        if (own_name := OWN_NAMES.get(code) or row.get("name_local"))
    ]
    ordered = sorted(found, key=lambda one: one.own_name.casefold())
    return {one.code: one for one in ordered}


def choices() -> list[tuple[str, str]]:
    return [(one.code, one.own_name) for one in known().values()]


def find(code: str) -> Language | None:
    """None for "", and for a code that is not known."""
    return known().get(code)


def _right_to_left(text: str) -> bool:
    """By its script; Django's table says it of Azerbaijani in Latin letters too."""
    return unicodedata.bidirectional(text[0]) in ("R", "AL")


def _tag(code: str) -> str:
    """Django's "zh-hans" and "pt-br" as BCP 47 writes them: zh-Hans, pt-BR."""
    language, _, rest = code.partition("-")
    if len(rest) == 4:
        return f"{language}-{rest.capitalize()}"
    return f"{language}-{rest.upper()}" if len(rest) == 2 else code
