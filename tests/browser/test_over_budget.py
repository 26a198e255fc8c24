"""A limit refuses an answer: the person asks for more in the chat, once, and reads what became of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.chat import answer, expect_status, send, turns
from usage.budgets import actions as budget_actions
from usage.models import BudgetPeriod, LimitRequest

pytestmark = pytest.mark.django_db(transaction=True)


def test_asking_for_more_in_the_chat(visit: Callable[..., Page], owner: User) -> None:
    budget = budget_actions.make(
        by=owner.pk,
        name="Everyone",
        scope="organisation",
        scope_id=None,
        measure="requests",
        period="total",
        timezone_name="UTC",
        limit=1,
        mode="block",
    )
    BudgetPeriod.objects.update(settled=1)
    page = visit("/")
    send(page, "Hello.")
    expect_status(page, "failed")
    expect(answer(page)).to_contain_text("No room in the budget “Everyone”.")
    page.get_by_role("button", name="Ask for more").click()
    expect(answer(page)).to_contain_text("You asked for more")
    expect(turns(page)).to_have_count(2)
    request = LimitRequest.objects.get()
    assert (request.budget_id, request.asked_by) == (budget.pk, owner.pk)

    page.reload()
    expect(answer(page)).to_contain_text("You asked for more")
    expect(page.get_by_role("button", name="Ask for more")).to_have_count(0)

    budget_actions.approve(by=owner.pk, request=request, limit=20, answer="Go on.")
    page.reload()
    expect(answer(page)).to_contain_text("Approved")
    expect(answer(page)).to_contain_text("Go on.")
    page.get_by_role("button", name="Try again").click()
    expect_status(page, "completed")
