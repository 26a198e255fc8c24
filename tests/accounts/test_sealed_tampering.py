"""Whoever can write into the database gets no secret out of it: what was moved or changed does not open,
serves nobody, is in the audit log, and the page asks for the key again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from accounts.ids import uuid7
from accounts.keys import checking, credentials
from accounts.keys.stored_grants import StoredGrant
from accounts.models import AuditEvent, Credential, DataKey, LoginAttempt, Organisation, Team, User
from accounts.sealing import rotation
from accounts.sealing.sealing import SealBroken, forget_keys
from providers.access import Secret

from .conftest import BASE_URL, signed_in
from .test_own_keys import of_everyone, stored

pytestmark = pytest.mark.services

Change = Callable[[Credential], object]


def raw(credential: Credential) -> bytes:
    return bytes(Credential.objects.filter(pk=credential.pk).values_list("secret", flat=True).get() or b"")


def put(credential: Credential, value: bytes) -> None:
    Credential.objects.filter(pk=credential.pk).update(secret=value)


def of_another_row(credential: Credential) -> None:
    put(credential, raw(stored(of_everyone(), base_url=BASE_URL, secret=Secret("sk-ant-canary-other-1"))))
    Credential.objects.exclude(pk=credential.pk).delete()


def of_another_column(credential: Credential) -> None:
    person = User.objects.get()
    login = LoginAttempt.objects.create(
        pk=credential.pk,
        person=person,
        provider="anthropic",
        base_url=BASE_URL,
        flow="code",
        secret=Secret("sk-ant-canary-verifier"),
        expires_at=credential.created_at,
    )
    value = LoginAttempt.objects.filter(pk=login.pk).values_list("secret", flat=True).get()
    put(credential, bytes(value or b""))


def given_to_a_person(credential: Credential) -> None:
    Credential.objects.filter(pk=credential.pk).update(organisation=None, person=User.objects.get())


def given_to_a_team(credential: Credential) -> None:
    team = Team.objects.create(name="Harbour")
    Credential.objects.filter(pk=credential.pk).update(organisation=None, team=team)
    team.memberships.create(user=User.objects.get())


def moved_to_another_row(credential: Credential) -> None:
    """The whole row under another id."""
    Credential.objects.filter(pk=credential.pk).update(id=uuid7())


def its_key_version_is_gone(credential: Credential) -> None:
    rotation._make_active()
    DataKey.objects.filter(state="retired").delete()


CHANGES: dict[str, Change] = {
    "ciphertext of another row": of_another_row,
    "ciphertext of another table": of_another_column,
    "owner changed to a person": given_to_a_person,
    "owner changed to a team": given_to_a_team,
    "row given another id": moved_to_another_row,
    "options changed": lambda key: Credential.objects.filter(pk=key.pk).update(options={"project": "x"}),
    "a bit of the ciphertext flipped": lambda key: put(key, raw(key)[:-20] + flipped(raw(key)[-20:])),
    "a bit of the nonce flipped": lambda key: put(key, raw(key)[:5] + flipped(raw(key)[5:])),
    "a bit of the key's number flipped": lambda key: put(key, raw(key)[:1] + flipped(raw(key)[1:])),
    "another version": lambda key: put(key, b"\x07" + raw(key)[1:]),
    "cut": lambda key: put(key, raw(key)[:-1]),
    "cut to its header": lambda key: put(key, raw(key)[:5]),
    "emptied": lambda key: put(key, b""),
    "one byte longer": lambda key: put(key, raw(key) + b"\x00"),
    "a retired key's version is gone": its_key_version_is_gone,
}


def flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_it_fails_closed_is_audited_and_asked_for_again(
    owner: User, changed: Change, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    changed(stored(of_everyone(), base_url=BASE_URL))
    forget_keys()
    team = Team.objects.first()
    row = Credential.objects.get()
    assert credentials.for_call(owner.pk, team.pk if team else None, "anthropic") == []
    row.refresh_from_db(fields=["state", "last_error"])
    assert (row.state, row.last_error) == ("invalid", "It can no longer be opened.")
    event = AuditEvent.objects.get(verb="credential.opened-wrongly")
    assert (event.actor, event.via, event.object) == (None, "seal", str(row.pk))
    assert checking.check_again(row) == "It can no longer be opened."
    place = {"person": "/settings/keys/", "team": "/keys/", "organisation": "/manage/keys/"}[row.scope]
    shown = signed_in(owner).get(place).content.decode()
    assert "It can no longer be opened. Enter the key again." in shown
    assert f"{place}{row.pk}/replace/" in shown
    assert "canary" not in shown + caplog.text
    assert credentials.for_call(owner.pk, None, "anthropic") == []
    assert AuditEvent.objects.filter(verb="credential.opened-wrongly").count() == 1, "said once"


def test_looking_at_the_page_and_checking_find_it_too(owner: User) -> None:
    key = stored(of_everyone(), base_url=BASE_URL)
    put(key, raw(key)[:-1])
    response = signed_in(owner).post(f"/manage/keys/{key.pk}/check/")
    assert response.status_code == 302
    key.refresh_from_db(fields=["state"])
    assert key.state == "invalid"
    assert AuditEvent.objects.filter(verb="credential.opened-wrongly").count() == 1


def test_the_tokens_of_a_login_are_bound_in_the_same_way(owner: User) -> None:
    grant = StoredGrant(Secret("gho-canary-access"), Secret("ghr-canary-refresh"), "client", "")
    key = stored(of_everyone(), kind="oauth", base_url=BASE_URL, secret=grant.to_secret())
    (choice,) = credentials.for_call(owner.pk, None, "anthropic")
    assert choice.access.secret == Secret("gho-canary-access")
    Credential.objects.filter(pk=key.pk).update(provider="openai", base_url=credentials.base_url("openai"))
    assert credentials.for_call(owner.pk, None, "openai") == []
    assert AuditEvent.objects.filter(verb="credential.opened-wrongly").exists()


def test_a_login_attempt_whose_owner_was_changed_does_not_open(owner: User) -> None:
    attempt = LoginAttempt.objects.create(
        person=owner,
        scope="person",
        provider="anthropic",
        base_url=BASE_URL,
        flow="code",
        secret=Secret("canary-verifier"),
        expires_at=Organisation.objects.get().created_at,
    )
    LoginAttempt.objects.filter(pk=attempt.pk).update(scope="organisation")
    with pytest.raises(SealBroken, match="Enter the key again"):
        _ = LoginAttempt.objects.get(pk=attempt.pk).secret
