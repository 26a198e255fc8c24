"""The secrets of second factors as allauth's table holds them: sealed, in the JSON column of their row.

Each is bound to its table, column, kind and owner. A person has at most one row of each of these kinds, so
that these name the row.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.models import DataKey
from accounts.sealing.sealing import HEADER_BYTES, SealBroken, SealingError, open_sealed, seal
from providers.access import Secret

PLACE = "mfa_authenticator.data"
FIELD = "sealed"
KINDS = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)


def sealed(secret: Secret, *, kind: str, owner: UUID) -> str:
    return b64encode(seal(secret.reveal(), _context(kind, owner))).decode()


def opened(text: str, *, kind: str, owner: UUID) -> Secret:
    """Raises SealBroken for what was sealed for another kind or owner, or was changed."""
    return Secret(open_sealed(_bytes(text), _context(kind, owner)))


def secret_of(row: Authenticator) -> Secret:
    """Raises SealBroken."""
    return opened(str(row.data.get(FIELD, "")), kind=row.type, owner=row.user_id)


def reseal(most: int) -> int:
    """accounts.sealing.places.SealedPlace."""
    active = DataKey.objects.filter(state=DataKey.State.ACTIVE).values_list("pk", flat=True).first()
    done = 0
    for pk, data in _rows():
        if done >= most:
            break
        if active is not None and _key(data) != active:
            done += _reseal(pk)
    return done


def under(number: int) -> int:
    """accounts.sealing.places.SealedPlace."""
    return sum(_key(data) == number for _, data in _rows())


def _reseal(pk: int) -> bool:
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().filter(pk=pk).first()
        if row is None:
            return False
        try:
            row.data[FIELD] = sealed(secret_of(row), kind=row.type, owner=row.user_id)
        except SealingError:
            return False
        row.save(update_fields=["data"])
    return True


def _rows() -> list[tuple[int, dict[str, object]]]:
    return list(Authenticator.objects.filter(type__in=KINDS).values_list("pk", "data"))


def _key(data: dict[str, object]) -> int | None:
    """The number of the data key that a value stands under."""
    try:
        return int.from_bytes(_bytes(str(data.get(FIELD, "")))[1:HEADER_BYTES])
    except SealBroken:
        return None


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise SealBroken from None


def _context(kind: str, owner: UUID) -> bytes:
    return json.dumps(["parley", 1, "mfa_authenticator", "data", str(kind), str(owner)]).encode()
