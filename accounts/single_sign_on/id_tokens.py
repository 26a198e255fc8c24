"""ID tokens: what an OpenID provider signed, and that it was said to us, now.

The rules are those of OpenID Connect Core 1.0, section 3.1.3.7.

Only signatures by a private key count: no `none`, and none by a shared secret, which a public key could be
taken for.
"""

from __future__ import annotations

import hmac
from typing import Any

import jwt

from .refusals import Faulty

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
LEEWAY = 60  # seconds that clocks may differ
MOST_KEYS = 50
TOKEN_LENGTH = 100_000
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
WHAT = "ID token"


def checked(token: object, keys: object, *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of a token that holds. `keys` is the provider's JSON Web Key Set. Raises Faulty."""
    if not isinstance(token, str) or not token or len(token) > TOKEN_LENGTH:
        raise Faulty(f"{WHAT}: there is none.")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Faulty(f"{WHAT}: it cannot be read.") from None
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise Faulty(f"{WHAT}: it is not signed in a way that can be checked.")
    claims = _opened(token, _fitting(keys, header), str(algorithm), issuer, client_id)
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    authorized = claims.get("azp")
    if authorized not in (None, client_id) or (len(audiences) > 1 and authorized is None):
        raise Faulty(f"{WHAT}: it was made for another client.")
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise Faulty(f"{WHAT}: it answers another sign-in.")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise Faulty(f"{WHAT}: it does not say who came.")
    return claims


def _fitting(keys: object, header: dict[str, Any]) -> list[jwt.PyJWK]:
    """The keys that may have signed it: that of its key id, or every one of its kind where it names none."""
    rows = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(rows, list):
        raise Faulty("Keys: they cannot be read.")
    found = []
    for row in rows[:MOST_KEYS]:
        if not isinstance(row, dict) or row.get("use", "sig") != "sig" or row.get("kty") == "oct":
            continue
        if header.get("kid") not in (None, row.get("kid")) or row.get("alg", header["alg"]) != header["alg"]:
            continue
        try:
            found.append(jwt.PyJWK(row, algorithm=header["alg"]))
        except jwt.PyJWTError:
            continue  # a key of another kind
    if not found:
        raise Faulty(f"{WHAT}: it is signed by a key that the provider does not name.")
    return found


def _opened(token: str, keys: list[jwt.PyJWK], algorithm: str, issuer: str, client_id: str) -> dict[str, Any]:
    for key in keys:
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=client_id,
                issuer=issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            raise Faulty(f"{WHAT}: {_reason(error)}.") from None
        return found
    raise Faulty(f"{WHAT}: its signature is wrong.")


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet; look at the clocks of both servers"
        case jwt.InvalidAudienceError():
            return "it was made for another client"
        case jwt.InvalidIssuerError():
            return "it is of another issuer"
        case jwt.MissingRequiredClaimError():
            return f"it lacks {error.claim}"
        case _:
            return "it cannot be read"
