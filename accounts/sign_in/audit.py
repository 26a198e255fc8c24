"""What the audit log hears of signing in and out; Django and allauth tell it by signals (accounts.apps)."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from django.db import transaction
from django.http import HttpRequest

from accounts import client
from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import User
from accounts.names import clean_email
from accounts.sign_in import limits, policy, sessions

FAILED_TIMES, FAILED_SECONDS = 20, 60 * 60  # failures of one address that are written down
FAILED_IN_ALL = 1_000  # in the same time, of all addresses
WAYS = {
    "password": "password",
    "code": "code by mail",
    "totp": "authenticator app",
    "recovery_codes": "recovery code",
    "webauthn": "passkey",
}


def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    """The session, its event, and the person's day for a second factor, in one transaction."""
    with transaction.atomic():
        sessions.begin(request, user)
        policy.apply(User.objects.filter(pk=user.pk))
        if client.request.get() is not None:  # a session that a program makes is nobody's sign-in
            audit.record(Verb.SIGNED_IN, actor=user, via=_way(request, user), kind="person", id=user.pk)


def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    with transaction.atomic():
        sessions.ended(request)
        if user is not None and client.request.get() is not None:
            audit.record(Verb.SIGNED_OUT, actor=user, kind="person", id=user.pk)


def password_refused(credentials: dict[str, Any], **_: Any) -> None:
    """One lookup and one event for every address, so that known and unknown ones take the same time."""
    email = clean_email(str(credentials.get("email") or ""))
    failed(User.objects.filter(email=email).first(), via="password")


def mailed_code_refused(user: User, **_: Any) -> None:
    failed(user, via="code by mail")


def email_changed(user: User, from_email_address: Any, to_email_address: Any, **_: Any) -> None:
    """Runs in the transaction of the change (AccountAdapter.confirm_email)."""
    before = from_email_address.email if from_email_address is not None else ""
    audit.record(
        Verb.EMAIL_CHANGED,
        actor=user,
        kind="person",
        id=user.pk,
        before={"email": before},
        after={"email": to_email_address.email},
    )


def failed(person: User | None, *, via: str) -> None:
    """Of an unknown person nothing is kept of what they typed. Of many failures from one address only the
    first are written down.
    """
    where = client.address()
    if not (
        limits.within("failure-noted", where, times=FAILED_TIMES, seconds=FAILED_SECONDS)
        and limits.within("failure-noted", "everyone", times=FAILED_IN_ALL, seconds=FAILED_SECONDS)
    ):
        return
    with transaction.atomic():
        known = {"kind": "person", "id": person.pk} if person is not None else {"kind": "sign-in", "id": None}
        audit.record(Verb.SIGN_IN_FAILED, actor=None, via=via, **known)


def _way(request: HttpRequest, person: User) -> str:
    """Such as "password, authenticator app"."""
    ways = []
    for record in get_authentication_records(request, person):
        method = str(record.get("name") or record["method"])  # of single sign-on, the provider's name
        way = WAYS.get(str(record.get("type") or record["method"]), method)
        if way not in ways:
            ways.append(way)
    return ", ".join(ways)[:40]
