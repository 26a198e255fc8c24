"""How long a vendor's headers ask to wait: read once, for every wire.

Facts are from the vendors' documentation (Anthropic: "Errors", "Rate limits"; OpenAI: "Rate limits"; Azure:
"Quotas and limits") and from HTTP's own Retry-After (RFC 9110, 10.2.3).
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 24 * 3600.0  # seconds; a longer one is a mistake or an attack
SPAN_LENGTH = 100  # characters; a longer text is no span of time

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: `retry-after-ms`, else `retry-after` as a number, a span or an HTTP date; at most a
    day.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if not text:
            continue
        seconds = span(text)
        if seconds is not None:
            return min(seconds * scale, LONGEST_WAIT)
        if (seconds := _until(text)) is not None:
            return min(seconds, LONGEST_WAIT)
    return None


def span(text: str) -> float | None:
    """Seconds of a span of time as OpenAI writes it ("6m0s", "12ms", "1.5s"), or of a plain number."""
    text = text.strip().lower()
    try:
        seconds = float(text)
    except ValueError:
        found = _SPAN.fullmatch(text) if text and len(text) < SPAN_LENGTH else None
        if found is None:
            return None
        seconds = sum(
            float(part) * scale for part, scale in zip(found.groups(), _SECONDS, strict=True) if part
        )
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
