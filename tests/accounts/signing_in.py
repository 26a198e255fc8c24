"""People with second factors, for the tests of signing in."""

from __future__ import annotations

import re
import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.sign_in import second_factors, totp
from providers.access import Secret

from .conftest import PASSWORD


def code_of(secret: Secret, *, steps: int = 0) -> str:
    """What the app shows now, or so many steps later."""
    return format_hotp_value(hotp_value(secret.reveal(), int(time.time()) // totp.STEP_SECONDS + steps))


def with_app(person: User) -> tuple[Secret, list[str]]:
    """Gives the person an authenticator app; returns its secret and the recovery codes."""
    secret = totp.new_secret()
    return secret, second_factors.add_totp(person=person, secret=secret, step=0)


def with_passkey(person: User) -> Authenticator:
    """A row as a passkey's, which no browser has: it counts, and nobody can sign in with it."""
    return Authenticator.objects.create(
        user=person, type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": {}}
    )


def by_password(person: User, client: Client | None = None, **more: str) -> Client:
    """The form with the right password, and wherever it leads."""
    client = client or Client()
    client.post("/login/", {"login": person.email, "password": PASSWORD, **more})
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/settings/security/").status_code == 200


def second_step(client: Client, code: str) -> tuple[int, str]:
    answer = client.post("/login/second-step/", {"code": code})
    return answer.status_code, answer.headers.get("Location", "") or answer.content.decode()


def verbs(person: User | None = None) -> list[str]:
    """What the log says was done, to this person, or in all; the oldest first."""
    found = AuditEvent.objects.order_by("number")
    if person is not None:
        found = found.filter(object=str(person.pk))
    return list(found.values_list("verb", flat=True))


def codes_in(page: str) -> list[str]:
    return re.findall(r"<li>([0-9a-z]{4}-[0-9a-z]{4})</li>", page)
