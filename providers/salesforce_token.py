"""The token that opens Salesforce's Models API: a signed JWT, given to a client for its own credentials.

Facts are from Salesforce's help: "OAuth 2.0 Client Credentials Flow for Server-to-Server Integration",
"JWT-Based Access Tokens".
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from providers import minting
from providers.access import Secret
from providers.cleaning import decode
from providers.errors import Forbidden, InvalidRequest, ProtocolError
from providers.tokens import Token
from providers.transport import Transport
from providers.types import Json

VENDOR = "Salesforce"
API = "https://api.salesforce.com"
# Where a token may be sent, beside the host that gave it: the vendor's own domains.
DOMAINS = ("salesforce.com", "salesforce.mil")
GENERIC_LOGINS = frozenset({"login.salesforce.com", "test.salesforce.com"})
# The documentation names no life; half an hour is what an org has when nobody changed it.
USUAL_LIFE = 1800.0
_ORGANISATION = re.compile(r"/id/(00D[A-Za-z0-9]{12,15})/")
_OPAQUE = re.compile(r"00D[A-Za-z0-9]{12,15}!")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is asked for with: the org's My Domain, the app's consumer key and secret."""

    my_domain: str
    client_id: str
    secret: Secret


async def mint(grant: Grant, through: Callable[[], Transport]) -> Token:
    """A new token; its facts are `api`, the address of the API, and `organisation`, the org's id.

    Raises ProviderError.
    """
    if not grant.client_id:
        raise InvalidRequest("The consumer key of the Salesforce app is missing.", sent=False)
    base = grant.my_domain.rstrip("/")
    minting.must_be_safe(base)
    if minting.host_of(base) in GENERIC_LOGINS:
        raise InvalidRequest(
            "Salesforce gives tokens only at the org's own address: enter its My Domain, such as"
            " https://acme.my.salesforce.com.",
            sent=False,
        )
    answer = await minting.client_credentials(
        VENDOR,
        f"{base}/services/oauth2/token",
        client_id=grant.client_id,
        secret=grant.secret,
        through=through,
    )
    secret = minting.token(VENDOR, answer, "access_token")
    claims = _claims(secret)
    return Token(
        secret=secret,
        expires_in=minting.seconds(answer.get("expires_in")) or _life(claims) or USUAL_LIFE,
        facts={"api": _api(answer, base), "organisation": _organisation(answer)},
    )


def _claims(secret: Secret) -> Json:
    """The payload of the JWT, read for its times only. Raises Forbidden for a token that is no JWT."""
    text = secret.reveal()
    if text.count(".") != 2 or _OPAQUE.match(text):
        raise Forbidden(
            "Salesforce gave an opaque token, which the Models API does not take. An admin of the org has to"
            ' switch on "Issue JSON Web Token (JWT)-based access tokens" in the settings of the app.',
            sent=False,
        )
    payload = text.split(".")[1]
    try:
        claims, _ = decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        claims = None
    return claims if isinstance(claims, dict) else {}


def _life(claims: Json) -> float | None:
    """From the claims alone, so that no clock but the vendor's is in it."""
    issued, ends = minting.number(claims.get("iat")), minting.number(claims.get("exp"))
    return minting.seconds(ends - issued) if issued is not None and ends is not None else None


def _api(answer: Json, base: str) -> str:
    """Where the models are. Raises ProtocolError for an address that is none of the vendor's."""
    api = answer.get("api_instance_url")
    if api is None or api == "":
        return API
    host = minting.host_of(api) if isinstance(api, str) else ""
    ours = host and host == minting.host_of(base)
    if (
        not isinstance(api, str)
        or not minting.is_safe(api)
        or not (ours or any(minting.is_below(host, domain) for domain in DOMAINS))
    ):
        raise ProtocolError("Salesforce named an address for its models that is not its own.", sent=False)
    return api.rstrip("/")


def _organisation(answer: Json) -> str:
    identity = answer.get("id")
    found = _ORGANISATION.search(identity) if isinstance(identity, str) else None
    return found.group(1) if found is not None else ""
