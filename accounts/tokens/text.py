"""What an access token looks like.

    parley_ + 43 characters, which are 32 random bytes + 6 characters, which are the CRC-32 of those 43

all of 0-9, A-Z and a-z. The beginning and the checksum let scanners of repositories, and people, tell a token
from other text, and a whole token from one that was cut or mistyped, without asking the server. They protect
nothing: whether a token is good is looked up by its digest alone.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib

from providers.access import Secret

BEGINNING = "parley_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_BYTES = 32
BODY, CHECK = 43, 6  # characters: 62**43 > 2**256, 62**6 > 2**32
SHOWN = 4  # characters of the body by which its owner knows it
FORM = re.compile(rf"{BEGINNING}[0-9A-Za-z]{{{BODY + CHECK}}}")


def new() -> Secret:
    """A token that nobody has seen before."""
    body = _base62(int.from_bytes(secrets.token_bytes(RANDOM_BYTES)), BODY)
    return Secret(f"{BEGINNING}{body}{_check(body)}")


def is_whole(text: str) -> bool:
    """Whether this has the form of a token and its checksum fits. Says nothing about whether it exists."""
    if len(text) != len(BEGINNING) + BODY + CHECK or FORM.fullmatch(text) is None:
        return False
    body = text[len(BEGINNING) :][:BODY]
    return text.endswith(_check(body))


def prefix(token: Secret) -> str:
    """The characters that are stored in clear."""
    return token.reveal()[: len(BEGINNING) + SHOWN]


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), CHECK)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
