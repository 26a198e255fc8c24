"""Settings → API tokens, and tokens in Manage: made, shown once, changed and ended by who may."""

from __future__ import annotations

import html
import json
import logging
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client

from accounts import actions as accounts_actions
from accounts.models import AccessToken, AuditEvent, Membership, Team, User
from accounts.people import anonymising, people
from accounts.tokens import policy, text, uses
from accounts.tokens.authentication import TokenRefused, authenticate
from accounts.tokens.policy import TokenPolicy
from providers.access import Secret
from usage.access_tokens import actions
from usage.models import Budget

from .budgeting import DOLLAR
from .managing import PASSWORD, page, signed_in
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .spent import spent

LIST, NEW = "/settings/tokens/", "/settings/tokens/new/"
POLICY = "/manage/people/tokens/"
TOKEN = re.compile(r"parley_[0-9A-Za-z]{49}")
HAIKU = "anthropic/claude-haiku-5-5"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def stranger(owner: User) -> User:
    """Shares no team with anybody."""
    return people_of("stan@example.org", "Stan")


@pytest.fixture
def team(owner: User, member: User) -> Team:
    found = people.create_team(by=owner, name="Design")
    people.put_in_team(by=owner, person=member, team=found, role="member")
    return found


@pytest.fixture
def manager(owner: User, team: Team) -> User:
    person = people_of("mia@example.org", "Mia")
    people.put_in_team(by=owner, person=person, team=team, role="manager")
    return person


@pytest.fixture
def a_key(settings: Any) -> None:
    """Claude can be used by everybody."""
    settings.PROVIDER_ENVIRONMENT = {
        "anthropic": {"api_key": Secret("sk-ant-canary"), "base_url": "https://api.anthropic.com"}
    }


def people_of(email: str, name: str) -> User:
    return accounts_actions.create_user(email=email, password=PASSWORD, display_name=name)


def by_password(person: User) -> Client:
    """Signed in a moment ago, so that nothing asks who it is."""
    client = Client(headers={"host": "localhost"})
    client.post("/login/", {"login": person.email, "password": PASSWORD})
    return client


def typed(client: Client, **more: Any) -> dict[str, Any]:
    """The form as it is opened, with what is typed into it."""
    slip = re.search(r'name="slip" value="([^"]+)"', page(client, NEW))
    assert slip
    return {
        "slip": html.unescape(slip[1]),
        "name": "laptop",
        "scopes": ["messages", "models"],
        "which": "all",
        "lifetime": "90",
        **more,
    }


def made(person: User, **more: Any) -> tuple[AccessToken, str]:
    values: dict[str, Any] = {"name": "laptop", "scopes": ["messages"], "expires_at": None, "by": person}
    found = actions.make(person=person, **(values | more))
    assert found is not None
    return found.token, found.text.reveal()


def names(shown: str) -> list[str]:
    return re.findall(r"data-wide><bdi>([^<]+)</bdi>", shown)


# Made, and shown once


def test_a_token_is_made_shown_once_and_works(member: User) -> None:
    client = by_password(member)
    assert "No tokens yet" in page(client, LIST)
    response = client.post(NEW, typed(client))
    shown = response.content.decode()
    (sent,) = TOKEN.findall(shown)
    assert text.is_whole(sent) and "only this once" in shown
    assert "no-store" in response.headers["Cache-Control"]
    token = AccessToken.objects.get()
    assert (token.user, token.name, token.paying_team, token.prefix) == (member, "laptop", None, sent[:11])
    assert authenticate(sent, scope="messages").person == member
    again = page(client, LIST)
    assert f"{token.prefix}…" in again and not TOKEN.search(again)


def test_a_reload_makes_no_second_one_and_shows_nothing(member: User) -> None:
    client = by_password(member)
    form = typed(client)
    assert TOKEN.search(client.post(NEW, form).content.decode())
    again = client.post(NEW, form, follow=True)
    assert again.redirect_chain == [(LIST, 302)]
    assert "shown then" in again.content.decode() and not TOKEN.search(again.content.decode())
    assert AccessToken.objects.count() == 1


