"""Sealed columns: AES-256-GCM under a data key, which is wrapped by a master key of the installation.

    value   = version byte | data-key id (4 bytes, big-endian) | nonce (12) | ciphertext and tag
    wrapped = version byte | nonce (12) | ciphertext and tag of the 32-byte data key

The authenticated data of a value names its table, column, row and owner, so that a value copied anywhere else
does not open. The master keys come from `settings.MASTER_KEYS`: the first wraps, all of them unwrap. Random
nonces are safe for 2**32 values per data key (NIST SP 800-38D, section 8.3).

    SealingError
    ├── SealBroken     one value does not open: its row, column or owner changed, or its bytes did
    └── KeysMissing    a data key is wrapped by a master key that was not given
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, models, transaction
from django.db.models.query_utils import DeferredAttribute

from accounts.models.data_key import DataKey
from providers.access import Secret

VERSION = 1
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = 1 + 4

if TYPE_CHECKING:
    _Binary = models.Field[Secret | None, Secret | None]
else:
    _Binary = models.BinaryField

log = logging.getLogger(__name__)
_unwrapped: dict[int, tuple[bytes, AESGCM]] = {}


class SealingError(Exception):
    """Something sealed stays closed. The text is safe to show and says what to do."""


class SealBroken(SealingError):
    """One value does not open. Nothing of it is ever given out; it has to be entered again."""

    def __init__(self) -> None:
        super().__init__("This stored key can no longer be opened. Enter the key again.")


class KeysMissing(SealingError, ImproperlyConfigured):
    """Data keys exist that none of the given master keys unwraps."""


class SealedAttribute(DeferredAttribute):
    """Opens the column when it is read; keeps what was assigned until the row is saved."""

    field: SealedField

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or value is None or isinstance(value, Secret):
            return value
        return Secret(open_sealed(bytes(value), self.field.context(instance)))

    def __set__(self, instance: models.Model, value: Secret | bytes | memoryview | None) -> None:
        """A Secret or None from our code; bytes only when the database gives the row."""
        if not isinstance(value, Secret | bytes | memoryview | None):
            raise TypeError(f"{self.field.name} takes a Secret, not {type(value).__name__}.")
        instance.__dict__[self.field.attname] = value


class SealedField(_Binary):
    """A text that is stored sealed and read as a Secret.

    The model has a method `sealed_to() -> str` that names the owner, and its primary key is known before the
    first save. Assign a Secret and save; `QuerySet.update` cannot seal and is refused. Reading raises
    SealBroken.
    """

    descriptor_class = SealedAttribute
    _pyi_private_set_type: Secret | None  # read by the type checker alone
    _pyi_private_get_type: Secret | None

    def context(self, instance: models.Model) -> bytes:
        """What a value of this row is bound to."""
        parts = [instance._meta.db_table, self.column, str(instance.pk), instance.sealed_to()]  # type: ignore[attr-defined]
        return json.dumps(["parley", VERSION, *parts]).encode()

    def pre_save(self, model_instance: models.Model, add: bool) -> bytes | None:
        value: Secret | bytes | memoryview | None = model_instance.__dict__.get(self.attname)
        if isinstance(value, Secret):
            value = seal(value.reveal(), self.context(model_instance))
            model_instance.__dict__[self.attname] = value
        return None if value is None else bytes(value)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Secret):
            raise TypeError(f"{self.name} is sealed when its row is saved, not by update() or in a filter.")
        return super().get_prep_value(value)

    def value_from_object(self, obj: models.Model) -> Any:
        """The sealed bytes: what a dump of the database holds."""
        value = obj.__dict__.get(self.attname)
        return None if value is None or isinstance(value, Secret) else bytes(value)


def seal(text: str, context: bytes) -> bytes:
    """The sealed form of a text, bound to the context. Makes the first data key when there is none yet."""
    number, cipher = _sealing_key()
    nonce = secrets.token_bytes(NONCE_BYTES)
    header = bytes([VERSION]) + number.to_bytes(4)
    return header + nonce + cipher.encrypt(nonce, text.encode(), header + context)


def open_sealed(value: bytes, context: bytes) -> str:
    """The text again. Raises SealBroken when anything at all differs from the time of sealing."""
    header, nonce, body = (
        value[:HEADER_BYTES],
        value[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES],
        value[HEADER_BYTES + NONCE_BYTES :],
    )
    if len(body) < TAG_BYTES or header[0] != VERSION:
        log.warning("A sealed value has an unknown form: %s", context.decode())
        raise SealBroken
    try:
        return _opening_key(int.from_bytes(header[1:])).decrypt(nonce, body, header + context).decode()
    except (InvalidTag, KeysMissing, DataKey.DoesNotExist):
        log.warning("A sealed value does not open: %s", context.decode())
        raise SealBroken from None


def check_keys(*, shared: bool = False) -> None:
    """For a server's start: raises KeysMissing when a stored data key does not unwrap.

    With `shared`, a database that other servers may use gets its first data key now: from then on it refuses
    those that were given other master keys, before they seal, sign or open anything.
    """
    if shared:
        _sealing_key()
    for row in DataKey.objects.all():
        unwrap(row)


def key_of(value: bytes) -> int:
    """The number of the data key that a sealed value stands under; 0 for what is too short to name one."""
    return int.from_bytes(value[1:HEADER_BYTES]) if len(value) >= HEADER_BYTES else 0


def active_key() -> int:
    """The number of the data key that seals now."""
    return _sealing_key()[0]


def new_data_key() -> DataKey:
    """A data key, wrapped by the first master key and not stored yet."""
    number, master, key = 1 + secrets.randbelow(2**31 - 1), settings.MASTER_KEYS[0], AESGCM.generate_key(256)
    row = DataKey(id=number, wrapped=wrap(key, number, master), master_key=master_key_name(master))
    if unwrap(row) != key:  # what cannot be unwrapped again must not seal anything
        raise SealBroken
    return row


def wrap(key: bytes, number: int, master: bytes) -> bytes:
    """A data key as its row holds it, wrapped by this master key."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return bytes([VERSION]) + nonce + AESGCM(_wrapping_key(master)).encrypt(nonce, key, _wrap_context(number))


