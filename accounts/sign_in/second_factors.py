"""Second factors of a person: an authenticator app, passkeys, recovery codes. Queries, and writes.

The rows are allauth's (allauth.mfa). Passkeys stand there as allauth writes them; the secrets of the others
are sealed (accounts.sign_in.second_factor_seals), and checked here: a code counts once, also where two
requests bring it at the same time.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts import letters
from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import User
from accounts.names import clean_name
from accounts.sealing.sealing import SealBroken
from accounts.sign_in import policy, sessions, totp
from accounts.sign_in.second_factor_seals import FIELD, sealed, secret_of
from providers.access import Secret

RECOVERY_CODES = 10
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # without the characters that are mistaken for each other
PASSKEYS = 20  # most of one person
CHANGED = "accounts/email/second_factor"
WORDS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery codes",
}
Type = Authenticator.Type


class FactorNeeded(Exception):
    """The last second factor of a person whose role needs one."""


class TooMany(Exception):
    """The person has as many as a person may have."""


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person has. `codes_left` is None where recovery codes were never made. Of what is in `broken`
    (allauth's types) it was found that it opens no more.
    """

    totp: Authenticator | None
    passkeys: list[Authenticator]
    codes_left: int | None
    broken: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        return self.totp is not None or bool(self.passkeys)


def of(person: User) -> Factors:
    """One query."""
    rows = list(Authenticator.objects.filter(user=person).order_by("pk"))
    codes = next((row for row in rows if row.type == Type.RECOVERY_CODES), None)
    return Factors(
        totp=next((row for row in rows if row.type == Type.TOTP), None),
        passkeys=[row for row in rows if row.type == Type.WEBAUTHN],
        codes_left=None if codes is None else int(codes.data.get("left", 0)),
        broken=frozenset(str(row.type) for row in rows if row.data.get("broken")),
    )


def add_totp(*, person: User, secret: Secret, step: int) -> list[str]:
    """Stores the secret of an app whose code of this step was right; an earlier app goes. Returns recovery
    codes where these are the person's first.
    """
    data = {FIELD: sealed(secret, kind=Type.TOTP, owner=person.pk), "step": step}
    with transaction.atomic():
        _lock(person)
        Authenticator.objects.filter(user=person, type=Type.TOTP).delete()
        row = Authenticator.objects.create(user=person, type=Type.TOTP, data=data)
        return _added(person, row)


def add_passkey(*, person: User, name: str, credential: dict[str, Any]) -> list[str]:
    """Stores what the browser made, checked. Returns recovery codes where these are the person's first."""
    with transaction.atomic():
        _lock(person)
        if Authenticator.objects.filter(user=person, type=Type.WEBAUTHN).count() >= PASSKEYS:
            raise TooMany
        data = {"name": clean_name(name) or "Passkey", "credential": credential}
        return _added(person, Authenticator.objects.create(user=person, type=Type.WEBAUTHN, data=data))


def rename_passkey(*, passkey: Authenticator, name: str) -> None:
    passkey.data["name"] = clean_name(name) or passkey.data["name"]
    passkey.save(update_fields=["data"])


def remove(*, person: User, factor: Authenticator) -> None:
    """With the last one its recovery codes go too. Raises FactorNeeded."""
    with transaction.atomic():
        _lock(person)
        others = policy.second_factors_of(person).exclude(pk=factor.pk)
        last = not others.exists()
        if last and policy.needs(person):
            raise FactorNeeded
        pk, words = factor.pk, WORDS[factor.type]
        if not Authenticator.objects.filter(pk=pk, user=person).delete()[0]:
            return
        if last:
            Authenticator.objects.filter(user=person).delete()
        _record(Verb.MFA_REMOVED, person, before={"factor": words})
        policy.apply(User.objects.filter(pk=person.pk))
        letters.tell(CHANGED, person.email, what=f"Your {words} was removed.")