def test_its_text_is_in_no_page_session_log_message_or_dump_after_the_once(
    owner: User, member: User, team: Team, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    client = by_password(member)
    with caplog.at_level(logging.DEBUG):
        (sent,) = TOKEN.findall(client.post(NEW, typed(client, team=str(team.pk))).content.decode())
        token = AccessToken.objects.get()
        uses.note(token.pk, address="203.0.113.9", client="curl/8")
        with pytest.raises(TokenRefused):
            authenticate(f"{sent}x", scope="messages")
        seen = [page(client, path) for path in (LIST, f"{LIST}{token.pk}/", f"{LIST}{token.pk}/revoke/")]
        admins = signed_in(owner)
        paths = (
            f"/manage/people/{member.pk}/",
            f"/manage/teams/{team.pk}/",
            "/manage/audit/",
            "/manage/budgets/",
        )
        seen += [page(admins, path) for path in paths]
    call_command("dumpdata", output=str(tmp_path / "dump.json"))
    seen += [(tmp_path / "dump.json").read_text(), caplog.text]
    seen += [str(session.get_decoded()) for session in Session.objects.all()]
    digest = AccessToken.digest(sent)
    for place in seen:
        assert sent not in place and sent[20:40] not in place
    assert not any(digest in place for place in seen[:7])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"scopes": []},
        {"scopes": ["messages", "admin"]},
        {"which": "some", "models": []},
        {"which": "some", "models": ["anthropic/claude-nobody"]},
        {"lifetime": "36500"},
        {"lifetime": "date"},
        {"lifetime": "date", "until": "2020-01-01"},
        {"lifetime": "date", "until": "soon"},
        {"limit": "a lot"},
        {"limit": "-1"},
        {"limit": "0"},
        {"slip": "01929292-0000-7000-8000-000000000000"},
        {"slip": ""},
    ],
)
def test_what_makes_no_sense_is_said_and_makes_nothing(member: User, wrong: dict[str, Any]) -> None:
    client = by_password(member)
    response = client.post(NEW, typed(client, **wrong))
    assert response.status_code == 422
    assert not AccessToken.objects.exists() and not Budget.objects.exists()


def test_fields_that_are_not_asked_for_change_nothing(member: User, owner: User) -> None:
    client = by_password(member)
    extra = {"user": str(owner.pk), "id": str(uuid4()), "prefix": "parley_mine", "sha256": "0" * 64}
    client.post(NEW, typed(client, **extra, expires_at="", revoked_at="", paying_team=str(uuid4())))
    token = AccessToken.objects.get()
    assert token.user == member and token.prefix != "parley_mine" and token.expires_at is not None
    assert str(token.pk) != extra["id"]


def test_anothers_form_makes_nothing(member: User, stranger: User) -> None:
    """The slip is the person's own: nobody can choose the id of a token, or learn whether one is taken."""
    mine, theirs = by_password(member), by_password(stranger)
    response = theirs.post(NEW, typed(theirs, slip=typed(mine)["slip"]))
    assert response.status_code == 422
    assert not AccessToken.objects.exists()


def test_only_ones_own_teams_pay(member: User, owner: User, team: Team) -> None:
    other = Team.objects.create(name="Sales")
    client = by_password(member)
    opened = page(client, NEW)
    assert "Design" in opened and "Sales" not in opened
    assert client.post(NEW, typed(client, team=str(other.pk))).status_code == 422
    client.post(NEW, typed(client, team=str(team.pk)))
    assert AccessToken.objects.get().paying_team == team
    admins = by_password(owner)  # sees all teams, and is in none
    assert admins.post(NEW, typed(admins, team=str(team.pk))).status_code == 422


def test_it_is_for_the_models_that_were_chosen(member: User, a_key: None) -> None:
    client = by_password(member)
    client.post(NEW, typed(client, which="some", models=[HAIKU]))
    assert AccessToken.objects.get().allowed_models == [HAIKU]
    assert "Haiku 5.5" in page(client, LIST)


