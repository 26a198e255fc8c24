"""Logging in on another device (RFC 8628), as GitHub does it ("Authorizing OAuth apps", device flow).

start   the code that the person types at the vendor's page
poll    asks once whether they have; `Pending` says when to ask again
wait    asks until they have
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from providers.access import Secret
from providers.errors import ProtocolError, ProviderError
from providers.oauth import Grant, Lapsed, OAuthClient, is_safe, tells_to
from providers.oauth_tokens import Clock, post, read_grant, utc_now, whole_seconds
from providers.transport import Transport, transport

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL = 5  # seconds (RFC 8628, section 3.2)
SLOWER = 5  # seconds more after `slow_down` (section 3.5)
MARGIN = 1  # a second more than asked: clocks and networks are uneven, and asking early costs five
SLOWEST = 60  # seconds; a vendor that asks for more is asked that often all the same
NOT_YET = ("authorization_pending", "slow_down")
CODE_LENGTH = 64
URI_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A login under way. Only `user_code` and `verification_uri` are for the person's eyes.

    `expires_in` counts from the start, `interval` lies between two polls, both in seconds.
    """

    device_code: Secret
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class Pending:
    """Not yet: ask again after so many seconds, and from then on at that pace."""

    interval: int


async def start(client: OAuthClient, *, through: Callable[[], Transport] = transport) -> Started:
    """Asks the vendor for a code to show. Raises ProviderError."""
    fields = {"scope": " ".join(client.scopes)} if client.scopes else {}
    answer = await post(client, client.device_url, fields, [], through=through)
    device_code, user_code, uri = (
        answer.get(name) for name in ("device_code", "user_code", "verification_uri")
    )
    if not isinstance(device_code, str) or not device_code.isascii() or not 0 < len(device_code) <= 4096:
        raise ProtocolError("The vendor's answer holds no device code.", sent=False)
    if not isinstance(user_code, str) or not user_code.isprintable() or not 0 < len(user_code) <= CODE_LENGTH:
        raise ProtocolError("The vendor's answer holds no code to show.", sent=False)
    if not isinstance(uri, str) or len(uri) > URI_LENGTH or not is_safe(uri):
        raise ProtocolError("The vendor's answer holds no page for the code.", sent=False)
    return Started(
        device_code=Secret(device_code),
        user_code=user_code,
        verification_uri=uri,
        expires_in=whole_seconds(answer, "expires_in", None) or 900,
        interval=_pace(whole_seconds(answer, "interval", INTERVAL)),
    )


async def poll(
    client: OAuthClient,
    started: Started,
    *,
    through: Callable[[], Transport] = transport,
    now: Clock = utc_now,
) -> Grant | Pending:
    """Asks once. Raises Declined or Lapsed when nothing will come of it, else ProviderError.

    After an error that tells to wait (providers.oauth.tells_to) the same login may be asked for again.
    """
    fields = {"grant_type": GRANT_TYPE, "device_code": started.device_code.reveal()}
    answer = await post(
        client, client.token_url, fields, [started.device_code], through=through, harmless=NOT_YET
    )
    match answer.get("error"):
        case "authorization_pending":
            return Pending(started.interval)
        case "slow_down":
            asked = whole_seconds(answer, "interval", 0) or 0
            return Pending(_pace(max(started.interval + SLOWER, asked)))
        case _:
            return read_grant(client, answer, now=now)


async def wait(
    client: OAuthClient,
    started: Started,
    *,
    through: Callable[[], Transport] = transport,
    now: Clock = utc_now,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Grant:
    """Asks at the vendor's pace until there is a grant. Raises Lapsed at the end of the login's time, by
    this machine's monotonic clock; failures of the network and the vendor are waited out.
    """
    ends_at = clock() + started.expires_in
    while clock() + started.interval + MARGIN < ends_at:
        await sleep(started.interval + MARGIN)
        try:
            found = await poll(client, started, through=through, now=now)
        except ProviderError as error:
            if tells_to(error) != "wait":
                raise
            found = Pending(_pace(max(started.interval + SLOWER, round(error.retry_after or 0))))
        if isinstance(found, Grant):
            return found
        started = replace(started, interval=found.interval)
    raise Lapsed(sent=False)


def _pace(seconds: int | None) -> int:
    return min(max(seconds or INTERVAL, 1), SLOWEST)
