"""The installation's master keys: from PARLEY_SECRET_KEYS, or from a key file made at the first start.

A key is 32 random bytes, written as URL-safe base64. The first key seals; all of them open, so that a new one
can be put in front while values sealed under an older one are still around.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32


def load_master_keys(words: list[str], data_dir: Path) -> list[bytes]:
    """Returns at least one key. Makes the data folder (0700) and its key file (0600) where nothing is given.

    Raises ImproperlyConfigured, without the value, for a key of the wrong form.
    """
    if words:
        return [_decode(word, "PARLEY_SECRET_KEYS") for word in words]
    path = data_dir / "master.key"
    if not path.exists():
        _create(path)
    return [_decode(line, str(path)) for line in path.read_text().split()]


def derive(key: bytes, purpose: str) -> str:
    """A secret for one purpose, which does not reveal the key or the secrets of other purposes."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest()


def _decode(word: str, source: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(word.encode() + b"=" * (-len(word) % 4))
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"{source} must hold keys of {KEY_BYTES} bytes in URL-safe base64.")
    return key


def _create(path: Path) -> None:
    """Writes a new key beside the final name and links it there: two first starts read the same one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