def test_a_model_that_one_may_not_use_cannot_be_chosen(member: User) -> None:
    client = by_password(member)
    assert client.post(NEW, typed(client, which="some", models=[HAIKU])).status_code == 422


@pytest.mark.parametrize(
    ("chosen", "days"),
    [
        ({"lifetime": "30"}, 30),
        ({"lifetime": "365"}, 365),
        ({"lifetime": "never"}, None),
        ({"lifetime": "date", "until": "2026-12-24"}, 34.5),
    ],
)
def test_it_ends_when_it_was_asked_to(member: User, chosen: dict[str, str], days: float | None) -> None:
    with time_machine.travel(NOON, tick=False):
        client = by_password(member)
        client.post(NEW, typed(client, **chosen))
        end = AccessToken.objects.get().expires_at
    if days is None:
        assert end is None
    else:
        assert end is not None and abs(end - NOON - timedelta(days=days)) < timedelta(minutes=1)


def test_it_is_asked_who_one_is_before_a_token_is_made(member: User) -> None:
    client = signed_in(member)
    for response in (client.get(NEW), client.post(NEW, {"name": "laptop"})):
        assert response.status_code == 302
        assert "/settings/security/confirm/" in response.headers["Location"]
    assert not AccessToken.objects.exists()


# The list


def test_the_list_says_what_each_may_spent_and_where_it_was_used(member: User, team: Team) -> None:
    token, _ = made(member, team=team, scopes=["messages", "count_tokens"], monthly_nano=20 * DOLLAR)
    spent(datetime.now(UTC).date(), 6 * DOLLAR, user=member.pk, token=token.pk, team=team.pk)
    uses.forget()
    uses.note(token.pk, address="203.0.113.9", client='<script>alert(1)</script> sdk/1 "x"')
    shown = page(signed_in(member), LIST)
    for words in ("Messages, Count tokens", "All of mine", "$6.00", "of $20.00", "203.0.113.9", "Design"):
        assert words in shown, words
    assert "<script>alert" not in shown and "&lt;script&gt;alert(1)" in shown
    assert f"/usage/?period=month&amp;token={token.pk}" in shown
    assert page(signed_in(member), f"/usage/?period=month&token={token.pk}").count("laptop")


def test_the_list_is_sorted_by_its_address(member: User) -> None:
    now = datetime.now(UTC)
    first, _ = made(member, name="beta", expires_at=now + timedelta(days=3))
    second, _ = made(member, name="Alpha", expires_at=now + timedelta(days=2))
    made(member, name="gamma")
    spent(now.date(), DOLLAR, user=member.pk, token=first.pk)
    AccessToken.objects.filter(pk=second.pk).update(last_used_at=now)
    client = signed_in(member)
    for sort, expected in {
        "": ["Alpha", "beta", "gamma"],
        "?sort=name": ["Alpha", "beta", "gamma"],
        "?sort=spend": ["beta", "Alpha", "gamma"],
        "?sort=used": ["Alpha", "beta", "gamma"],
        "?sort=expires": ["Alpha", "beta", "gamma"],
        "?sort=nonsense&page=x": ["Alpha", "beta", "gamma"],
    }.items():
        assert names(page(client, f"{LIST}{sort}")) == expected, sort


def test_the_queries_do_not_grow_with_the_tokens(
    member: User, team: Team, django_assert_num_queries: Any
) -> None:
    client = signed_in(member)
    made(member)
    page(client, LIST)
    for number in range(12):
        made(member, name=f"t{number}", team=team if number % 2 else None, monthly_nano=DOLLAR)
    with django_assert_num_queries(8):
        page(client, LIST)


def test_only_ones_own_are_listed_and_the_revoked_where_asked_for(member: User, stranger: User) -> None:
    made(stranger, name="not mine")
    token, _ = made(member, name="old one")
    actions.revoke(token=token, by=member)
    client = signed_in(member)
    assert "old one" not in page(client, LIST)
    shown = page(client, f"{LIST}?ended")
    assert "old one" in shown and "Revoked" in shown and "not mine" not in shown


