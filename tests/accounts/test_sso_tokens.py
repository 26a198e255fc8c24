"""ID tokens: which signatures count, and what a signed token has to say."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, OKPKey, RSAKey

from accounts.models import User
from tests.openid import CLIENT_ID, KEY, OTHER_KEY, OpenIDProvider, unsigned

from .signing_in import is_signed_in
from .signing_on import made, open_to, sign_on, turned_away

pytestmark = [pytest.mark.django_db, pytest.mark.services]
Claims = dict[str, Any]


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "EdDSA"])
@pytest.mark.parametrize("names_its_key", [True, False])
def test_every_signature_by_a_published_key_is_checked(
    owner: User, idp: OpenIDProvider, algorithm: str, names_its_key: bool
) -> None:
    open_to(by=owner)
    made_by: dict[str, Any] = {
        "RS256": OTHER_KEY,
        "PS384": RSAKey.generate_key(2048, {"kid": "ps"}),
        "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
        "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    }
    idp.published = [KEY, *made_by.values()]
    key = made_by[algorithm]
    headers = {"kid": key.kid} if names_its_key else None
    idp.forge = lambda claims: jwt.encode(claims, key.as_pem(private=True), algorithm, headers=headers)
    assert is_signed_in(sign_on(idp, made(idp)).browser)


def test_a_key_that_was_rotated_is_found(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    sign_on(idp, provider)
    idp.key, idp.published = OTHER_KEY, [OTHER_KEY]
    assert is_signed_in(sign_on(idp, provider).browser)


def other_nonce(claims: Claims) -> None:
    claims["nonce"] = "of-another-sign-in"


def no_nonce(claims: Claims) -> None:
    del claims["nonce"]


def other_audience(claims: Claims) -> None:
    claims["aud"] = "another-client"


def other_party(claims: Claims) -> None:
    claims["azp"] = "another-client"


def two_audiences(claims: Claims) -> None:
    claims["aud"] = [CLIENT_ID, "another-client"]


def other_issuer(claims: Claims) -> None:
    claims["iss"] = "https://evil.example"


def expired(claims: Claims) -> None:
    claims["exp"] = claims["iat"] - 120


def endless(claims: Claims) -> None:
    del claims["exp"]


def nobody(claims: Claims) -> None:
    claims["sub"] = ""


@pytest.mark.parametrize(
    ("twist", "why"),
    [
        (other_nonce, "it answers another sign-in"),
        (no_nonce, "it answers another sign-in"),
        (other_audience, "it was made for another client"),
        (other_party, "it was made for another client"),
        (two_audiences, "it was made for another client"),
        (other_issuer, "it is of another issuer"),
        (expired, "it has expired"),
        (endless, "it lacks exp"),
        (nobody, "it does not say who came"),
    ],
)
def test_a_signed_token_that_was_not_said_to_us_now_is_refused(
    owner: User,
    idp: OpenIDProvider,
    caplog: pytest.LogCaptureFixture,
    twist: Callable[[Claims], None],
    why: str,
) -> None:
    open_to(by=owner)
    idp.twist = twist
    assert "not in a way that can be trusted" in turned_away(sign_on(idp, made(idp)))
    assert f"ID token: {why}" in caplog.text


def not_signed(claims: Claims) -> str:
    return unsigned(claims)


def signed_with_the_public_key(claims: Claims) -> str:
    """As HMAC's secret, which anybody has."""
    pem = KEY.as_pem(private=False)
    header = unsigned(claims, alg="HS256").rpartition(".")[0]
    return (
        f"{header}.{jwt.utils.base64url_encode(hmac.digest(pem, header.encode(), hashlib.sha256)).decode()}"
    )


def signed_by_somebody_else(claims: Claims) -> str:
    """With a key of the same name."""
    return jwt.encode(claims, OTHER_KEY.as_pem(private=True), algorithm="RS256", headers={"kid": "first"})


def key_in_the_header(claims: Claims) -> str:
    """Which the token brings along itself."""
    key = serialization.load_pem_private_key(OTHER_KEY.as_pem(private=True), None)
    headers = {"kid": "mine", "jwk": OTHER_KEY.as_dict(private=False)}
    return jwt.encode(claims, key, algorithm="RS256", headers=headers)  # type: ignore[arg-type]


def no_token(claims: Claims) -> str:
    return "not.a.token"


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (not_signed, "it is not signed in a way that can be checked"),
        (signed_with_the_public_key, "it is not signed in a way that can be checked"),
        (signed_by_somebody_else, "its signature is wrong"),
        (key_in_the_header, "it is signed by a key that the provider does not name"),
        (no_token, "it cannot be read"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(
    owner: User,
    idp: OpenIDProvider,
    caplog: pytest.LogCaptureFixture,
    forge: Callable[[Claims], str],
    why: str,
) -> None:
    open_to(by=owner)
    idp.forge = forge
    turned_away(sign_on(idp, made(idp)))
    assert f"ID token: {why}" in caplog.text
