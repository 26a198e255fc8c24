"""`manage.py token`: a token from the terminal, whose text alone goes to standard output."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AccessToken, AuditEvent, Membership, Team, User
from accounts.tokens import policy, text
from accounts.tokens.authentication import TokenRefused, authenticate
from accounts.tokens.policy import TokenPolicy
from usage.models import Budget

from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner

CREATE = ("create", "--user", "MO@example.org", "--name", "build server")


def run(*words: str) -> tuple[str, str]:
    """What it says on standard output, and beside it."""
    out, err = StringIO(), StringIO()
    call_command("token", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_standard_output_is_the_token_alone(member: User) -> None:
    out, err = run(*CREATE)
    sent = out.removesuffix("\n")
    assert text.is_whole(sent) and sent not in err and "build server" in err
    bearer = authenticate(sent, scope="count_tokens")
    assert (bearer.person, bearer.scopes, bearer.models, bearer.team_id) == (
        member,
        {"messages", "count_tokens", "models"},
        set(),
        None,
    )
    end = AccessToken.objects.get().expires_at
    assert end is not None and abs(end - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    event = AuditEvent.objects.get(verb="token.made")
    assert (event.actor, event.via) == (None, "command")


def test_all_its_bounds_are_given(member: User) -> None:
    team = Team.objects.create(name="Design")
    Membership.objects.create(user=member, team=team)
    more = ("--scope", "messages", "--scope", "models", "--model", "demo/parley-demo", "--team", "design")
    with pytest.raises(CommandError, match="not a model"):
        run(*CREATE, "--model", "nobody/knows")
    assert not AccessToken.objects.exists()
    out, _ = run(*CREATE, *more[:4], *more[6:], "--expires", "never", "--budget", "12.50")
    token, budget = AccessToken.objects.get(), Budget.objects.get()
    assert (token.scopes, token.paying_team, token.expires_at) == (["messages", "models"], team, None)
    assert (budget.scope_id, budget.limit, budget.created_by) == (token.pk, 12_500_000_000, None)
    assert authenticate(out.strip(), scope="models").team_id == team.pk


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--user", "who@example.org", "--name", "x"), "no active account"),
        ((*CREATE, "--team", "Quarry"), "no team 'Quarry'"),
        ((*CREATE, "--expires", "soon"), "a number of days"),
        ((*CREATE, "--expires", "0"), "a number of days"),
        ((*CREATE, "--budget", "1,5"), "Enter dollars"),
        ((*CREATE, "--scope", "everything"), "invalid choice"),
        (("create", "--user", "mo@example.org", "--name", " "), "needs a name"),
        (("revoke", "parley_nope"), "no such token"),
        (("revoke", "%"), "no such token"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(member: User, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*words)
    assert not AccessToken.objects.exists() and not Budget.objects.exists()


def test_a_team_that_the_person_is_not_in_does_not_pay(member: User) -> None:
    Team.objects.create(name="Design")
    with pytest.raises(CommandError, match="members"):
        run(*CREATE, "--team", "Design")


def test_the_policy_holds_here_too(member: User) -> None:
    policy.change(policy=TokenPolicy("everybody", 7), by=None, via="command")
    with pytest.raises(CommandError, match="7 days"):
        run(*CREATE, "--expires", "never")
    run(*CREATE)
    end = AccessToken.objects.get().expires_at
    assert end is not None and end <= datetime.now(UTC) + timedelta(days=7)
    policy.change(policy=TokenPolicy("admins"), by=None, via="command")
    with pytest.raises(CommandError, match="does not let"):
        run(*CREATE)


def test_tokens_are_listed_without_their_texts(owner: User, member: User) -> None:
    sent = run(*CREATE)[0].strip()
    run("create", "--user", "olga@example.org", "--name", "of the owner", "--expires", "never")
    everything = run("list")[0]
    assert f"{sent[:11]}…  build server  mo@example.org" in everything and "of the owner" in everything
    assert sent not in everything and AccessToken.digest(sent) not in everything
    assert "of the owner" not in run("list", "--user", "mo@example.org")[0]


def test_one_is_revoked_by_its_beginning_or_its_id(member: User) -> None:
    sent = run(*CREATE)[0].strip()
    run("revoke", f"{sent[:11]}…")
    with pytest.raises(TokenRefused):
        authenticate(sent, scope="messages")
    other = run(*CREATE)[0].strip()
    run("revoke", str(AccessToken.objects.live().get().pk))
    with pytest.raises(TokenRefused):
        authenticate(other, scope="messages")
    events = AuditEvent.objects.filter(verb="token.revoked")
    assert set(events.values_list("actor", "via")) == {(None, "command")}


def test_of_two_that_begin_alike_neither_is_revoked(member: User) -> None:
    run(*CREATE)
    run(*CREATE)
    AccessToken.objects.update(prefix="parley_same")
    with pytest.raises(CommandError, match="by its id"):
        run("revoke", "parley_same")
    assert AccessToken.objects.live().count() == 2
