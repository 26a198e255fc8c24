"""Logging in with an authorization code and PKCE (RFC 7636), by redirect or by a code that is pasted.

    begin          the secrets of one login, and the address that the person opens
    read_answer    what came back: a redirect's query, `code#state`, or the whole address pasted
    exchange       the code for a grant

The state is a random value of its own: as a copy of the verifier it would carry that into addresses.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from providers.access import Secret
from providers.errors import ProviderError
from providers.oauth import Grant, LoginNeeded, OAuthClient
from providers.oauth_tokens import Clock, masked, post, read_grant, refusal, utc_now
from providers.transport import Transport, transport

RANDOM_BYTES = 32  # 43 characters: what RFC 7636 section 4.1 recommends
PASTED_LENGTH = 8192
CODE_LENGTH = 4096


class NoCode(LoginNeeded):
    """What came back holds no code, or one of another login."""

    says = "This is not the code of this login. Copy it again, whole, or start the login anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The secrets of one login under way; both are used once."""

    verifier: Secret
    state: Secret


def begin() -> Login:
    return Login(
        verifier=Secret(secrets.token_urlsafe(RANDOM_BYTES)),
        state=Secret(secrets.token_urlsafe(RANDOM_BYTES)),
    )


def challenge(verifier: Secret) -> str:
    """S256: the base64url of the verifier's SHA-256, without padding."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def authorize_url(client: OAuthClient, login: Login) -> str:
    """The address that the person opens to log in at the vendor."""
    query = {
        **client.authorize_extra,
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "code_challenge": challenge(login.verifier),
        "code_challenge_method": "S256",
        "state": login.state.reveal(),
    }
    if client.scopes:
        query["scope"] = " ".join(client.scopes)
    joint = "&" if urlsplit(client.authorize_url).query else "?"
    return f"{client.authorize_url}{joint}{urlencode(query)}"


def read_answer(text: str, login: Login) -> Secret:
    """The code in what came back: a query (of our callback's address), a whole address, or `code#state`.

    Raises NoCode when the code or the state is missing or the state is another one (compared in constant
    time), Declined or another error of providers.oauth when the vendor says that it went wrong.
    """
    text = text.strip()
    if len(text) > PASTED_LENGTH:
        raise NoCode(sent=False)
    query = _query(text)
    if query is None:
        code, _, state = text.partition("#")
        query = {"code": code.strip(), "state": state.strip()}
    if not hmac.compare_digest(
        query.get("state", "").encode("utf-8", "replace"), login.state.reveal().encode()
    ):
        raise NoCode(sent=False)
    if error := query.get("error"):
        raise _went_wrong(error, query.get("error_description", ""), login)
    code = query.get("code", "")
    if not code or len(code) > CODE_LENGTH or not code.isascii() or not code.isprintable():
        raise NoCode(sent=False)
    return Secret(code)


async def exchange(
    client: OAuthClient,
    login: Login,
    code: Secret,
    *,
    through: Callable[[], Transport] = transport,
    now: Clock = utc_now,
) -> Grant:
    """The grant for a code. A code works once: after any failure the login starts anew. Raises
    ProviderError.
    """
    fields = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": client.redirect_uri,
        "code_verifier": login.verifier.reveal(),
    }
    if client.repeats_state:
        fields["state"] = login.state.reveal()
    hidden = [code, login.verifier, login.state]
    return read_grant(client, await post(client, client.token_url, fields, hidden, through=through), now=now)


def _query(text: str) -> dict[str, str] | None:
    """The fields of a query or of an address; None for anything else. Of a field given twice: neither."""
    if "://" in text.partition("?")[0]:
        try:
            parts = urlsplit(text)
        except ValueError:
            return {}
        text = parts.query or parts.fragment
    elif "state=" not in text:
        return None
    pairs = parse_qsl(text.removeprefix("?"), keep_blank_values=True)
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def _went_wrong(error: str, text: str, login: Login) -> ProviderError:
    hidden = [login.verifier, login.state]
    return refusal(masked(error, hidden)[:64], masked(text, hidden))
