"""What people type as their name and address, in the one form in which it is stored and compared."""

from __future__ import annotations

import unicodedata

NAME_LENGTH = 80
# Marks that turn the direction of the text around them, and characters that cannot be seen. The joiners
# U+200C and U+200D stay: Persian and emoji are written with them.
_HIDDEN = frozenset("\u200b\u200e\u200f\u2028\u2029\u2060\ufeff") | {
    chr(n) for n in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def clean_name(text: str) -> str:
    """The name as it is stored: on one line, at most NAME_LENGTH characters long."""
    return one_line(text)[:NAME_LENGTH].rstrip()


def one_line(text: str) -> str:
    """The text on one line, with single spaces, without control or hidden characters."""
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(
        " " if char.isspace() else char for char in composed if char.isspace() or not _unseen(char)
    )
    return " ".join(spaced.split())


def clean_email(text: str) -> str:
    """The address in lower case: two addresses that differ only in case are one account."""
    return unicodedata.normalize("NFC", text).strip().lower()


def _unseen(char: str) -> bool:
    return char in _HIDDEN or unicodedata.category(char) in {"Cc", "Cs"}
