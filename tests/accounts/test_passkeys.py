"""What a passkey's answer may be that no browser of ours has sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.sign_in import second_factors

from .signing_in import by_password, is_signed_in, with_app, with_passkey

OPTIONS, SIGN_IN = "/login/passkey/options/", "/login/passkey/"
HANDLE = "bm9ib2R5"

pytestmark = pytest.mark.django_db


def credential(**more: Any) -> dict[str, Any]:
    response = {
        "clientDataJSON": "e30",
        "authenticatorData": "AA",
        "signature": "AA",
        "userHandle": HANDLE,
        **more,
    }
    return {"id": "AA", "rawId": "AA", "type": "public-key", "response": response}


NONSENSE = [
    "",
    "null",
    "[]",
    "1",
    '"text"',
    "{}",
    "{",
    "[" * 5000,
    '{"a":' * 5000,
    "x" * 100_000,
    json.dumps({"response": None}),
    json.dumps(credential()),
    json.dumps(credential(userHandle=None)),
    json.dumps(credential(userHandle=[1])),
    json.dumps(credential(userHandle="\x00")),
    json.dumps(credential(userHandle="é")),
    json.dumps(credential(clientDataJSON="!!")),
    json.dumps(credential(authenticatorData="A" * 400)),
]


@pytest.mark.parametrize("sent", NONSENSE, ids=lambda text: text[:40] or "empty")
def test_nonsense_is_refused(client: Client, owner: User, sent: str) -> None:
    options = client.post(OPTIONS).json()
    assert options["publicKey"]["userVerification"] == "required"
    assert client.post(SIGN_IN, {"credential": sent}).headers["Location"] == "/login/"
    assert not is_signed_in(client)


def test_the_options_say_nothing_about_anybody(client: Client, owner: User) -> None:
    with_passkey(owner)
    options = client.post(OPTIONS).json()["publicKey"]
    assert not options.get("allowCredentials")
    assert options["rpId"] == "testserver"
    assert client.get(OPTIONS).status_code == 405
    assert client.get(SIGN_IN).status_code == 405


def test_without_a_question_there_is_no_answer(client: Client, owner: User) -> None:
    handle = "".join(f"{byte:02x}" for byte in owner.pk.bytes)
    sent = {"credential": json.dumps(credential(userHandle=handle))}
    assert client.post(SIGN_IN, sent).headers["Location"] == "/login/"
    assert AuditEvent.objects.filter(verb="signin.failed", via="passkey").count() == 1


def test_nonsense_as_a_second_step_or_a_new_passkey_is_refused(member: User) -> None:
    add = "/settings/security/passkeys/add/"
    adding = by_password(member)
    with_app(member)
    client = by_password(member)
    for sent in NONSENSE[1:]:
        assert client.get("/login/second-step/").status_code == 200
        assert client.post("/login/second-step/", {"credential": sent}).status_code == 200
        assert adding.get(add).status_code == 200
        assert adding.post(add, {"name": "x", "credential": sent}).status_code == 200
    assert not is_signed_in(client)
    assert second_factors.of(member).passkeys == []
