"""Codes of an authenticator app: RFC 6238 with SHA-1, six digits, steps of 30 seconds."""

from __future__ import annotations

import secrets
from base64 import b32encode
from urllib.parse import quote, urlencode

import qrcode
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from providers.access import Secret

SECRET_BYTES = 20
STEP_SECONDS = 30
TOLERANCE = 1  # steps before and after: the clock of a phone is rarely exact


def new_secret() -> Secret:
    """32 characters of Base32, as apps take them."""
    return Secret(b32encode(secrets.token_bytes(SECRET_BYTES)).decode())


def fitting_step(secret: Secret, code: str, *, now: float, after: int = 0) -> int | None:
    """The step whose code this is, or None. A step up to `after` does not count: its code was used.

    `now` in seconds since 1970. Spaces in the code do not matter.
    """
    present = int(now) // STEP_SECONDS
    for step in range(present - TOLERANCE, present + TOLERANCE + 1):
        right = format_hotp_value(hotp_value(secret.reveal(), step))
        if step > after and compare_user_code(actual=code, expected=right):
            return step
    return None


def address(secret: Secret, *, issuer: str, account: str) -> str:
    """What the QR code says (otpauth, as most apps read it)."""
    fields = urlencode({"secret": secret.reveal(), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{fields}"


def qr_path(text: str) -> tuple[int, str]:
    """The text as a QR code: its size in modules, the quiet border included, and the path that draws it."""
    code = qrcode.QRCode(border=4)
    code.add_data(text)
    rows = code.get_matrix()
    moves = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark]
    return len(rows), "".join(moves)
