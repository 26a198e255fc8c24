"""The token endpoint: what is sent to it, what comes back, what its refusals mean; renewing and revoking.

What a vendor writes in a refusal is shown only masked and short: token endpoints echo what they were sent.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlencode

import msgspec

from providers.access import MASK, Secret
from providers.cleaning import clean_text, decode
from providers.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    InterruptedStream,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
)
from providers.oauth import ClientRefused, Declined, Grant, Lapsed, LoginNeeded, OAuthClient, Unanswered
from providers.transport import Timeouts, Transport, transport
from providers.types import Json
from providers.waits import retry_after

ANSWER_BYTES = 1024 * 1024
TEXT_LENGTH = 256
TOKEN_LENGTH = 16 * 1024
LONGEST_LIFETIME = 10 * 366 * 24 * 3600  # seconds; more is a mistake
FAILED = "The vendor's login service failed."
TIMEOUTS = Timeouts(connect=5, first=30, idle=30, total=30)

# RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5; `device_flow_disabled` and the `incorrect_…` ones
# are GitHub's ("Authorizing OAuth apps", error codes for the device flow).
_LOGIN = frozenset({"invalid_grant", "bad_refresh_token", "bad_verification_code"})
_LAPSED = frozenset({"expired_token", "token_expired"})
_LATER = frozenset({"server_error", "temporarily_unavailable", "rate_limit_error", "overloaded_error"})
_KEY = re.compile(
    r"\b(?:sk-|gh[opsur]_|github_pat_)[\w-]{8,}|\beyJ[\w-]{8,}\.[\w.-]+|\bBearer\s+\S{16,}", re.IGNORECASE
)

Clock = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]


def utc_now() -> datetime:
    return datetime.now(UTC)


async def renew(
    client: OAuthClient,
    refresh_token: Secret,
    *,
    through: Callable[[], Transport] = transport,
    now: Clock = utc_now,
    sleep: Sleep = asyncio.sleep,
) -> Grant:
    """A new access token for a refresh token; in its grant the new refresh token, or the old one still.

    Raises ProviderError (see providers.oauth). A 401 is tried once more, after a second. Whoever asked
    has to keep the grant before it is used: the old refresh token may be dead.
    """
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
    try:
        answer = await post(client, client.token_url, fields, [refresh_token], through=through)
    except ClientRefused as error:
        if error.status != HTTPStatus.UNAUTHORIZED:
            raise
        await sleep(1)
        answer = await post(client, client.token_url, fields, [refresh_token], through=through)
    return read_grant(client, answer, now=now, refresh_token=refresh_token)


async def revoke(client: OAuthClient, grant: Grant, *, through: Callable[[], Transport] = transport) -> None:
    """Tells the vendor that the grant is given up (RFC 7009); nothing where it has no address for that.

    Raises ProviderError. The caller forgets the grant first: whatever the vendor answers, it is gone here.
    """
    if not client.revoke_url:
        return
    kind, token = "access_token", grant.access_token
    if grant.refresh_token is not None:
        kind, token = "refresh_token", grant.refresh_token
    fields = {"token": token.reveal(), "token_type_hint": kind}
    await post(client, client.revoke_url, fields, [token], through=through, empty=True)


async def post(
    client: OAuthClient,
    url: str,
    fields: Mapping[str, str],
    secrets: list[Secret],
    *,
    through: Callable[[], Transport] = transport,
    empty: bool = False,
    harmless: tuple[str, ...] = (),
) -> Json:
    """One request of this client; the object that was answered. `secrets` are masked in what is shown.

    `empty`: an answer without an object is right too. `harmless` error codes are answers like others. Any
    other `error` member is a refusal whatever the status: GitHub answers its errors with 200. No redirect is
    followed. Raises ProviderError.
    """
    if client.client_secret is not None:
        fields = {**fields, "client_secret": client.client_secret.reveal()}
        secrets = [*secrets, client.client_secret]
    fields = {**fields, "client_id": client.client_id}
    if client.body == "json":
        content, kind = msgspec.json.encode(fields), "application/json"
    else:
        content, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    # GitHub answers with a form unless it is asked for JSON.
    headers = {**client.headers, "content-type": kind, "accept": "application/json"}
    failure: ProviderError
    try:
        async with through().stream(
            "POST", url, headers=headers, content=content, timeouts=TIMEOUTS
        ) as answer:
            status = answer.status
            wait = retry_after(answer.headers)
            body = await answer.read(ANSWER_BYTES)
    except (ConnectionFailed, DeadlineExceeded, InterruptedStream) as error:
        failure = _unreached(error)
    except ProviderError as error:
        failure = error
        failure.sent = False
    else:
        return _read(status, wait, body, secrets, empty, harmless)
    raise failure


def read_grant(
    client: OAuthClient, answer: Json, *, now: Clock = utc_now, refresh_token: Secret | None = None
) -> Grant:
    """The grant in a token endpoint's answer; `refresh_token` stays when the answer brings none.

    Expiry is reckoned from this machine's clock at receipt: the vendor's clock may differ. Raises
    ProtocolError.
    """
    kind = answer.get("token_type", "bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        _unreadable("The vendor's token is of a kind that is not known here.")
    access_token = _token(answer, "access_token")
    if access_token is None:
        _unreadable("The vendor's answer holds no token.")
    moment = now()
    scope = answer.get("scope")
    return Grant(
        access_token=access_token,
        refresh_token=_token(answer, "refresh_token") or refresh_token,
        expires_at=_after(moment, answer, "expires_in", client.lifetime),
        refresh_expires_at=_after(moment, answer, "refresh_token_expires_in", None),
        scope=clean_text(scope)[:1000] if isinstance(scope, str) else "",
    )


def whole_seconds(answer: Json, name: str, default: int | None) -> int | None:
    """A number of seconds, a whole one above zero. Raises ProtocolError for any other value."""
    value = answer.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LONGEST_LIFETIME:
        _unreadable(f"The vendor's answer holds a wrong {name}.")
    return value


def masked(text: str, secrets: list[Secret]) -> str:
    """At most TEXT_LENGTH characters of a vendor's text, on one line, without secrets or what looks so."""
    for secret in secrets:
        text = secret.masked_in(text)
    text = _KEY.sub(MASK, clean_text(text))
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(line.split())[:TEXT_LENGTH]


