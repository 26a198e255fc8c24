"""Access tokens: what they look like, whom they speak for, and that none is worth more than its owner."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import AccessToken, AuditEvent, Membership, Team, User
from accounts.people import anonymising, people
from accounts.people.rules import NotAllowed
from accounts.tokens import actions, expiry, policy, text, uses
from accounts.tokens.authentication import Bearer, BeyondToken, TokenRefused, authenticate, may_go_on
from accounts.tokens.policy import TokenPolicy
from providers.access import Secret

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HAIKU, SONNET = "anthropic/claude-haiku-5-5", "anthropic/claude-sonnet-5-5"


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    uses.forget()


@pytest.fixture
def team(member: User) -> Team:
    found = Team.objects.create(name="Harbour")
    Membership.objects.create(user=member, team=found)
    return found


def made(person: User, **more: Any) -> tuple[AccessToken, str]:
    values: dict[str, Any] = {
        "name": "laptop",
        "scopes": ["messages", "models"],
        "expires_at": None,
        "by": person,
    }
    found = actions.make(person=person, **(values | more))
    assert found is not None
    return found.token, found.text.reveal()


def allow(who: Any = "everybody", days: int | None = None) -> None:
    policy.change(policy=TokenPolicy(who, days), by=None, via="command")


def is_taken(sent: str) -> bool:
    try:
        authenticate(sent, scope="messages")
    except TokenRefused:
        return False
    return True


def together(*acts: Callable[[], object]) -> list[object]:
    """What each returns, all begun at once, each with a connection of its own."""
    results: list[object] = []

    def go(act: Callable[[], object]) -> None:
        try:
            results.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# Its text


def test_a_token_says_what_it_is_and_whether_it_is_whole() -> None:
    token = text.new().reveal()
    assert len(token) == 56 and token.startswith("parley_") and token[7:].isalnum() and token.isascii()
    assert text.is_whole(token)
    swapped = token[:10] + token[11] + token[10] + token[12:]
    assert not text.is_whole(token[:-1]) and not text.is_whole(f"{token}x")
    assert token == swapped or not text.is_whole(swapped)
    assert text.prefix(Secret(token)) == token[:11]


@given(at=st.integers(7, 55), to=st.sampled_from(text.ALPHABET))
def test_one_wrong_character_is_noticed(at: int, to: str) -> None:
    token = text.new().reveal()
    wrong = token[:at] + to + token[at + 1 :]
    assert text.is_whole(wrong) is (wrong == token)


@given(st.text())
def test_other_text_is_no_token(other: str) -> None:
    assert not text.is_whole(other)


def test_no_two_are_alike() -> None:
    assert len({text.new().reveal() for _ in range(200)}) == 200


# From the text to the person


def test_a_token_speaks_for_its_owner_within_its_bounds(member: User, team: Team) -> None:
    token, sent = made(member, models=[HAIKU], team=team)
    assert authenticate(sent, scope="messages", model=HAIKU) == Bearer(
        token_id=token.pk,
        name="laptop",
        person=member,
        team_id=team.pk,
        scopes=frozenset({"messages", "models"}),
        models=frozenset({HAIKU}),
    )


def test_it_is_found_by_one_query_and_nothing_is_written(
    member: User, team: Team, django_assert_num_queries: Any
) -> None:
    _, sent = made(member, team=team)
    with django_assert_num_queries(1):
        bearer = authenticate(sent, scope="messages")
        assert bearer.person.email == "mo@example.org"


def test_another_scope_or_model_is_refused_with_words(member: User) -> None:
    _, sent = made(member, scopes=["messages"], models=[HAIKU])
    with pytest.raises(BeyondToken, match="laptop"):
        authenticate(sent, scope="models")
    with pytest.raises(BeyondToken, match=SONNET):
        authenticate(sent, scope="messages", model=SONNET)


GARBAGE = (
    "",
    " ",
    "\x00",
    "parley_",
    "parley_\x00" + "a" * 48,
    "a" * 1_000_000,
    "é" * 500_000,
    "\ud800",
    "Bearer x",
    "'; DROP TABLE accounts_accesstoken; --",
    '{"$gt": ""}',
    "parley_" + "0" * 49,
    "\uff05" * 30,
)


@pytest.mark.parametrize("sent", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_by_one_lookup_and_not_logged(
    member: User, sent: str, django_assert_num_queries: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made(member)
    with caplog.at_level(logging.DEBUG), django_assert_num_queries(1), pytest.raises(TokenRefused) as refused:
        authenticate(sent, scope="messages")
    assert str(refused.value) == "This access token is not valid."
    assert [record for record in caplog.records if record.name != "django.db.backends"] == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sent=st.text() | st.text(alphabet=st.characters(categories=["Cs", "Cc"])))
def test_no_text_that_was_not_given_out_is_taken(member: User, sent: str) -> None:
    with pytest.raises(TokenRefused):
        authenticate(sent, scope="messages")


def test_a_token_with_something_around_it_is_another_text(member: User) -> None:
    _, sent = made(member)
    assert is_taken(sent)
    for other in (f" {sent}", f"{sent}\n", sent.upper(), f"{sent}{'x' * 400}", AccessToken.digest(sent)):
        assert not is_taken(other)


def test_refusals_of_every_kind_are_the_same(member: User, stranger: User, team: Team) -> None:
    revoked, one = made(member)
    actions.revoke(token=revoked, by=member)
    _, two = made(member, expires_at=datetime.now(UTC) + timedelta(hours=1))
    _, three = made(stranger)
    people.deactivate(by=None, person=stranger, via="command")
    _, four = made(member, team=team)
    people.take_out_of_team(by=None, person=member, team=team, via="command")
    said = set()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
        for sent in (one, two, three, four, "parley_never"):
            with pytest.raises(TokenRefused) as refused:
                authenticate(sent, scope="nonsense", model="nobody/nothing")
            said.add((type(refused.value), str(refused.value)))
    assert len(said) == 1


# It narrows with its owner, at once


def test_revoked_it_is_refused_at_once(member: User) -> None:
    token, sent = made(member)
    assert is_taken(sent)
    assert actions.revoke(token=token, by=member)
    assert not is_taken(sent)
    assert not actions.revoke(token=token, by=member), "once is enough"
    assert AuditEvent.objects.filter(verb="token.revoked").count() == 1


def test_it_ends_when_it_ends(member: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        _, sent = made(member, expires_at=NOON + timedelta(days=30))
        clock.move_to(NOON + timedelta(days=30) - timedelta(microseconds=1))
        assert is_taken(sent)
        clock.move_to(NOON + timedelta(days=30))
        assert not is_taken(sent)


def test_with_its_owner_deactivated_it_is_refused_and_taken_again_later(member: User) -> None:
    _, sent = made(member)
    people.deactivate(by=None, person=member, via="command")
    assert not is_taken(sent)
    people.activate(by=None, person=member, via="command")
    assert is_taken(sent)


def test_an_overdue_second_factor_holds_programs_back_too(member: User) -> None:
    _, sent = made(member)
    now = datetime.now(UTC)
    User.objects.filter(pk=member.pk).update(second_factor_due=now + timedelta(days=1))
    assert is_taken(sent)
    User.objects.filter(pk=member.pk).update(second_factor_due=now - timedelta(seconds=1))
    assert not is_taken(sent)


def test_out_of_the_paying_team_it_is_refused_and_nobody_else_pays(member: User, team: Team) -> None:
    _, sent = made(member, team=team)
    _, own = made(member)
    people.take_out_of_team(by=None, person=member, team=team, via="command")
    assert not is_taken(sent)
    assert is_taken(own)


def test_a_demoted_admins_token_is_refused_where_only_admins_may_have_some(owner: User, member: User) -> None:
    allow("admins")
    people.change_role(by=owner, person=member, role="admin")
    member.refresh_from_db()
    _, sent = made(member)
    assert is_taken(sent)
    people.change_role(by=owner, person=member, role="member")
    assert not is_taken(sent)
    allow("everybody")
    assert is_taken(sent)


@pytest.mark.parametrize(
    "held", ["nonsense", 7, {"who": "friends"}, {"who": "everybody", "longest_days": "long"}, {}]
)
def test_a_policy_that_is_not_understood_allows_nobody(held: Any, owner: User) -> None:
    found = TokenPolicy.of(json.dumps({"tokens": held}))
    assert not found.allows(owner)


def test_an_anonymised_persons_token_is_refused_and_says_nothing_of_them(owner: User, member: User) -> None:
    token, sent = made(member)
    uses.note(token.pk, address="203.0.113.9", client="mo-laptop/1")
    anonymising.anonymise(person=member, by=owner)
    assert not is_taken(sent)
    token.refresh_from_db()
    assert (token.prefix, token.last_used_from, token.last_client) == ("", "", "")
    assert "laptop" not in token.name


# What goes on


@pytest.mark.services
@pytest.mark.django_db
def test_of_running_calls_those_go_on_whose_token_is_still_good(
    member: User, stranger: User, team: Team, django_assert_num_queries: Any
) -> None:
    good, _ = made(member)
    revoked, _ = made(member)
    left, _ = made(member, team=team)
    gone, _ = made(stranger)
    expired, _ = made(member, expires_at=datetime.now(UTC) + timedelta(minutes=1))
    all_of_them = {token.pk for token in (good, revoked, left, gone, expired)}
    assert may_go_on(all_of_them) == all_of_them
    actions.revoke(token=revoked, by=member)
    people.take_out_of_team(by=None, person=member, team=team, via="command")
    people.deactivate(by=None, person=stranger, via="command")
    later = datetime.now(UTC) + timedelta(minutes=2)
    with django_assert_num_queries(1):
        assert may_go_on([*all_of_them, uuid4()], later) == {good.pk}
    with django_assert_num_queries(0):
        assert may_go_on([]) == set()


# When it was last used


def used(token: AccessToken) -> tuple[datetime | None, str, str]:
    token.refresh_from_db()
    return token.last_used_at, token.last_used_from, token.last_client


def test_its_use_is_noted_once_a_minute(member: User, django_assert_num_queries: Any) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        token, _ = made(member)
        with django_assert_num_queries(1):
            uses.note(token.pk, address="203.0.113.9", client="curl/8")
        assert used(token) == (NOON, "203.0.113.9", "curl/8")
        clock.shift(30)
        with django_assert_num_queries(0):
            uses.note(token.pk, address="198.51.100.1", client="other")
        uses.forget()  # another process
        uses.note(token.pk, address="198.51.100.1", client="other")
        assert used(token)[1] == "203.0.113.9", "the first of a minute stays"
        clock.shift(61)
        uses.forget()
        uses.note(token.pk, address="2001:db8::1", client="curl/9")
        assert used(token) == (NOON + timedelta(seconds=91), "2001:db8::1", "curl/9")


def test_what_a_program_says_of_itself_is_cut_and_on_one_line(member: User) -> None:
    token, _ = made(member)
    uses.note(token.pk, address="x" * 1000, client="evil\r\nset-cookie: a=b\x00\u202e" + "y" * 100_000)
    _, address, client = used(token)
    assert (len(address), len(client)) == (45, 120)
    assert client.startswith("evil set-cookie: a=by")


# Making and changing


def test_only_the_digest_is_kept_and_the_log_has_no_secret(member: User, team: Team) -> None:
    token, sent = made(member, team=team, models=[HAIKU], name="my laptop in the attic")
    assert AccessToken.objects.values_list("sha256", flat=True).get() == AccessToken.digest(sent)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_accesstoken")
        assert sent not in repr(cursor.fetchall())
    event = AuditEvent.objects.get(verb="token.made")
    assert (event.actor, event.kind, event.object, event.name) == (member.pk, "token", str(token.pk), "")
    said = json.loads(event.after)
    assert (
        said["scopes"] == ["messages", "models"] and said["models"] == [HAIKU] and said["team"] == "Harbour"
    )
    for secret in (sent, AccessToken.digest(sent), "attic"):
        assert secret not in event.after


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "  "},
        {"scopes": []},
        {"scopes": ["admin", "*"]},
        {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"models": [f"x/{n}" for n in range(300)]},
    ],
)
def test_what_makes_no_sense_is_not_made(member: User, wrong: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed):
        made(member, **wrong)
    assert not AccessToken.objects.exists()


def test_a_team_pays_only_for_its_members(stranger: User, owner: User, team: Team) -> None:
    for person in (stranger, owner):
        with pytest.raises(NotAllowed, match="members"):
            made(person, team=team)


def test_who_may_have_none_makes_none(owner: User, member: User) -> None:
    allow("admins")
    with pytest.raises(NotAllowed):
        made(member)
    made(owner)
    allow("nobody")
    with pytest.raises(NotAllowed):
        made(owner)


def test_the_longest_life_binds_new_tokens_and_leaves_the_others(member: User) -> None:
    _, endless = made(member)
    allow(days=30)
    now = datetime.now(UTC)
    for end in (None, now + timedelta(days=31)):
        with pytest.raises(NotAllowed, match="30 days"):
            made(member, expires_at=end)
    made(member, expires_at=now + timedelta(days=29))
    assert is_taken(endless)


def test_an_end_is_brought_forward_and_never_put_off(member: User) -> None:
    now = datetime.now(UTC)
    token, _ = made(member, expires_at=now + timedelta(days=30))
    sooner = now + timedelta(days=3)
    assert actions.change(token=token, name="desk", expires_at=sooner, by=member)
    token.refresh_from_db()
    assert (token.name, token.expires_at) == ("desk", sooner)
    for end in (None, now + timedelta(days=4), now - timedelta(days=1)):
        with pytest.raises(NotAllowed):
            actions.change(token=token, name="desk", expires_at=end, by=member)
    event = AuditEvent.objects.get(verb="token.changed")
    assert "desk" not in event.before + event.after, "a person's own words"
    assert sooner.isoformat(timespec="minutes") in event.after


def test_the_same_request_twice_makes_one(member: User) -> None:
    once = uuid4()
    first = actions.make(
        person=member, name="a", scopes=["messages"], expires_at=None, by=member, token_id=once
    )
    assert first is not None
    assert (
        actions.make(person=member, name="a", scopes=["messages"], expires_at=None, by=member, token_id=once)
        is None
    )
    assert AccessToken.objects.count() == 1


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_in_parallel_one_request_makes_one_and_a_revoked_token_stays_revoked(member: User) -> None:
    once: UUID = uuid4()

    def make() -> bool:
        return (
            actions.make(
                person=member, name="a", scopes=["messages"], expires_at=None, by=member, token_id=once
            )
            is not None
        )

    assert sorted(map(bool, together(*[make] * 6))) == [False] * 5 + [True]
    token = AccessToken.objects.get()
    ended = together(*[lambda: actions.revoke(token=token, by=member)] * 6)
    assert sorted(map(bool, ended)) == [False] * 5 + [True]
    assert AuditEvent.objects.filter(verb="token.revoked").count() == 1


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_many_programs_at_once_are_taken_and_one_use_is_noted(member: User) -> None:
    token, sent = made(member)

    def call() -> bool:
        bearer = authenticate(sent, scope="messages")
        uses.note(bearer.token_id, address="203.0.113.9", client="sdk/1")
        return bearer.token_id == token.pk

    assert together(*[call] * 12) == [True] * 12
    assert used(token)[1:] == ("203.0.113.9", "sdk/1")


# Before it ends


def test_a_letter_comes_a_week_before_the_end_and_once(
    member: User, settings: Any, mailoutbox: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_CONFIGURED, settings.PUBLIC_URL = True, "https://chat.example.org"
    with time_machine.travel(NOON, tick=False) as clock:
        _, sent = made(member, expires_at=NOON + timedelta(days=90))
        made(member, name="short", expires_at=NOON + timedelta(days=5))
        made(member, name="endless")
        with django_capture_on_commit_callbacks(execute=True):
            assert expiry.tell() == 0
        clock.move_to(NOON + timedelta(days=84))
        with django_capture_on_commit_callbacks(execute=True):
            assert (expiry.tell(), expiry.tell()) == (1, 0)
    (letter,) = mailoutbox
    assert letter.to == ["mo@example.org"]
    assert "laptop" in letter.subject and "18 February 2027" in letter.body
    assert "https://chat.example.org/settings/tokens/" in letter.body
    assert sent not in letter.body