def unwrap(row: DataKey) -> bytes:
    """The data key itself. Raises KeysMissing when none of the given master keys unwraps it."""
    wrapped = bytes(row.wrapped)
    master = next((key for key in settings.MASTER_KEYS if master_key_name(key) == row.master_key), None)
    if master is not None and wrapped[:1] == bytes([VERSION]):
        nonce, body = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
        try:
            return AESGCM(_wrapping_key(master)).decrypt(nonce, body, _wrap_context(row.id))
        except InvalidTag:
            pass  # answered below, as for a key that was not given
    raise KeysMissing(
        "The stored keys were sealed under a master key that this server was not given. Put the old key "
        "back: the file master.key in the data folder, or its text behind the new one in PARLEY_SECRET_KEYS."
    )


def forget_keys() -> None:
    """Forgets unwrapped keys, for when the master keys or the database were changed."""
    _unwrapped.clear()


def _sealing_key() -> tuple[int, AESGCM]:
    """The active data key, read each time: one whose transaction was rolled back must not seal."""
    row = DataKey.objects.filter(state=DataKey.State.ACTIVE).first() or _make_data_key()
    known = _unwrapped.get(row.id)
    if known is None or known[0] != bytes(row.wrapped):
        known = _unwrapped[row.id] = (bytes(row.wrapped), AESGCM(unwrap(row)))
    return row.id, known[1]


def _opening_key(number: int) -> AESGCM:
    if number not in _unwrapped:
        row = DataKey.objects.get(pk=number)
        _unwrapped[number] = (bytes(row.wrapped), AESGCM(unwrap(row)))
    return _unwrapped[number][1]


def _make_data_key() -> DataKey:
    row = new_data_key()
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # another process was first
        return DataKey.objects.get(state=DataKey.State.ACTIVE)
    return row


def master_key_name(master: bytes) -> str:
    """A name by which a master key is known in the database; it says nothing about the key."""
    return hmac.new(master, b"name of this key", hashlib.sha256).hexdigest()[:16]


def _wrapping_key(master: bytes) -> bytes:
    return hmac.new(master, b"wraps data keys", hashlib.sha256).digest()


def _wrap_context(number: int) -> bytes:
    return json.dumps(["parley data key", VERSION, number]).encode()
