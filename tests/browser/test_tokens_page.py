"""A new access token in Chromium: copied with a click, and gone from the page, the way back and a reload."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Error, Page, expect

from accounts.models import AccessToken, User
from accounts.tokens.authentication import authenticate
from tests.live import PASSWORD, LiveServer

pytestmark = pytest.mark.django_db(transaction=True)


def fill(page: Page, name: str) -> None:
    """From the list on; says the password where it was not asked of late."""
    page.get_by_role("link", name="New token").first.click()
    confirming = page.get_by_role("heading", name="Confirm that it is you")
    expect(confirming.or_(page.get_by_role("heading", name="New token"))).to_be_visible()
    if confirming.is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill(name)


def test_it_is_copied_whole_and_does_not_come_back(visit: Callable[..., Page], owner: User) -> None:
    page = visit("/settings/tokens/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fill(page, "laptop")
    page.get_by_role("button", name="Make it").click()
    shown = page.locator(".token-text code")
    expect(shown).to_be_visible()
    text = shown.inner_text()
    page.locator(".token-text").get_by_role("button", name="Copy").click()
    page.wait_for_function("async (text) => (await navigator.clipboard.readText()) === text", arg=text)
    assert authenticate(text, scope="messages").person == owner

    page.get_by_role("link", name="API tokens").click()
    expect(page.get_by_role("row", name="laptop")).to_be_visible()
    assert text not in page.content() and text not in page.url
    with pytest.raises(
        Error, match="ERR_CACHE_MISS"
    ):  # Chromium kept nothing, and asks before it sends again
        page.go_back()


def test_reloading_the_answer_makes_no_second_token_and_shows_none(
    visit: Callable[..., Page], owner: User
) -> None:
    page = visit("/settings/tokens/")
    fill(page, "laptop")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".token-text code")).to_be_visible()
    page.reload()
    expect(page.get_by_text("It was made already")).to_be_visible()
    expect(page.locator(".token-text code")).to_have_count(0)
    assert AccessToken.objects.count() == 1


def test_a_snippet_is_chosen_and_a_day_is_asked_for_only_where_it_is_needed(
    visit: Callable[..., Page], server: LiveServer
) -> None:
    page = visit("/settings/tokens/")
    expect(page.get_by_text(f"curl {server.url}/v1/messages")).to_be_visible()
    page.get_by_text("Coding agent").click()
    expect(page.get_by_text(f'ANTHROPIC_BASE_URL="{server.url}"')).to_be_visible()
    expect(page.get_by_text("curl", exact=True)).to_be_hidden()
    fill(page, "laptop")
    day, models = page.get_by_label("Last day"), page.get_by_label("Haiku 5.5")
    expect(day).to_be_hidden()
    expect(models).to_be_hidden()
    page.get_by_label("Ends").select_option("date")
    page.get_by_text("Only these").click()
    expect(day).to_be_visible()
    expect(models).to_be_visible()