def test_what_is_refused_says_why(member: User, team: Team, owner: User) -> None:
    made(member, name="of the team", team=team)
    people.take_out_of_team(by=owner, person=member, team=team)
    assert "not in the team that pays" in page(signed_in(member), LIST)


def test_the_snippets_name_this_server_and_promise_nothing(member: User, settings: Any) -> None:
    client = signed_in(member)
    shown = page(client, LIST)
    assert "http://localhost/v1/messages" in html.unescape(shown)
    assert "Not answered yet" in shown, "there is no front door in this version"
    assert client.post("/v1/messages").status_code == 404
    settings.PUBLIC_URL = "https://chat.example.org"
    assert "https://chat.example.org/v1/messages" in page(client, LIST)


# Changed and revoked


def test_a_name_an_earlier_end_and_a_budget_are_saved(member: User) -> None:
    with time_machine.travel(NOON, tick=False):
        token, _ = made(member, expires_at=NOON + timedelta(days=30))
        client = by_password(member)
        path = f"{LIST}{token.pk}/"
        assert 'value="2026-12-20"' in page(client, path)
        client.post(path, {"name": "desk", "until": "2026-12-01", "limit": "12.50"})
    token.refresh_from_db()
    assert (token.name, str(token.expires_at)) == ("desk", "2026-12-01 23:59:59+00:00")
    budget = Budget.objects.get()
    assert (budget.scope, budget.scope_id, budget.limit, budget.period, budget.mode, budget.enabled) == (
        "token",
        token.pk,
        12_500_000_000,
        "month",
        "block",
        True,
    )


def test_saving_the_same_changes_nothing(member: User) -> None:
    with time_machine.travel(NOON, tick=False):
        token, _ = made(member, expires_at=NOON + timedelta(days=30), monthly_nano=5 * DOLLAR)
        before = AuditEvent.objects.count()
        client = by_password(member)
        signed = AuditEvent.objects.count() - before
        client.post(f"{LIST}{token.pk}/", {"name": "laptop", "until": "2026-12-20", "limit": "5"})
    assert AuditEvent.objects.count() == before + signed
    assert AccessToken.objects.get().expires_at == NOON + timedelta(days=30)


@pytest.mark.parametrize("until", ["", "2027-01-01", "2026-11-19", "never"])
def test_an_end_cannot_be_put_off(member: User, until: str) -> None:
    with time_machine.travel(NOON, tick=False):
        token, _ = made(member, expires_at=NOON + timedelta(days=30))
        response = by_password(member).post(
            f"{LIST}{token.pk}/", {"name": "laptop", "until": until, "limit": ""}
        )
    assert response.status_code == 422
    assert AccessToken.objects.get().expires_at == NOON + timedelta(days=30)


def test_an_own_budget_goes_and_an_admins_stays(member: User, owner: User) -> None:
    token, _ = made(member, monthly_nano=5 * DOLLAR)
    Budget.objects.create(
        name="Of an admin", scope="token", scope_id=token.pk, limit=DOLLAR, created_by=owner.pk
    )
    client = by_password(member)
    client.post(f"{LIST}{token.pk}/", {"name": "laptop", "until": "", "limit": ""})
    assert dict(Budget.objects.values_list("limit", "enabled")) == {5 * DOLLAR: False, DOLLAR: True}
    assert "of $1.00" in page(client, LIST)


def test_revoking_asks_first_and_says_what_ends(member: User) -> None:
    token, sent = made(member, monthly_nano=DOLLAR)
    client, path = signed_in(member), f"{LIST}{token.pk}/revoke/"
    asked = page(client, path)
    assert "refused at once" in asked and "cannot be brought back" in asked
    assert authenticate(sent, scope="messages")
    assert client.post(path).headers["Location"] == LIST
    with pytest.raises(TokenRefused):
        authenticate(sent, scope="messages")
    assert not Budget.objects.get().enabled
    assert client.get(path).status_code == 404, "it is gone"
    event = AuditEvent.objects.get(verb="token.revoked")
    assert (event.actor, event.object) == (member.pk, str(token.pk))


