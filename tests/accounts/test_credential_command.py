"""`manage.py credential`: keys from the terminal, the secret from standard input and from nowhere else."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.keys import policy as key_policy
from accounts.keys.policy import KeyPolicy
from accounts.models import AuditEvent, Credential, Membership, Team, User
from providers.access import Secret

from .conftest import GOOD_KEY, Vendor
from .test_own_keys import of_everyone, stored


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command with this on standard input; returns what it said."""

    def command(*words: str, typed: str = "") -> str:
        said = io.StringIO()
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        call_command("credential", *words, stdout=said)
        return said.getvalue()

    return command


def test_a_key_for_everyone_is_read_checked_and_stored(owner: User, vendor: Vendor, run: Any) -> None:
    said = run("set", "anthropic", "--label", "main", "--rotate-by", "2999-01-31", typed=f"{GOOD_KEY}\n")
    key = Credential.objects.get()
    assert (key.scope, key.label, key.hint, str(key.rotate_by)) == (
        "organisation",
        "main",
        "7731",
        "2999-01-31",
    )
    assert key.secret == Secret(GOOD_KEY)
    assert GOOD_KEY not in said
    assert [path for path, _ in vendor.seen] == ["/v1/models"]
    event = AuditEvent.objects.get(verb="credential.added")
    assert (event.actor, event.via) == (None, "command")


def test_for_a_team_and_for_a_person(owner: User, member: User, vendor: Vendor, run: Any) -> None:
    team = Team.objects.create(name="Harbour")
    Membership.objects.create(user=member, team=team)
    run("set", "anthropic", "--team", "harbour", typed=GOOD_KEY)
    run("set", "anthropic", "--person", "MO@example.org", typed=GOOD_KEY)
    assert {(key.team, key.person) for key in Credential.objects.all()} == {(team, None), (None, member)}


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("set", "nobody"), GOOD_KEY, "no provider 'nobody'"),
        (("set", "anthropic", "--kind", "client"), GOOD_KEY, "takes no 'client'"),
        (("set", "anthropic"), "", "API key: This field is required"),
        (("set", "anthropic"), "two words", "does not look like a key"),
        (("set", "anthropic"), "sk-ant-canary-wrong-5512", "does not accept this key"),
        (("set", "anthropic", "--team", "Quarry"), GOOD_KEY, "no team 'Quarry'"),
        (("set", "anthropic", "--person", "who@example.org"), GOOD_KEY, "no active account"),
        (("set", "anthropic", "--rotate-by", "2001-01-01"), GOOD_KEY, "This day has passed"),
        (("set", "openai", "--option", "project"), GOOD_KEY, "NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(
    owner: User, vendor: Vendor, run: Any, words: tuple[str, ...], typed: str, said: str
) -> None:
    with pytest.raises(CommandError) as refused:
        run(*words, typed=typed)
    assert said in str(refused.value)
    assert "canary" not in str(refused.value)
    assert not Credential.objects.exists()


def test_the_secret_is_no_argument(owner: User, run: Any) -> None:
    with pytest.raises(CommandError):
        run("set", "anthropic", GOOD_KEY)
    assert not Credential.objects.exists()


def test_a_policy_holds_here_too(owner: User, member: User, vendor: Vendor, run: Any) -> None:
    key_policy.change(policy=KeyPolicy("nobody"), by=owner)
    with pytest.raises(CommandError, match="does not allow"):
        run("set", "anthropic", "--person", "mo@example.org", typed=GOOD_KEY)
    assert vendor.seen == []


def test_replace_revokes_the_owners_other_keys(owner: User, vendor: Vendor, run: Any) -> None:
    old = [stored(of_everyone()), stored(of_everyone())]
    run("set", "anthropic", "--replace", typed=GOOD_KEY)
    for key in old:
        key.refresh_from_db()
        assert (key.state, key.has_secret) == ("revoked", False)
    assert Credential.objects.get(state="active").hint == "7731"


def test_check_asks_the_vendor_and_fails_where_one_does_not_work(
    owner: User, vendor: Vendor, run: Any
) -> None:
    stored(of_everyone(), secret=Secret(GOOD_KEY))
    assert "works" in run("check")
    bad = stored(of_everyone())
    with pytest.raises(CommandError, match="Not every key works"):
        run("check", "anthropic")
    bad.refresh_from_db()
    assert bad.state == "invalid"


def test_list_shows_everything_but_secrets(
    owner: User, member: User, vendor: Vendor, run: Any, settings: Any
) -> None:
    settings.PROVIDER_ENVIRONMENT["openai"] = {
        "api_key": Secret("sk-canary-environment"),
        "base_url": "https://o",
    }
    stored(of_everyone(), label="main")
    said = run("list")
    for text in ("anthropic", "…9274", "main", "in use", "OPENAI_API_KEY"):
        assert text in said
    assert "canary" not in said
    assert "main" not in run("list", "--person", "mo@example.org")
    assert "main" in run("list", "--all")
