"""What is done under a turn, and a request whose answer is lost."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from chat.models import Message
from tests.browser.chat import act, turns

TEXT = "The tide is high at noon, and low in the evening at about six."


def editing(page: Page) -> Locator:
    return page.get_by_role("textbox", name="New wording")


def edit(page: Page, nth: int, text: str) -> None:
    """Opens the turn as a box and writes this into it."""
    act(turns(page).nth(nth), "Edit the message").click()
    editing(page).fill(text)


def menu(turn: Locator, name: str) -> Locator:
    """Opens the menu of this button; returns it."""
    button = act(turn, name)
    button.click()
    opened = turn.page.get_by_role("menu")
    expect(opened).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    return opened


def delete(turn: Locator) -> None:
    menu(turn, "More for").get_by_role("menuitem", name="Delete").click()


def undo(page: Page) -> Locator:
    return page.locator("#composer-notice").get_by_role("button", name="Undo")


def lose(route: Any) -> None:
    """The request arrives, and its answer is lost on the way."""
    route.fetch()
    route.abort()


def questions() -> list[str]:
    return [message.text for message in Message.objects.filter(role="user").order_by("created_at")]
