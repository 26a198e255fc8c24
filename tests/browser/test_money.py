"""Money in the chat as a person meets it: what sending costs while one types, and what was spent."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from tests.browser.chat import Model, answer, asked, box, expect_status, scripted, send, until
from tests.browser.watch import Watch
from usage.budgets import actions as budget_actions
from usage.models import Budget, LedgerLine

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "Tell me about the harbour. " * 300
FIGURES = re.compile(r"/estimate/$")


def estimate(page: Page) -> Locator:
    return page.locator(".composer-cost > .button")


def cached(page: Page) -> Locator:
    """The line of the estimate's details that says what is read from the cache."""
    return page.locator("#estimate [data-row=cached]")


def choose(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile("^Model: ")).click()
    page.locator("#models .model", has_text=name).first.click()


def test_the_estimate_follows_the_typing_without_asking_anybody(page: Page, watch: Watch) -> None:
    page.wait_for_load_state()
    expect(estimate(page)).to_be_hidden()
    box(page).fill("Hello.")
    expect(estimate(page)).to_have_text(re.compile(r"^≈ \$0\.00\d\d$"))
    short, place = estimate(page).inner_text(), page.locator(".composer-send").bounding_box()
    requests = len([path for path in watch.paths() if FIGURES.search(path)])
    box(page).press_sequentially(" And then, what of the pier?")
    page.evaluate("(text) => document.execCommand('insertText', false, text)", " and" * 20_000)
    expect(estimate(page)).not_to_have_text(short)
    expect(estimate(page)).to_have_attribute(
        "aria-label", re.compile(r"^Estimated cost: about \$0\.\d+, at most")
    )
    sent_from = page.locator(".composer-send").bounding_box()
    assert place is not None
    assert sent_from is not None
    assert (sent_from["x"], sent_from["width"]) == (place["x"], place["width"]), "the button moved"
    assert len([path for path in watch.paths() if FIGURES.search(path)]) == requests


def test_a_cache_that_ends_makes_the_estimate_dearer_by_itself(page: Page, watch: Watch) -> None:
    asked(page, LONG, deltas=1)
    page.clock.install()
    page.reload()
    page.clock.run_for(1_000)
    until(page, lambda: page.clock.run_for(200) or estimate(page).is_visible())
    warm = estimate(page).inner_text()
    estimate(page).click()
    expect(cached(page)).to_be_visible()
    requests = len([path for path in watch.paths() if FIGURES.search(path)])
    page.clock.fast_forward("05:00")
    expect(cached(page)).to_be_hidden()
    expect(estimate(page)).not_to_have_text(warm)
    assert len([path for path in watch.paths() if FIGURES.search(path)]) == requests


def test_switching_the_model_warns_once_and_can_be_taken_back(page: Page) -> None:
    asked(page, LONG, deltas=1)
    warning = page.locator("#composer-notice [data-switch]")
    expect(estimate(page)).to_be_visible()
    before = estimate(page).inner_text()
    choose(page, "Opus 5.5")
    expect(warning).to_contain_text(
        re.compile(r"Switching resends [\d,]+ tokens without cache: about \$0\.\d+ more")
    )
    expect(estimate(page)).not_to_have_text(before)
    warning.get_by_role("button", name="Stay with Sonnet 5.5").click()
    expect(warning).to_have_count(0)
    expect(estimate(page)).to_have_text(before)
    expect(page.get_by_role("button", name="Model: Sonnet 5.5")).to_be_visible()

    choose(page, "Opus 5.5")
    warning.get_by_role("button", name="Dismiss").click()
    page.get_by_text("Search", exact=True).click()  # other tools: the figures come anew
    expect(page.locator("#estimate [data-when=searches]")).not_to_have_attribute("hidden", "")
    expect(warning).to_have_count(0)


def test_the_details_are_kept_true_and_open_their_calls(page: Page) -> None:
    asked(page, "One.", deltas=1)
    page.get_by_role("button", name="Details of the conversation").click()
    panel = page.locator("#details")
    expect(panel).to_contain_text("This conversation: 2 calls")
    expect(panel.locator("summary", has_text="Titles")).to_contain_text("in the background")
    first = panel.locator(".panel-sum").inner_text()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    asked(page, "Two.", deltas=1)
    page.get_by_role("button", name="Details of the conversation").click()
    expect(panel).to_contain_text("This conversation: 3 calls")
    expect(panel.locator(".panel-sum")).not_to_have_text(first)
    panel.locator("summary", has_text="This branch").press("Enter")
    expect(panel.locator("li a")).to_have_count(6)  # by branch and purpose, and by model
    panel.locator("details[open] li a").first.click()
    expect(page.get_by_role("heading", name=re.compile("^Call of "))).to_be_visible()


def test_the_meter_appears_when_an_answer_has_brought_a_limit_near(
    page: Page, owner: User, model: Model
) -> None:
    asked(page, "One.", deltas=1)
    spent = sum(LedgerLine.objects.values_list("cost_nano", flat=True))
    budget = budget_actions.make(
        by=owner.pk,
        name="Everyone",
        scope="organisation",
        scope_id=None,
        measure="money",
        period="month",
        timezone_name="UTC",
        limit=10 * spent,
        mode="warn",
    )
    page.reload()
    meter = page.locator("#budget-meter")
    expect(page.locator("#me-budget")).to_contain_text(" of $")
    expect(meter).to_be_empty()
    Budget.objects.filter(pk=budget.pk).update(limit=spent * 11 // 10)
    send(page, scripted("Two.", deltas=1))
    expect_status(page, "completed")
    expect(meter.get_by_role("link")).to_contain_text(re.compile(r"Everyone.* left of \$.* until 1 "))
    expect(answer(page)).to_be_visible()
    meter.get_by_role("link").click()
    expect(page.get_by_role("heading", name="My usage", exact=True)).to_be_visible()
