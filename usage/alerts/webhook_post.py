"""What a webhook receives, and how it is signed: the Standard Webhooks convention, version 1.

    webhook-id          the alert's id, the same however often it is sent
    webhook-timestamp   the second of this attempt
    webhook-signature   "v1," and base64 of HMAC-SHA-256 over `id.timestamp.body`; during a rotation one for
                        each secret, with a space between

The secret is "whsec_" and base64 of the key. (https://github.com/standard-webhooks/standard-webhooks)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from django.conf import settings

from providers import outbound, waits
from providers.access import Secret
from providers.errors import ConnectionFailed, DeadlineExceeded, ProviderError
from providers.timeouts import Timeouts
from usage.models import Alert

KEY_BYTES = 32
PREFIX = "whsec_"
GONE = 410
TIMEOUTS = Timeouts(connect=5.0, first=15.0, idle=15.0, total=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one attempt. `error` is "" where the receiver took it, else a sentence without secrets;
    `wait` the seconds that the receiver asked for, `gone` that it wants no more of this.
    """

    error: str = ""
    wait: float = 0.0
    gone: bool = False


def new_secret() -> Secret:
    return Secret(PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())


def body_of(alert: Alert, organisation: str) -> bytes:
    """The JSON that is sent and signed, byte for byte the same at each attempt."""
    at = alert.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {
        "id": str(alert.pk),
        "kind": alert.kind,
        "title": alert.title,
        "body": alert.body,
        "link": f"{settings.PUBLIC_URL}{alert.link}" if alert.link else "",
        "at": at,
        "organisation": organisation,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(message: str, moment: int, body: bytes, keys: Sequence[Secret]) -> dict[str, str]:
    """`moment` in seconds since 1970."""
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(_signature(message, moment, body, key) for key in keys),
    }


async def post(url: str, message: str, body: bytes, keys: Sequence[Secret]) -> Answer:
    """One attempt. Raises nothing that the receiver could bring about: whatever it does is an Answer."""
    headers = headers_of(message, int(time.time()), body, keys)
    try:
        async with outbound.outbound().stream(
            "POST", url, headers=headers, content=body, timeouts=TIMEOUTS
        ) as response:
            status, wait = response.status, waits.retry_after(response.headers) or 0.0
    except ConnectionFailed as error:
        broke = "The connection broke before an answer came."
        return Answer(error=broke if error.sent else outbound.NOT_REACHED)
    except DeadlineExceeded:
        return Answer(error=f"No answer came within {TIMEOUTS.first:.0f} seconds.")
    except ProviderError:
        return Answer(error="What came back is no HTTP answer.")
    if 200 <= status < 300:
        return Answer()
    if 300 <= status < 400:
        return Answer(error=f"It answered {status}: elsewhere. Redirects are not followed.")
    return Answer(error=f"It answered {status}.", wait=wait, gone=status == GONE)


def _signature(message: str, moment: int, body: bytes, secret: Secret) -> str:
    key = base64.b64decode(secret.reveal().removeprefix(PREFIX))
    signed = hmac.digest(key, f"{message}.{moment}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"