def refusal(
    code: str, text: str = "", *, status: int | None = None, wait: float | None = None
) -> ProviderError:
    """The error for an OAuth error code; `text` is what the vendor says of it, masked."""
    facts: dict[str, Any] = {"status": status, "sent": False}
    said = f" ({text})" if text else ""
    if code == "slow_down" or status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(text, retry_after=wait, **facts)
    if code in _LATER or (status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR):
        return ServerError(text or FAILED, retry_after=wait, **facts)
    if code in _LOGIN:
        return LoginNeeded(f"{LoginNeeded.says}{said}", **facts)
    if code in _LAPSED:
        return Lapsed(**facts)
    if code == "access_denied":
        return Declined(**facts)
    return ClientRefused(f"{ClientRefused.says} It says: {code}{said}", **facts)


def _read(
    status: int,
    wait: float | None,
    body: bytes,
    secrets: list[Secret],
    empty: bool,
    harmless: tuple[str, ...],
) -> Json:
    try:
        answer, _ = decode(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and (error := answer.get("error")) is not None:
        if error in harmless:
            return answer
        raise _said(error, answer, secrets, status, wait)
    if status == HTTPStatus.OK and (isinstance(answer, dict) or empty):
        return answer if isinstance(answer, dict) else {}
    raise _unsaid(status, wait)


def _said(error: Any, answer: Json, secrets: list[Secret], status: int, wait: float | None) -> ProviderError:
    """RFC 6749 has a text under `error`; some vendors put an object there, with a type and a message."""
    code, text = error, answer.get("error_description")
    if isinstance(error, dict):
        code, text = error.get("type"), error.get("message")
    code = masked(code, secrets)[:64] if isinstance(code, str) else "an unknown error"
    text = masked(text, secrets) if isinstance(text, str) else ""
    return refusal(code, text, status=status, wait=wait)


def _unsaid(status: int, wait: float | None) -> ProviderError:
    """An answer without a reason: what is before the vendor, or the wrong address."""
    facts: dict[str, Any] = {"status": status, "sent": False}
    match status:
        case 401 | 403 | 404 | 405 | 410:
            return ClientRefused(f"{ClientRefused.says} Its address answers with status {status}.", **facts)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(retry_after=wait, **facts)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return ServerError(FAILED, retry_after=wait, **facts)
        case _:
            return ProtocolError(f"The vendor's login service answered with status {status}.", **facts)


def _unreached(error: ProviderError) -> ProviderError:
    """The same failure in words of a login."""
    return Unanswered(sent=False) if error.sent else ConnectionFailed(error.safe_message, sent=False)


def _token(answer: Json, name: str) -> Secret | None:
    """A token can go into a header: RFC 6749, appendix A.12, visible ASCII."""
    value = answer.get(name)
    if value is None or value == "":
        return None
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    if not fits or len(value) > TOKEN_LENGTH:
        _unreadable(f"The vendor's answer holds a wrong {name}.")
    return Secret(value)


def _after(moment: datetime, answer: Json, name: str, default: int | None) -> datetime | None:
    seconds = whole_seconds(answer, name, default)
    return None if seconds is None else moment + timedelta(seconds=seconds)


def _unreadable(text: str) -> NoReturn:
    raise ProtocolError(text, sent=False)
