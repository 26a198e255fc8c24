"""Sealed secrets: what was moved, changed or cut never opens."""

from __future__ import annotations

import logging
import pickle
import secrets
from typing import Any

import pytest
from django.db import transaction

from accounts.models import Credential, DataKey, Organisation, Team, User
from accounts.sealing.sealing import KeysMissing, SealBroken, check_keys, forget_keys, open_sealed, seal
from providers.access import Secret

KEY = "sk-ant-canary-sealed-4410"


def stored(**owner: Any) -> Credential:
    return Credential.objects.create(
        provider="anthropic", base_url="https://a.example", secret=Secret(KEY), **owner
    )


def raw(credential: Credential) -> bytes:
    return bytes(Credential.objects.filter(pk=credential.pk).values_list("secret", flat=True).get() or b"")


def put(credential: Credential, value: bytes) -> Credential:
    """The row with these bytes in its secret column, as somebody with the database file could write them."""
    Credential.objects.filter(pk=credential.pk).update(secret=value)
    return Credential.objects.get(pk=credential.pk)


def refused(credential: Credential) -> bool:
    with pytest.raises(SealBroken, match="Enter the key again"):
        _ = credential.secret
    return True


@pytest.fixture
def credential(owner: User) -> Credential:
    return stored(person=owner)


def test_a_secret_comes_back_as_it_went_in(credential: Credential) -> None:
    opened = Credential.objects.get().secret
    assert opened == Secret(KEY)
    assert KEY.encode() not in raw(credential)


def test_a_deferred_secret_opens_too(credential: Credential) -> None:
    assert Credential.objects.defer("secret").get().secret == Secret(KEY)
    assert Credential.objects.only("provider").get().secret == Secret(KEY)


def test_the_same_secret_sealed_twice_looks_different(owner: User, credential: Credential) -> None:
    assert raw(credential) != raw(stored(person=owner))


def test_saving_other_columns_leaves_the_sealed_bytes_alone(credential: Credential) -> None:
    before = raw(credential)
    row = Credential.objects.get()
    row.label = "mine"
    row.save()
    assert raw(credential) == before


def test_a_value_copied_to_another_row_does_not_open(owner: User, credential: Credential) -> None:
    assert refused(put(stored(person=owner), raw(credential)))


def test_a_value_whose_row_changed_its_owner_does_not_open(credential: Credential, stranger: User) -> None:
    Credential.objects.update(person=stranger)
    assert refused(Credential.objects.get())
    Credential.objects.update(person=None, organisation=Organisation.objects.get())
    assert refused(Credential.objects.get())
    Credential.objects.update(organisation=None, team=Team.objects.create(name="Harbour"))
    assert refused(Credential.objects.get())


def test_a_value_whose_row_changed_its_address_or_provider_does_not_open(credential: Credential) -> None:
    Credential.objects.update(base_url="https://evil.example")
    assert refused(Credential.objects.get())
    Credential.objects.update(base_url="https://a.example", provider="evil")
    assert refused(Credential.objects.get())


@pytest.mark.parametrize("table,column", [("accounts_other", "secret"), ("accounts_credential", "other")])
def test_a_value_of_another_table_or_column_does_not_open(db: None, table: str, column: str) -> None:
    sealed = seal(KEY, f"{table} {column} 1".encode())
    with pytest.raises(SealBroken):
        open_sealed(sealed, b"accounts_credential secret 1")


def test_no_flipped_bit_goes_unnoticed(credential: Credential) -> None:
    value = raw(credential)
    for place in range(len(value)):
        changed = bytearray(value)
        changed[place] ^= 1 << place % 8
        assert refused(put(credential, bytes(changed)))


def test_no_cut_goes_unnoticed(credential: Credential) -> None:
    value = raw(credential)
    assert all(refused(put(credential, value[:length])) for length in range(len(value)))
    assert refused(put(credential, value + b"\x00"))


def test_an_unknown_version_does_not_open(credential: Credential) -> None:
    assert refused(put(credential, b"\x02" + raw(credential)[1:]))


def test_a_value_without_its_data_key_does_not_open(credential: Credential) -> None:
    DataKey.objects.all().delete()
    forget_keys()
    assert refused(Credential.objects.get())


def test_a_retired_data_key_opens_and_the_new_one_seals(owner: User, credential: Credential) -> None:
    DataKey.objects.update(state="retired")
    assert raw(stored(person=owner))[1:5] != raw(credential)[1:5]
    assert Credential.objects.get(pk=credential.pk).secret == Secret(KEY)


def test_the_server_refuses_to_start_without_the_master_key(credential: Credential, settings: Any) -> None:
    check_keys()
    settings.MASTER_KEYS = [secrets.token_bytes(32)]
    forget_keys()
    with pytest.raises(KeysMissing, match="Put the old key back"):
        check_keys()
    assert refused(Credential.objects.get())


def test_a_wrapped_data_key_that_was_changed_stops_the_start(credential: Credential) -> None:
    row = DataKey.objects.get()
    for place in range(len(row.wrapped)):
        changed = bytearray(row.wrapped)
        changed[place] ^= 1
        DataKey.objects.update(wrapped=bytes(changed))
        with pytest.raises(KeysMissing):
            check_keys()


def test_a_new_master_key_before_the_old_one_opens_everything(credential: Credential, settings: Any) -> None:
    settings.MASTER_KEYS = [secrets.token_bytes(32), *settings.MASTER_KEYS]
    forget_keys()
    check_keys()
    assert Credential.objects.get().secret == Secret(KEY)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_a_data_key_whose_transaction_was_rolled_back_seals_nothing() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        seal(KEY, b"somewhere")
        raise RuntimeError
    sealed = seal(KEY, b"somewhere")
    forget_keys()
    assert open_sealed(sealed, b"somewhere") == KEY


def test_only_a_secret_can_be_assigned_and_only_by_saving(credential: Credential) -> None:
    with pytest.raises(TypeError, match="takes a Secret"):
        credential.secret = KEY  # type: ignore[assignment]
    with pytest.raises(TypeError, match="sealed when its row is saved"):
        Credential.objects.update(secret=Secret(KEY))


def test_an_unsaved_secret_cannot_leave_by_pickle_or_print(owner: User) -> None:
    fresh = Credential(person=owner, provider="anthropic", secret=Secret(KEY))
    assert KEY not in f"{fresh!r} {fresh} {fresh.__dict__}"
    with pytest.raises(TypeError):
        pickle.dumps(fresh)


def test_a_broken_seal_is_logged_without_the_value(
    credential: Credential, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert refused(put(credential, raw(credential)[:-1]))
    assert str(credential.pk) in caplog.text
    assert raw(credential).hex()[:16] not in caplog.text
