"""`manage.py team` and `manage.py invite`."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import AuditEvent, Membership, User

from .conftest import PASSWORD


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_teams_are_kept_by_command(owner: User, member: User) -> None:
    said("team", "create", "Design")
    said("team", "add", "design", "MO@example.org", "--manager")
    said("team", "rename", "Design", "Form")
    assert said("team", "list") == "Form: mo@example.org (manager)"
    said("team", "remove", "Form", member.email)
    assert not Membership.objects.exists()
    assert set(AuditEvent.objects.filter(verb__startswith="membership").values_list("via", flat=True)) == {
        "command"
    }
    for words in (("create", "form"), ("add", "Nowhere", member.email), ("add", "Form", "x@example.org")):
        with pytest.raises(CommandError):
            said("team", *words)


def test_a_link_is_made_by_command(client: Client, owner: User) -> None:
    said("team", "create", "Design")
    link = said("invite", "ada@example.org", "--role", "admin", "--team", "Design", "--manager")
    sent = {"display_name": "Ada", "password": PASSWORD}
    assert client.post(link, sent, headers={"host": "localhost"}).status_code == 302
    person = User.objects.get(email="ada@example.org")
    assert (person.role, person.memberships.get().role) == ("admin", "manager")
    for words in (("ada@example.org",), ("x",), ("b@example.org", "--team", "Nowhere")):
        with pytest.raises(CommandError):
            said("invite", *words)
