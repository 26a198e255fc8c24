"""Rotation of master and data keys: everything opens before, during and after, whatever happens meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.audit import chain as audit_chain
from accounts.keys import actions as key_actions
from accounts.models import AuditEvent, Credential, DataKey, LoginAttempt, Organisation, User
from accounts.sealing import places as sealed_places
from accounts.sealing import rotation, sealing
from accounts.sealing.sealing import KeysMissing
from providers.access import Secret

pytestmark = pytest.mark.services


def stored(text: str) -> Credential:
    return Credential.objects.create(
        organisation=Organisation.objects.get(),
        provider="anthropic",
        base_url="https://a",
        secret=Secret(text),
    )


def attempt(person: User) -> LoginAttempt:
    return LoginAttempt.objects.create(
        person=person,
        provider="anthropic",
        base_url="https://a",
        flow="code",
        secret=Secret("a-verifier"),
        expires_at=timezone.now() + timedelta(minutes=5),
    )


def rotate(*options: str) -> str:
    said = StringIO()
    call_command("rotate_keys", *options, stdout=said)
    sealing.forget_keys()
    return said.getvalue()


def under(credential: Credential) -> int:
    """The number of the data key that a stored value stands under."""
    value = Credential.objects.filter(pk=credential.pk).values_list("secret", flat=True).get()
    return int.from_bytes(bytes(value or b"")[1:5])


def active() -> int:
    return DataKey.objects.get(state="active").id


def retired_long_ago() -> None:
    DataKey.objects.filter(state="retired").update(retired_at=timezone.now() - timedelta(days=1))


@pytest.fixture
def new_master(settings: Any) -> Callable[[], None]:
    """Puts a new master key in front of those that are there."""

    def put() -> None:
        settings.MASTER_KEYS = [secrets.token_bytes(32), *settings.MASTER_KEYS]
        sealing.forget_keys()

    return put


def test_after_a_master_rotation_the_new_key_alone_opens_everything(
    owner: User, settings: Any, new_master: Callable[[], None]
) -> None:
    key, value = stored("sk-one"), under(stored("sk-two"))
    audit_chain.checkpoint()
    new_master()
    assert "Wrapped 1 data key" in rotate("--master")
    settings.MASTER_KEYS = settings.MASTER_KEYS[:1]
    sealing.check_keys()
    assert Credential.objects.get(pk=key.pk).secret == Secret("sk-one")
    assert under(key) == value, "what a data key seals is left alone"
    assert list(audit_chain.verify()) == []
    assert "already" in rotate("--master")
    assert AuditEvent.objects.filter(verb="keys.rotated").count() == 1


def test_a_master_rotation_needs_the_old_key(owner: User, settings: Any) -> None:
    stored("sk-one")
    before = bytes(DataKey.objects.get().wrapped)
    settings.MASTER_KEYS = [secrets.token_bytes(32)]
    with pytest.raises(CommandError, match="Put the old key back"):
        rotate("--master")
    assert bytes(DataKey.objects.get().wrapped) == before


def test_a_master_rotation_does_not_overwrite_what_another_one_wrote(
    owner: User, new_master: Callable[[], None]
) -> None:
    stored("sk-one")
    stale = DataKey.objects.get()
    new_master()
    rotate("--master")
    written = bytes(DataKey.objects.get().wrapped)
    assert not rotation._wrap_anew(stale)
    assert bytes(DataKey.objects.get().wrapped) == written


def test_a_data_rotation_seals_every_column_anew(owner: User) -> None:
    key, login, old = stored("sk-one"), attempt(owner), active()
    assert "Sealed 2 values" in rotate("--data")
    assert under(key) == active() != old
    assert Credential.objects.get(pk=key.pk).secret == Secret("sk-one")
    assert LoginAttempt.objects.get(pk=login.pk).secret == Secret("a-verifier")
    assert DataKey.objects.get(pk=old).state == "retired", "it may still be wanted for a few minutes"
    retired_long_ago()
    rotation.finish()
    assert [row.id for row in DataKey.objects.all()] == [active()]
    assert Credential.objects.get(pk=key.pk).secret == Secret("sk-one")


def test_run_twice_it_makes_two_keys_and_loses_nothing(owner: User) -> None:
    key = stored("sk-one")
    rotate("--data")
    first = active()
    rotate("--data")
    assert under(key) == active() != first
    assert Credential.objects.get(pk=key.pk).secret == Secret("sk-one")


def test_a_rotation_that_was_cut_short_is_finished_with_the_key_that_it_made(owner: User) -> None:
    keys = [stored(f"sk-{number}") for number in range(3)]
    rotation._make_active()  # ... and then the process is killed
    begun = active()
    assert all(under(key) != begun for key in keys)
    assert "Finished a rotation that was cut short: 3 values" in rotate("--data")
    assert active() == begun
    assert all(under(key) == begun for key in keys)


def test_a_value_that_was_changed_meanwhile_stays_as_it_was_changed(owner: User) -> None:
    read = Credential.objects.get(pk=stored("sk-old").pk)
    column = Credential._meta.get_field("secret")
    rotation._make_active()
    Credential.objects.filter(pk=read.pk).update(secret=read.sealed(Secret("sk-new")))
    assert not rotation._reseal(read, column)  # type: ignore[arg-type]
    assert Credential.objects.get(pk=read.pk).secret == Secret("sk-new")


def test_what_does_not_open_keeps_its_key_and_holds_nothing_up(owner: User) -> None:
    good, broken, old = stored("sk-good"), stored("sk-broken"), active()
    raw = bytes(Credential.objects.filter(pk=broken.pk).values_list("secret", flat=True).get() or b"")
    Credential.objects.filter(pk=broken.pk).update(secret=raw[:-1] + bytes([raw[-1] ^ 1]))
    assert "1 of accounts_credential.secret" in rotate("--data")
    retired_long_ago()
    rotation.finish()
    assert DataKey.objects.filter(pk=old).exists()
    assert under(good) == active()
    key_actions.revoke(credential=Credential.objects.get(pk=broken.pk))
    rotation.finish()
    assert not DataKey.objects.filter(pk=old).exists()


def test_a_value_stored_shortly_after_its_key_retired_is_sealed_anew_before_the_key_goes(owner: User) -> None:
    late, old = stored("sk-late"), active()
    bytes_under_the_old = late.sealed(Secret("sk-later"))
    rotate("--data")
    Credential.objects.filter(pk=late.pk).update(secret=bytes_under_the_old)
    retired_long_ago()
    report = rotation.finish()
    assert (report.resealed, report.removed) == (1, 1)
    assert not DataKey.objects.filter(pk=old).exists()
    assert Credential.objects.get(pk=late.pk).secret == Secret("sk-later")


@pytest.fixture
def elsewhere(owner: User) -> Iterator[dict[str, bytes]]:
    """A place that is no SealedField: values by name, in memory."""
    values: dict[str, bytes] = {"one": sealing.seal("a-totp-secret", b"elsewhere one")}

    def reseal(most: int) -> int:
        new = sealing.active_key()
        old = [name for name, value in values.items() if sealing.key_of(value) != new][:most]
        for name in old:
            context = f"elsewhere {name}".encode()
            values[name] = sealing.seal(sealing.open_sealed(values[name], context), context)
        return len(old)

    def count(number: int) -> int:
        return sum(sealing.key_of(value) == number for value in values.values())

    sealed_places.register("elsewhere", reseal, count)
    yield values
    sealed_places.forget("elsewhere")


def test_places_that_were_registered_are_sealed_anew_too(elsewhere: dict[str, bytes]) -> None:
    rotate("--data")
    assert sealing.key_of(elsewhere["one"]) == active()
    assert sealing.open_sealed(elsewhere["one"], b"elsewhere one") == "a-totp-secret"


def test_every_sealed_column_is_found() -> None:
    names = {place.name for place in rotation.places()}
    assert {"accounts_credential.secret", "accounts_loginattempt.secret"} <= names


def test_it_asks_what_to_rotate(db: None) -> None:
    with pytest.raises(CommandError, match="Say what to rotate"):
        rotate()


def test_without_any_key_there_is_nothing_to_wrap(db: None) -> None:
    assert "already" in rotate("--master")


def test_a_key_that_was_not_given_stops_a_data_rotation_too(owner: User, settings: Any) -> None:
    stored("sk-one")
    settings.MASTER_KEYS = [secrets.token_bytes(32)]
    sealing.forget_keys()
    with pytest.raises(CommandError, match="Put the old key back"):
        call_command("rotate_keys", "--data", stdout=StringIO())
    with pytest.raises(KeysMissing):
        sealing.check_keys()


def test_the_audit_log_knows_of_it(owner: User) -> None:
    rotate("--data")
    event = AuditEvent.objects.get(verb="keys.rotated")
    assert (event.actor, event.via, event.object) == (None, "command", "data")
