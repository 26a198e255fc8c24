"""A second factor that a role needs: by when, and what is left to those who have none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts import actions
from accounts.models import AccessToken, AuditEvent, Organisation, User
from accounts.sign_in import policy as sign_in_policy
from accounts.sign_in import second_factors
from providers.access import Secret

from .conftest import PASSWORD, signed_in
from .signing_in import by_password, code_of, is_signed_in, with_app, with_passkey

PAGE = "/manage/settings/sign-in/"
ENROL = "/settings/security/second-step/"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    """Stands still, and can be moved."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def need(*roles: str, by: User, days: int = 7) -> None:
    sign_in_policy.decide(by=by, roles=roles, grace_days=days)


def due(person: User) -> datetime | None:
    person.refresh_from_db()
    return person.second_factor_due


def confirm(client: Client) -> None:
    client.post("/settings/security/confirm/", {"password": PASSWORD})


def test_the_policy_is_decided_on_its_page_and_noted(owner: User, member: User) -> None:
    client = signed_in(owner)
    sent = {"roles": ["member", "admin"], "grace_days": "7"}
    assert client.post(PAGE, sent).headers["Location"].startswith("/settings/security/confirm/")
    client.post("/settings/security/confirm/", {"password": PASSWORD, "next": PAGE})
    assert sign_in_policy.current() == sign_in_policy.SignInPolicy(frozenset({"member", "admin"}), 7)
    event = AuditEvent.objects.latest("number")
    assert (event.verb, event.actor, event.object) == ("policy.changed", owner.pk, "sign_in")
    assert '"second_factor_roles": ["admin", "member"]' in event.after
    page = client.get(PAGE).content.decode()
    assert "0 of 1 has one" in page
    assert member.email in page


@pytest.mark.parametrize("sent", [{"grace_days": "-1"}, {"grace_days": "9999"}, {"roles": ["god"]}])
def test_nonsense_is_refused(owner: User, sent: dict[str, Any]) -> None:
    client = signed_in(owner)
    confirm(client)
    assert client.post(PAGE, {"roles": ["member"], "grace_days": "7", **sent}).status_code == 422
    organisation = Organisation.current()
    assert organisation is not None
    assert organisation.policy == {}


def test_for_members_and_strangers_the_page_does_not_exist(member: User, client: Client) -> None:
    for method in ("get", "post"):
        assert getattr(signed_in(member), method)(PAGE).status_code == 404
        assert getattr(client, method)(PAGE).headers["Location"].startswith("/login/")


def test_who_comes_under_the_rule_gets_their_days(owner: User, member: User, clock: Any) -> None:
    with_app(owner)
    need("owner", "member", by=owner)
    assert (due(owner), due(member)) == (None, NOW + 7 * DAY)

    clock.shift(DAY)
    new = actions.create_user(email="new@example.org", password=PASSWORD)
    by_password(new)
    assert due(new) == NOW + 8 * DAY
    need("owner", "member", by=owner, days=2)
    assert (due(member), due(new)) == (NOW + 2 * DAY, NOW + 3 * DAY), (
        "a shorter time counts from the same start"
    )
    with_app(member)
    assert due(member) is None
    need(by=owner)
    assert due(new) is None


def test_within_the_time_a_line_says_until_when_and_all_goes_on(owner: User, member: User) -> None:
    need("member", by=owner)
    client = by_password(member)
    page = client.get("/usage/").content.decode()
    assert "Your role needs a second factor to sign in, from 27 November on." in page
    assert "You have time until 27 November 2026" in client.get(ENROL).content.decode()
    assert "second factor" not in signed_in(owner).get("/usage/").content.decode()


CLOSED = [
    ("get", "/", {}, 302),
    ("get", "/usage/", {}, 302),
    ("get", "/settings/security/", {}, 302),
    ("post", "/c/", {}, 403),
    ("post", "/settings/security/sessions/end/", {}, 403),
    ("get", "/usage/", {"HX-Request": "true"}, 403),
    ("get", "/usage/", {"Accept": "application/json"}, 403),
    ("get", "/no-such-page/", {}, 302),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), CLOSED)
def test_after_it_only_the_ways_to_a_factor_and_out_are_open(
    owner: User, member: User, clock: Any, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    need("member", by=owner)
    client = by_password(member)
    assert client.get("/usage/").status_code == 200
    clock.shift(7 * DAY)
    answer = getattr(client, method)(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers.get("Location", answer.headers.get("HX-Redirect", ENROL)) == ENROL
    assert client.get(ENROL).status_code == 200
    assert client.get("/logout/").status_code == 200


def test_after_it_a_factor_opens_everything_again(owner: User, member: User, clock: Any) -> None:
    need("member", by=owner, days=0)
    client = by_password(member)
    assert client.get("/usage/").headers["Location"] == ENROL
    page = client.get("/settings/security/app/").content.decode()
    secret = page.split('<p class="code">')[1].split("</p>")[0].replace(" ", "")
    assert (
        b"Your recovery codes"
        in client.post("/settings/security/app/", {"code": code_of(Secret(secret))}).content
    )
    assert client.get("/usage/").status_code == 200


def test_tokens_of_those_who_are_held_back_are_refused(owner: User, member: User) -> None:
    token = AccessToken.objects.create(user=member, name="cli", prefix="p", sha256=AccessToken.digest("t"))
    need("member", by=owner)
    assert AccessToken.objects.usable().filter(pk=token.pk).exists()
    need("member", by=owner, days=0)
    assert not AccessToken.objects.usable().filter(pk=token.pk).exists()


def test_the_last_factor_of_a_role_that_needs_one_stays(owner: User, member: User) -> None:
    with_app(member)
    key = with_passkey(member)
    need("member", by=owner)
    client = signed_in(member)
    confirm(client)
    first = f"/settings/security/factors/{key.pk}/remove/"
    assert b"Removed" in client.post(first, follow=True).content
    totp = second_factors.of(member).totp
    assert totp is not None
    kept = client.post(f"/settings/security/factors/{totp.pk}/remove/", follow=True)
    assert b"Add another one before you remove this" in kept.content
    assert second_factors.of(member).totp is not None


def test_who_lost_everything_can_be_given_a_new_start(owner: User, member: User) -> None:
    _secret, _codes = with_app(member)
    need("member", by=owner)
    client = signed_in(member)
    assert second_factors.reset(person=member, by=owner) == 2
    assert not is_signed_in(client)
    assert due(member) == NOW + 7 * DAY
    assert is_signed_in(by_password(member))
    assert AuditEvent.objects.filter(verb="mfa.removed", actor=owner.pk, object=str(member.pk)).exists()
