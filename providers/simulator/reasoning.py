"""Sealed reasoning: a vendor takes back only its own, and only from those to whom it gave it."""

import base64
import binascii
import hashlib
import hmac
import secrets


def seal(organization: str) -> str:
    """New sealed content for this organisation."""
    nonce = secrets.token_bytes(16)
    return base64.b64encode(nonce + _mark(nonce, organization)).decode()


def opens(sealed: str, organization: str) -> bool:
    """Whether it was sealed for this organisation."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(raw[16:], _mark(raw[:16], organization))


def _mark(nonce: bytes, organization: str) -> bytes:
    return hashlib.sha256(b"simulated reasoning:" + nonce + organization.encode()).digest()