@pytest.mark.parametrize("what", ["", "revoke/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_else_can_touch_it_not_even_an_owner(
    owner: User, member: User, stranger: User, what: str, method: str
) -> None:
    token, sent = made(member)
    for person in (owner, stranger):
        client = by_password(person)
        answer = getattr(client, method)(f"{LIST}{token.pk}/{what}", {"name": "x"})
        nothing = getattr(client, method)(f"{LIST}{uuid4()}/{what}", {"name": "x"})
        assert (answer.status_code, answer.content) == (404, nothing.content)
    assert authenticate(sent, scope="messages").name == "laptop"


def test_strangers_sign_in_first_and_the_deactivated_have_no_page(member: User) -> None:
    for path in (LIST, NEW):
        assert Client().get(path).headers["Location"].startswith("/login/")
    client = signed_in(member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert client.get(LIST).status_code in (302, 404)


# In Manage


def test_an_admin_sees_a_persons_tokens_and_ends_one(admin: User, member: User) -> None:
    token, sent = made(member, name="build server")
    client = signed_in(admin)
    path = f"/manage/people/{member.pk}/"
    revoke = f"{path}tokens/{token.pk}/revoke/"
    assert "build server" in page(client, path) and revoke in page(client, path)
    assert "of <bdi>Mo</bdi>" in page(client, revoke)
    client.post(revoke)
    with pytest.raises(TokenRefused):
        authenticate(sent, scope="messages")
    assert "Revoked" in page(client, path)
    assert AuditEvent.objects.get(verb="token.revoked").actor == admin.pk


def test_an_admin_does_not_end_an_owners_token(admin: User, owner: User) -> None:
    token, sent = made(owner)
    response = signed_in(admin).post(f"/manage/people/{owner.pk}/tokens/{token.pk}/revoke/", follow=True)
    assert "Only an owner changes an owner" in response.content.decode()
    assert authenticate(sent, scope="messages")
    signed_in(owner).post(f"/manage/people/{owner.pk}/tokens/{token.pk}/revoke/")
    with pytest.raises(TokenRefused):
        authenticate(sent, scope="messages")


def test_under_somebody_else_a_token_is_not_found(admin: User, owner: User, member: User, team: Team) -> None:
    token, _ = made(member)
    client = signed_in(admin)
    for path in (
        f"/manage/people/{owner.pk}/tokens/{token.pk}/revoke/",
        f"/manage/people/{uuid4()}/tokens/{token.pk}/revoke/",
        f"/manage/teams/{team.pk}/tokens/{token.pk}/revoke/",
    ):
        assert client.post(path).status_code == 404, path
    assert AccessToken.objects.live().count() == 1


def test_a_manager_ends_what_the_team_pays_for_and_no_more(
    manager: User, member: User, stranger: User, team: Team
) -> None:
    paid, _ = made(member, name="nightly", team=team)
    own, _ = made(member, name="private one")
    spent(datetime.now(UTC).date(), 3 * DOLLAR, user=member.pk, token=paid.pk, team=team.pk)
    client, path = signed_in(manager), f"/manage/teams/{team.pk}/"
    shown = page(client, path)
    assert "nightly" in shown and "$3.00" in shown and "private one" not in shown
    assert client.post(f"{path}tokens/{own.pk}/revoke/").status_code == 404
    for person in (stranger, member):
        assert signed_in(person).post(f"{path}tokens/{paid.pk}/revoke/").status_code == 404
    client.post(f"{path}tokens/{paid.pk}/revoke/")
    assert list(AccessToken.objects.live()) == [own]


def test_who_manages_no_more_ends_nothing(owner: User, manager: User, member: User, team: Team) -> None:
    paid, _ = made(member, team=team)
    Membership.objects.filter(user=manager).update(role="member")
    assert signed_in(manager).post(f"/manage/teams/{team.pk}/tokens/{paid.pk}/revoke/").status_code == 404
    assert AccessToken.objects.live().exists()


def test_an_admin_decides_who_may_have_tokens_and_for_how_long(owner: User, member: User) -> None:
    _, sent = made(member)
    client = signed_in(owner)
    assert signed_in(member).post(POLICY, {"who": "nobody"}).status_code == 404
    assert "1 token can be used now, 1 of a member; 1 without an end" in page(client, POLICY)
    assert (
        client.post(POLICY, {"who": "admins", "longest_days": "45"}).headers["Location"] == "/manage/people/"
    )
    assert TokenPolicy.current() == TokenPolicy("admins", 45)
    with pytest.raises(TokenRefused):
        authenticate(sent, scope="messages")
    theirs = by_password(member)
    assert "does not let you have access tokens" in page(theirs, LIST)
    assert theirs.get(NEW).headers["Location"] == LIST
    event = AuditEvent.objects.get(verb="policy.changed")
    assert event.actor == owner.pk and '"admins"' in event.after
    offered = page(by_password(owner), NEW)
    assert 'value="45"' in offered and 'value="never"' not in offered and 'value="365"' not in offered


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"who": "friends"},
        {"who": "everybody", "longest_days": "0"},
        {"who": "nobody", "longest_days": "x"},
    ],
)
def test_a_decision_that_makes_no_sense_is_not_saved(owner: User, wrong: dict[str, str]) -> None:
    assert signed_in(owner).post(POLICY, wrong).status_code == 422
    assert TokenPolicy.current() == TokenPolicy()


