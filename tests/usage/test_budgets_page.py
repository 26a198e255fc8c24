"""Manage, Budgets: made, changed and looked at by owners and admins, and by nobody else."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.ids import uuid7
from accounts.models import Team, User
from providers.simulator.server import ThreadServer
from usage import metering
from usage.budgets import actions as budget_actions
from usage.budgets import periods as budget_periods
from usage.budgets import view as budget_view
from usage.budgets import words as budget_words
from usage.caller import Caller
from usage.models import Budget, LimitRequest

from .conftest import asking
from .conftest import vendor as vendor
from .limits import ASK, DOLLAR, LIST, NEW, REQUESTS, budget, used, values, words
from .limits import support as support
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in


def test_a_member_finds_no_page_of_budgets(owner: User, member: User) -> None:
    one = budget(owner)
    client = signed_in(member)
    for path in (LIST, NEW, REQUESTS, f"{LIST}{one.pk}/"):
        assert client.get(path).status_code == 404
    for path in (NEW, f"{LIST}{one.pk}/", f"{LIST}{one.pk}/switch/", f"{REQUESTS}{one.pk}/"):
        assert client.post(path, values(limit="1")).status_code == 404
    one.refresh_from_db()
    assert (one.limit, one.enabled) == (20 * DOLLAR, True)


def test_who_is_not_signed_in_is_asked_to(owner: User) -> None:
    client = Client(headers={"host": "localhost"})
    for path in (LIST, NEW, REQUESTS, ASK):
        assert client.get(path)["Location"].startswith("/login/")
    assert client.post(ASK, {"budget": budget(owner).pk})["Location"].startswith("/login/")
    assert LimitRequest.objects.count() == 0


def test_an_empty_page_offers_the_next_step(admin: User) -> None:
    assert "Make the first budget" in page(signed_in(admin), LIST)


@pytest.mark.parametrize(
    ("typed", "measure", "amount"),
    [
        ("400", "money", 400 * DOLLAR),
        ("$12.5", "money", 12_500_000_000),
        ("0.000000001", "money", 1),
        ("1284.070000001", "money", 1_284_070_000_001),
        ("5000", "requests", 5000),
        ("2000000", "tokens", 2_000_000),
    ],
)
def test_a_limit_is_stored_exactly(admin: User, typed: str, measure: str, amount: int) -> None:
    client = signed_in(admin)
    assert client.post(NEW, values(limit=typed, measure=measure)).status_code == 302
    made = Budget.objects.get()
    assert (made.limit, made.measure, made.name) == (amount, measure, "Everyone")
    assert (made.timezone, made.created_by, made.scope_id) == ("Europe/Lisbon", admin.pk, None)
    form = page(client, f"{LIST}{made.pk}/")
    shown = re.search(r'name="limit" value="([^"]*)"', form)
    assert shown is not None
    assert budget_words.parsed(measure, shown[1]) == amount


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"limit": ""}, "required"),
        ({"limit": "1,000"}, "no thousands separators"),
        ({"limit": "0"}, "above zero"),
        ({"limit": "-4"}, "such as 40"),
        ({"limit": "1e9"}, "such as 40"),
        ({"limit": "NaN"}, "such as 40"),
        ({"limit": "0.0000000001"}, "such as 40"),
        ({"limit": "9999999999"}, "more than can be counted"),
        ({"limit": "1.5", "measure": "tokens"}, "whole number"),
        ({"timezone": "Mars/Olympus"}, "Select a valid choice"),
        ({"scope": "team"}, "Choose whom"),
        ({"scope": "person"}, "Choose whom"),
        ({"scope": "token", "scope_id": "x"}, "This is no id"),
        ({"scope": "token", "scope_id": "0190a6b0-0000-7000-8000-000000000000"}, "no access token"),
        ({"mode": "cheaper"}, "Choose the model"),
        ({"mode": "cheaper", "cheaper_model": "nobody/knows"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_refused_and_stays_as_typed(
    owner: User, change: dict[str, str], says: str
) -> None:
    answer = signed_in(owner).post(NEW, values(name="A name that was typed", **change))
    assert answer.status_code == 422
    text = answer.content.decode()
    assert says in text
    assert 'value="A name that was typed"' in text
    assert f'value="{values(**change)["limit"]}"' in text or change.get("limit") == ""
    assert Budget.objects.count() == 0


def test_people_and_teams_are_chosen_by_name(owner: User, member: User, support: Team) -> None:
    client = signed_in(owner)
    form = page(client, NEW)
    assert f'<option value="{support.pk}">Support</option>' in form
    assert f'<option value="{member.pk}">Mo · mo@example.org</option>' in form
    client.post(NEW, values(scope="member", team=str(support.pk), limit="20"))
    client.post(NEW, values(scope="person", person=str(member.pk), limit="30"))
    each, one = Budget.objects.order_by("id")
    assert (each.scope, each.scope_id, each.name) == ("member", support.pk, "Each member of Support")
    assert (one.scope, one.scope_id, one.name) == ("person", member.pk, "Mo")


def test_a_cheaper_model_is_one_of_those_on_offer(owner: User, vendor: ThreadServer) -> None:
    client = signed_in(owner)
    ref = "anthropic/claude-sonnet-5-5"
    assert f'value="{ref}"' in page(client, NEW)
    assert client.post(NEW, values(mode="cheaper", cheaper_model=ref)).status_code == 302
    assert Budget.objects.get().cheaper_model == ref
    assert "Goes on with Sonnet 5.5" in words(page(client, LIST))


def test_the_list_says_in_words_how_full_each_is(owner: User, member: User, support: Team) -> None:
    fine = budget(owner, name="Fine")
    near = budget(owner, name="Near one", scope="member", scope_id=support.pk)
    over = budget(owner, name="Over", measure="requests", limit=1000)
    used(fine, 5_250_000_000, 1_000_000_000)
    used(near, 19_580_000_000)
    used(over, 1000)
    client = signed_in(owner)
    rows = re.findall(r"<tr>.*?</tr>", page(client, LIST), re.S)[1:]
    first, second, third = (words(row) for row in rows)
    assert "Over" in first
    assert "1,000 of 1,000 requests" in first
    assert "Reached" in first
    assert "$19.58 of $20.00 $0.42 Near" in second
    assert "1 person, highest is Mo" in second
    assert "$5.25 of $20.00, $1.00 held $13.75 On course" in third
    assert 'width="26.2" height="6"' in rows[2]
    assert "style=" not in "".join(rows)


def test_state_and_scope_are_in_the_address(owner: User, member: User) -> None:
    fine, over = (
        budget(owner, name="Fine one"),
        budget(owner, name="Full one", scope="person", scope_id=member.pk),
    )
    used(over, 20 * DOLLAR)
    budget_actions.switch(budget=budget(owner, name="Sleeping"), on=False)
    client = signed_in(owner)
    found = {
        query: {name for name in ("Fine one", "Full one", "Sleeping") if name in page(client, LIST + query)}
        for query in ("", "?state=over", "?state=ok", "?state=off", "?scope=person", "?scope=person&state=ok")
    }
    assert found == {
        "": {"Fine one", "Full one", "Sleeping"},
        "?state=over": {"Full one"},
        "?state=ok": {"Fine one"},
        "?state=off": {"Sleeping"},
        "?scope=person": {"Full one"},
        "?scope=person&state=ok": set(),
    }
    assert page(client, LIST + "?state=nonsense&scope=nonsense&page=99")
    assert fine.enabled


def test_the_list_needs_no_more_queries_for_more_budgets(
    owner: User, support: Team, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        budget(owner, name=f"Number {number}", scope="team", scope_id=support.pk)
    client = signed_in(owner)
    with django_assert_max_num_queries(15):
        page(client, LIST)


def test_a_change_keeps_what_the_budget_counts(owner: User, member: User) -> None:
    one = budget(owner)
    used(one, 7 * DOLLAR)
    client = signed_in(owner)
    answer = client.post(
        f"{LIST}{one.pk}/",
        values(
            limit="50.5", name="All of us", scope="person", person=str(member.pk), period="day", mode="warn"
        ),
    )
    assert answer.status_code == 302
    one.refresh_from_db()
    assert (one.limit, one.name, one.mode) == (50_500_000_000, "All of us", "warn")
    assert (one.scope, one.period, one.timezone) == ("organisation", "month", "UTC")
    assert "$7.00" in page(client, f"{LIST}{one.pk}/")


def test_a_refused_change_keeps_what_was_typed(owner: User) -> None:
    one = budget(owner)
    answer = signed_in(owner).post(f"{LIST}{one.pk}/", values(limit="12,50", name="Typed"))
    assert answer.status_code == 422
    assert 'value="12,50"' in answer.content.decode()
    one.refresh_from_db()
    assert one.limit == 20 * DOLLAR


def test_a_budget_is_switched_off_and_on_again(owner: User) -> None:
    one = budget(owner)
    client = signed_in(owner)
    client.post(f"{LIST}{one.pk}/switch/")
    one.refresh_from_db()
    assert not one.enabled
    assert "limits nothing" in words(page(client, f"{LIST}{one.pk}/"))
    client.post(f"{LIST}{one.pk}/switch/", {"on": "1"})
    one.refresh_from_db()
    assert one.enabled


def test_what_estimated_admission_can_pass_by_is_said(owner: User) -> None:
    text = words(page(signed_in(owner), NEW))
    assert "The limit is never passed." in text
    assert "pass an estimated limit" in text


def test_a_new_budget_counts_what_was_used_before_it(owner: User, member: User, vendor: ThreadServer) -> None:
    async def ask() -> int:
        async with metering.call(
            Caller(user_id=member.pk), asking(), purpose="chat", call_id=uuid7()
        ) as call:
            async for _event in call:
                pass
        assert call.settlement is not None
        return call.settlement.cost_nano

    spent = asyncio.run(ask())
    (line,) = budget_view.shown([budget(owner)])
    assert line.meter.settled == spent > 0


def test_a_budget_begins_anew_in_its_own_time_zone(owner: User) -> None:
    one = budget(owner, timezone_name="Asia/Tokyo")
    (line,) = budget_view.shown([one])
    assert line.resets_at is not None
    assert (line.resets_at.day, line.resets_at.hour) == (1, 0)
    assert line.resets.endswith("00:00 Asia/Tokyo")
    span = budget_periods.window(one, datetime(2026, 11, 30, 15, 0, tzinfo=UTC))
    assert span.begins_at == datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
