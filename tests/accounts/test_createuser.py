"""Making accounts from the terminal."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Organisation, User

from .conftest import PASSWORD, signed_in


def createuser(email: str, password: str = PASSWORD, **options: Any) -> str:
    said = io.StringIO()
    call_command("createuser", email=email, password=password, stdout=said, **options)
    return said.getvalue()


@pytest.mark.django_db
def test_the_first_account_brings_the_organisation_along(client: Client) -> None:
    said = createuser("Olga@Example.org", role="owner", name="Olga Berg")
    person = User.objects.get()
    assert said == "Made the owner olga@example.org.\n"
    assert (person.role, person.display_name) == ("owner", "Olga Berg")
    assert Organisation.objects.count() == 1
    assert client.post("/login/", {"login": "olga@example.org", "password": PASSWORD}).status_code == 302
    assert signed_in(person).get("/setup/key/").status_code == 200


@pytest.mark.django_db
def test_without_an_owner_it_says_how_to_make_one() -> None:
    assert "--role owner" in createuser("mo@example.org")


@pytest.mark.django_db
def test_the_password_can_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    createuser("olga@example.org", "-", role="owner")
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "options", "said"),
    [
        ("OLGA@example.org", PASSWORD, {}, "is an account"),
        ("no address", PASSWORD, {}, "valid email"),
        ("new@example.org", "short", {}, "too short"),
        ("new@example.org", "", {}, "empty"),
        ("new@example.org", PASSWORD, {"role": "king"}, "king"),
    ],
)
def test_what_does_not_fit_is_refused(
    owner: User, email: str, password: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        createuser(email, password, **options)
    assert User.objects.count() == 1