def test_a_token_past_the_longest_life_is_not_made(member: User) -> None:
    policy.change(policy=TokenPolicy("everybody", 30), by=None, via="command")
    client = by_password(member)
    until = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    for chosen in ({"lifetime": "90"}, {"lifetime": "never"}, {"lifetime": "date", "until": until}):
        assert client.post(NEW, typed(client, **chosen)).status_code == 422
    assert not AccessToken.objects.exists()
    assert client.post(NEW, typed(client, lifetime="30")).status_code == 200


# Budgets and people who go


def test_pages_of_budgets_name_the_token(owner: User, member: User) -> None:
    token, _ = made(member, name="night shift", monthly_nano=5 * DOLLAR)
    client = signed_in(owner)
    shown = page(client, "/manage/budgets/")
    assert "night shift" in shown and f">{token.pk}<" not in shown
    one = page(client, f"/manage/budgets/{Budget.objects.get().pk}/")
    assert "night shift" in one


def test_an_admin_sets_a_budget_from_the_persons_page(owner: User, member: User) -> None:
    token, _ = made(member, name="night shift")
    client = signed_in(owner)
    address = f"/manage/budgets/new/?scope=token&scope_id={token.pk}"
    assert address in html.unescape(page(client, f"/manage/people/{member.pk}/"))
    assert f'value="{token.pk}"' in page(client, address)


def test_the_name_of_an_anonymised_persons_token_goes_from_budgets(owner: User, member: User) -> None:
    token, _ = made(member, name="mo's attic")
    Budget.objects.create(name="mo's attic", scope="token", scope_id=token.pk, limit=DOLLAR)
    anonymising.anonymise(person=member, by=owner)
    assert "attic" not in Budget.objects.get().name
    assert "attic" not in html.unescape(page(signed_in(owner), "/manage/budgets/"))


def test_nothing_a_person_wrote_is_in_the_audit_log(member: User) -> None:
    token, _ = made(member, name="the attic of mo", monthly_nano=DOLLAR)
    actions.change(token=token, name="the cellar of mo", expires_at=None, monthly_nano=2 * DOLLAR, by=member)
    actions.revoke(token=token, by=member)
    log = json.dumps(list(AuditEvent.objects.values("name", "before", "after")))
    assert "attic" not in log and "cellar" not in log
    assert {"token.made", "token.changed", "token.revoked", "budget.made", "budget.changed"} <= set(
        AuditEvent.objects.values_list("verb", flat=True)
    )


def test_the_checksum_is_the_documented_one() -> None:
    body = text.new().reveal().removeprefix("parley_")
    number = 0
    for character in body[43:]:
        number = number * 62 + text.ALPHABET.index(character)
    assert number == zlib.crc32(body[:43].encode())