def reset(*, person: User, by: User | None, via: str = "") -> int:
    """Takes all of them away, for somebody who has lost them; returns how many. Signs the person out."""
    with transaction.atomic():
        _lock(person)
        gone = [WORDS[row.type] for row in Authenticator.objects.filter(user=person).order_by("pk")]
        Authenticator.objects.filter(user=person).delete()
        if gone:
            audit.record(
                Verb.MFA_REMOVED, actor=by, via=via, kind="person", id=person.pk, before={"factors": gone}
            )
            sessions.end_all(person=person, by=by, via=via)
            letters.tell(CHANGED, person.email, what="All your second factors were removed by an admin.")
        policy.apply(User.objects.filter(pk=person.pk))
    return len(gone)


def make_recovery_codes(*, person: User) -> list[str]:
    """New ones; those before are no longer good."""
    with transaction.atomic():
        _lock(person)
        codes = _make_codes(person)
        letters.tell(CHANGED, person.email, what="New recovery codes were made. The old ones do not work.")
    return codes


def use_code(*, person: User, code: str) -> Authenticator | None:
    """The app or the recovery codes that this code is of; it is used up by that. None where it fits neither.

    One that can no longer be opened fits nothing, and is noted.
    """
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user=person).exclude(type=Type.WEBAUTHN)
        for row in sorted(rows, key=lambda row: row.type != Type.TOTP):
            try:
                if _use_totp(row, code) if row.type == Type.TOTP else _use_recovery(person, row, code):
                    return row
            except SealBroken:
                _note_broken(person, row)
    return None


def _note_broken(person: User, row: Authenticator) -> None:
    """Once: for the log, and for the person's Security page, which says what to do."""
    if not row.data.get("broken"):
        row.data["broken"] = True
        row.save(update_fields=["data"])
        audit.record(
            Verb.MFA_UNREADABLE,
            actor=None,
            via="seal",
            kind="person",
            id=person.pk,
            after={"factor": WORDS[row.type]},
        )


def _use_totp(row: Authenticator, code: str) -> bool:
    step = totp.fitting_step(secret_of(row), code, now=time.time(), after=int(row.data.get("step", 0)))
    if step is None:
        return False
    row.data["step"] = step
    row.save(update_fields=["data"])
    return True


def _use_recovery(person: User, row: Authenticator, code: str) -> bool:
    codes: list[str] = json.loads(secret_of(row).reveal())
    fitting = next((one for one in codes if compare_user_code(actual=code, expected=one)), None)
    if fitting is None:
        return False
    codes.remove(fitting)
    _store_codes(row, codes)
    _record(Verb.RECOVERY_CODE_USED, person, after={"left": len(codes)})
    letters.tell(CHANGED, person.email, what=f"A recovery code was used. {len(codes)} are left.")
    return True


def _make_codes(person: User) -> list[str]:
    codes = [f"{_group()}-{_group()}" for _ in range(RECOVERY_CODES)]
    Authenticator.objects.filter(user=person, type=Type.RECOVERY_CODES).delete()
    _store_codes(Authenticator(user=person, type=Type.RECOVERY_CODES, data={}), codes)
    _record(Verb.RECOVERY_CODES_MADE, person, after={"codes": len(codes)})
    return codes


def _store_codes(row: Authenticator, codes: list[str]) -> None:
    text = sealed(Secret(json.dumps(codes)), kind=Type.RECOVERY_CODES, owner=row.user_id)
    row.data = {FIELD: text, "left": len(codes)}
    row.save()


def _added(person: User, row: Authenticator) -> list[str]:
    _record(Verb.MFA_ADDED, person, after={"factor": WORDS[row.type]})
    policy.apply(User.objects.filter(pk=person.pk))
    letters.tell(CHANGED, person.email, what=f"A new {WORDS[row.type]} was added.")
    has_codes = Authenticator.objects.filter(user=person, type=Type.RECOVERY_CODES).exists()
    return [] if has_codes else _make_codes(person)


def _lock(person: User) -> None:
    """One change of a person's factors at a time."""
    User.objects.select_for_update().get(pk=person.pk)


def _record(verb: Verb, person: User, **sides: Any) -> None:
    audit.record(verb, actor=person, kind="person", id=person.pk, **sides)


def _group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(4))
