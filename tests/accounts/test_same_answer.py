"""Known and unknown addresses cost the same work: nobody learns from the time who has an account."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client

from accounts.models import AuditEvent, User

pytestmark = pytest.mark.django_db


class Counting(MD5PasswordHasher):
    """A hasher whose work is counted: with Argon2 it is nearly all of the time of a sign-in."""

    algorithm = "md5"
    hashes = 0

    def encode(self, password: str, salt: str) -> str:
        Counting.hashes += 1
        return super().encode(password, salt)


def hashes_of(path: str, fields: dict[str, str]) -> int:
    before = Counting.hashes
    assert Client().post(path, fields).status_code in {200, 302}
    return Counting.hashes - before


@pytest.fixture
def people(settings: Any, member: User, stranger: User) -> list[str]:
    """The addresses of a member, of one who is deactivated, of one without a password, and of nobody."""
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    without = User.objects.create_user("sso@example.org")
    return [member.email, stranger.email, without.email, "nobody@example.org"]


def test_a_wrong_password_takes_one_hash_and_one_event_for_everybody(people: list[str]) -> None:
    events = AuditEvent.objects.count()
    for number, email in enumerate(people, 1):
        assert hashes_of("/login/", {"login": email, "password": "wrong"}) == 1
        assert AuditEvent.objects.count() == events + number


def test_a_reset_and_a_code_send_one_mail_to_everybody(people: list[str], settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    for path in ("/password/reset/", "/login/code/"):
        for email in people:
            mail.outbox.clear()
            assert hashes_of(path, {"email": email}) == 0
            assert [letter.to for letter in mail.outbox] == [[email]]
