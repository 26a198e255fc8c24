"""People see what limits them and ask for more; admins approve or refuse, once, and the person reads it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.template import Context, Template
from django.template.loader import render_to_string

from accounts.ids import uuid7
from accounts.models import AccessToken, Team, User
from providers.simulator.server import ThreadServer
from usage import metering
from usage.budgets import actions as budget_actions
from usage.budgets import view as budget_view
from usage.caller import Caller
from usage.errors import CallRefused
from usage.models import Budget, LimitRequest

from .conftest import asking
from .conftest import vendor as vendor
from .limits import ASK, DOLLAR, LIST, REQUESTS, budget, used, words
from .limits import stranger as stranger
from .limits import support as support
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in


def test_the_own_view_shows_what_limits_this_person_and_whence(
    owner: User, member: User, stranger: User, support: Team
) -> None:
    used(budget(owner, name="House"), 2 * DOLLAR)
    each = budget(owner, name="Support each", scope="member", scope_id=support.pk, limit=10 * DOLLAR)
    used(each, 9 * DOLLAR, subject=member.pk)
    budget(owner, name="Sam alone", scope="person", scope_id=stranger.pk)
    budget(owner, name="Off", scope="person", scope_id=member.pk)
    budget_actions.switch(budget=Budget.objects.get(name="Off"), on=False)
    mine = words(render_to_string("usage/_budgets.html", {"budgets": budget_view.own(member)}))
    assert "$9.00 used, $1.00 left of $10.00" in mine.replace(" ,", ",")
    assert "from Support, the same for each member" in mine
    assert "from the organisation, shared by everyone" in mine
    assert mine.index("Support each") < mine.index("House")
    assert "Sam alone" not in mine
    assert "Off" not in mine
    assert "Sam alone" in render_to_string("usage/_budgets.html", {"budgets": budget_view.own(stranger)})
    assert render_to_string("usage/_budgets.html", {"budgets": []}).strip() == ""


def test_a_double_click_makes_one_request(owner: User, member: User) -> None:
    one = budget(owner)
    client = signed_in(member)
    first = client.post(ASK, {"budget": one.pk}, headers={"hx-request": "true"})
    second = client.post(ASK, {"budget": one.pk}, headers={"hx-request": "true"})
    for answer in (first, second):
        assert answer.status_code == 200
        assert "You asked for more" in words(answer.content.decode())
    request = LimitRequest.objects.get()
    assert (request.asked_by, request.state, request.wanted) == (member.pk, "open", None)
    assert LimitRequest.objects.filter(state="open").count() == 1
    assert "You asked for more" in words(page(client, f"{ASK}?budget={one.pk}"))
    assert "Ask for more" in words(page(signed_in(owner), f"{ASK}?budget={one.pk}"))


def test_the_navigation_can_say_how_many_wait(owner: User, member: User) -> None:
    budget_actions.ask_for_more(by=member, budget=budget(owner))
    mark = Template("{% load budget_marks %}{% manage_marks as marks %}{{ marks.waiting }}")
    assert mark.render(Context()) == "1"


def test_nobody_asks_of_a_budget_that_is_not_theirs(
    owner: User, member: User, stranger: User, support: Team
) -> None:
    token = AccessToken.objects.create(user=member, name="laptop", prefix="pa-1", sha256="0" * 64)
    of_member = [
        budget(owner, scope="person", scope_id=member.pk),
        budget(owner, scope="team", scope_id=support.pk),
        budget(owner, scope="member", scope_id=support.pk),
        budget(owner, scope="token", scope_id=token.pk),
    ]
    for one in of_member:
        assert signed_in(stranger).post(ASK, {"budget": one.pk}).status_code == 404
        assert signed_in(stranger).get(f"{ASK}?budget={one.pk}").status_code == 404
    assert LimitRequest.objects.count() == 0
    for one in of_member:
        assert signed_in(member).post(ASK, {"budget": one.pk}).status_code == 302
    assert LimitRequest.objects.count() == 4
    for nothing in ("", "x", "0190a6b0-0000-7000-8000-000000000000"):
        assert signed_in(member).post(ASK, {"budget": nothing}).status_code == 404


def test_a_reason_and_a_wish_come_with_the_request(owner: User, member: User) -> None:
    one = budget(owner)
    client = signed_in(member)
    low = client.post(ASK, {"budget": one.pk, "wanted": "5"}, headers={"hx-request": "true"})
    assert "$20.00 already" in words(low.content.decode())
    client.post(ASK, {"budget": one.pk, "wanted": "60", "reason": "Two\nmore <b>nights</b>."})
    request = LimitRequest.objects.get()
    assert (request.wanted, request.reason) == (60 * DOLLAR, "Two more <b>nights</b>.")
    shown = page(signed_in(owner), LIST)
    assert "asks for $60.00 instead of $20.00" in words(shown)
    assert "Two more &lt;b&gt;nights&lt;/b&gt;." in shown
    assert 'name="limit" inputmode="decimal" maxlength="30" autocomplete="off" value="60.00"' in shown


def test_a_wish_that_makes_no_sense_stays_as_typed(owner: User, member: User) -> None:
    answer = signed_in(member).post(
        ASK, {"budget": budget(owner).pk, "wanted": "60,00", "reason": "Typed words."}
    )
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "no thousands separators" in text
    assert 'value="60,00"' in text
    assert 'value="Typed words."' in text
    assert LimitRequest.objects.count() == 0


@pytest.mark.services
def test_clicks_at_the_same_moment_make_one_request(owner: User, member: User) -> None:
    one, ready = budget(owner), Barrier(4)

    def click() -> bool:
        try:
            ready.wait(10)
            return budget_actions.ask_for_more(by=member, budget=one)[1]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [future.result() for future in [pool.submit(click) for _ in range(4)]]
    assert sorted(made) == [False, False, False, True]
    assert LimitRequest.objects.count() == 1


def test_an_approved_limit_counts_at_the_next_call(owner: User, member: User, vendor: ThreadServer) -> None:
    one = budget(owner, measure="requests", limit=1, period="total")

    async def ask() -> None:
        async with metering.call(
            Caller(user_id=member.pk), asking(), purpose="chat", call_id=uuid7()
        ) as call:
            async for _event in call:
                pass

    asyncio.run(ask())
    with pytest.raises(CallRefused) as refused:
        asyncio.run(ask())
    assert refused.value.detail is not None
    signed_in(member).post(ASK, {"budget": refused.value.detail.budget})
    request = LimitRequest.objects.get()
    answer = signed_in(owner).post(
        f"{REQUESTS}{request.pk}/", {"verdict": "approve", "limit": "2", "answer": "Only today."}
    )
    assert answer.status_code == 302
    asyncio.run(ask())
    with pytest.raises(CallRefused):
        asyncio.run(ask())
    one.refresh_from_db()
    request.refresh_from_db()
    assert one.limit == request.granted == 2
    assert (request.state, request.decided_by, request.answer) == ("approved", owner.pk, "Only today.")
    seen = words(page(signed_in(member), f"{ASK}?budget={one.pk}"))
    assert "Approved" in seen
    assert "Only today." in seen


def test_a_refusal_needs_a_sentence_and_is_read_by_the_person(owner: User, member: User) -> None:
    one = budget(owner)
    client = signed_in(owner)
    signed_in(member).post(ASK, {"budget": one.pk})
    request = LimitRequest.objects.get()
    bare = client.post(f"{REQUESTS}{request.pk}/", {"verdict": "refuse", "limit": "77", "answer": ""})
    assert bare.status_code == 422
    assert "Say in a sentence why" in bare.content.decode()
    assert 'value="77"' in bare.content.decode()
    client.post(f"{REQUESTS}{request.pk}/", {"verdict": "refuse", "answer": "Use the small model."})
    request.refresh_from_db()
    one.refresh_from_db()
    assert (request.state, request.granted, one.limit) == ("refused", None, 20 * DOLLAR)
    mine = words(render_to_string("usage/_budgets.html", {"budgets": budget_view.own(member)}))
    assert "Use the small model." in mine
    decided = words(page(client, REQUESTS))
    assert "Refused" in decided
    assert "Nobody waits." in decided
    assert signed_in(member).post(ASK, {"budget": one.pk}).status_code == 302
    assert LimitRequest.objects.filter(state="open").count() == 1


@pytest.mark.parametrize("limit", ["20", "3", "", "1,5"])
def test_an_approval_without_a_higher_limit_stays_open_as_typed(
    owner: User, member: User, limit: str
) -> None:
    one = budget(owner)
    request, _ = budget_actions.ask_for_more(by=member, budget=one)
    answer = signed_in(owner).post(
        f"{REQUESTS}{request.pk}/", {"verdict": "approve", "limit": limit, "answer": "Typed words"}
    )
    assert answer.status_code == 422
    assert 'value="Typed words"' in answer.content.decode()
    request.refresh_from_db()
    one.refresh_from_db()
    assert (request.state, request.decided_by, one.limit) == ("open", None, 20 * DOLLAR)


def test_a_request_is_decided_once(owner: User, admin: User, member: User) -> None:
    one = budget(owner)
    request, _ = budget_actions.ask_for_more(by=member, budget=one)
    first, second = signed_in(owner), signed_in(admin)
    first.post(f"{REQUESTS}{request.pk}/", {"verdict": "approve", "limit": "30"})
    late = second.post(f"{REQUESTS}{request.pk}/", {"verdict": "approve", "limit": "90"}, follow=True)
    assert "decided this request meanwhile" in late.content.decode()
    one.refresh_from_db()
    request.refresh_from_db()
    assert (one.limit, request.decided_by) == (30 * DOLLAR, owner.pk)


def test_letters_go_to_the_admins_and_back(owner: User, admin: User, member: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED, settings.PUBLIC_URL = True, "https://chat.example.org"
    one = budget(owner)
    signed_in(member).post(ASK, {"budget": one.pk, "reason": "The archive."})
    request = LimitRequest.objects.get()
    assert sorted(letter.to[0] for letter in mail.outbox) == [admin.email, owner.email]
    assert f"https://chat.example.org{REQUESTS}#request-{request.pk}" in str(mail.outbox[0].body)
    assert "The archive." in str(mail.outbox[0].body)
    mail.outbox.clear()
    signed_in(owner).post(
        f"{REQUESTS}{request.pk}/", {"verdict": "approve", "limit": "30", "answer": "Fine."}
    )
    (letter,) = mail.outbox
    assert letter.to == [member.email]
    assert "$30.00 per month now" in str(letter.body)
    assert "Fine." in str(letter.body)


def test_without_mail_no_letter_is_sent(owner: User, member: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = False
    budget_actions.ask_for_more(by=member, budget=budget(owner))
    assert mail.outbox == []


def test_a_mail_server_that_is_down_fails_nothing(owner: User, member: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    settings.EMAIL_BACKEND = "tests.usage.test_asking_for_more.NoMailServer"
    assert signed_in(member).post(ASK, {"budget": budget(owner).pk}).status_code == 302
    assert LimitRequest.objects.count() == 1


class NoMailServer:
    """A mail backend that cannot be reached."""

    def __init__(self, **_: Any) -> None:
        raise ConnectionRefusedError
