"""Everything by keyboard alone, and what people hear who listen to the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    answer,
    box,
    conversation_of,
    expect_status,
    pieces,
    scripted,
    send,
    turns,
    wait_received,
)
from tests.browser.page import script

pytestmark = pytest.mark.django_db(transaction=True)


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Presses Tab until the control has the focus."""
    for _ in range(60):
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"no way to {wanted} with {key}; the focus ended at {focused(page)}")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))


def assert_focus_is_seen(page: Page) -> None:
    """The focused control has an outline, or stands in something that has."""
    seen = page.evaluate(
        """() => {
          for (let node = document.activeElement; node; node = node.parentElement) {
            const { outlineStyle, outlineWidth } = getComputedStyle(node);
            if (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) return true;
            if (node.matches(".composer, .model, .segments, main, dialog")) break;
          }
          const label = document.activeElement.closest("label, .composer");
          return Boolean(label) && getComputedStyle(label).outlineStyle !== "none";
        }"""
    )
    assert seen, f"the focus is not seen: {focused(page)}"


def test_a_whole_conversation_without_a_pointer(page: Page) -> None:
    page.wait_for_load_state()
    expect(box(page)).to_be_focused()
    assert_focus_is_seen(page)

    model = page.get_by_role("button", name=re.compile("^Model: "))
    tab_to(page, model)
    assert_focus_is_seen(page)
    page.keyboard.press("Enter")
    expect(page.locator("#models")).to_be_visible()
    expect(model).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#models input:checked")).to_be_focused()
    assert_focus_is_seen(page)
    before = page.locator("#models input:checked").get_attribute("value")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#models input:checked")).to_be_focused()
    assert page.locator("#models input:checked").get_attribute("value") != before
    page.get_by_role("radio", name="Sonnet 5.5").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#models")).to_be_hidden()
    expect(page.locator("#model-name")).to_have_text("Sonnet 5.5")
    expect(box(page)).to_be_focused()

    settings = page.get_by_role("button", name="Settings of this conversation")
    tab_to(page, settings, "Shift+Tab")
    assert_focus_is_seen(page)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Settings of this conversation")
    expect(dialog).to_be_visible()
    tab_to(page, dialog.get_by_label("System prompt"))
    page.keyboard.type("Be brief.")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        ), f"the focus left the dialog: {focused(page)}"
    tab_to(page, dialog.get_by_role("button", name="Done"))
    assert_focus_is_seen(page)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(settings).to_be_focused()

    tab_to(page, box(page))
    page.keyboard.insert_text(
        scripted("Hello?", text="Hello.\n\n| a | b |\n|---|---|\n| 1 | 2 |", title="A greeting")
    )
    page.keyboard.press("Enter")
    first = conversation_of(page)
    expect_status(page, "completed")
    expect(box(page)).to_be_focused()

    copy = answer(page).get_by_role("button", name="Copy the answer")
    tab_to(page, copy, "Shift+Tab")
    assert_focus_is_seen(page)
    expect(copy.locator("..")).to_have_css("opacity", "1")
    new_chat = page.get_by_role("link", name="New chat")
    tab_to(page, new_chat, "Shift+Tab")
    assert_focus_is_seen(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hello, Olga")).to_be_visible()
    expect(box(page)).to_be_focused()
    entry = page.locator(f"#nav-{first}")
    tab_to(page, entry, "Shift+Tab")
    assert_focus_is_seen(page)
    page.keyboard.press("Enter")
    expect(turns(page)).to_have_count(2)

    menu = page.get_by_role("button", name="Menu of Olga")
    tab_to(page, menu, "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Sign out")).to_be_hidden()
    expect(menu).to_be_focused()


def test_the_first_tab_stop_leads_past_the_sidebar(page: Page) -> None:
    page.wait_for_load_state()
    jump = page.get_by_role("link", name="Skip to the content")
    tab_to(page, jump, "Shift+Tab")
    assert page.evaluate("document.querySelector('a, button, input') === document.activeElement")
    expect(jump).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_folds_open_by_keyboard_and_say_what_happened(page: Page) -> None:
    send(page, scripted(demo="everything"))
    conversation_of(page)
    expect_status(page, "completed")
    step = answer(page).locator("details.step").first
    summary = step.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(step).to_have_attribute("open", "")
    assert summary.inner_text().strip()
    mark = answer(page).locator("a.cite").first
    expect(mark).to_have_attribute("aria-label", re.compile("^Source 1: "))
    mark.focus()
    page.keyboard.press("Enter")
    expect(answer(page).locator(".sources")).to_have_attribute("open", "")
    expect(answer(page).locator(".sources li").first).to_be_focused()


def test_listeners_hear_that_it_answers_and_then_the_answer(page: Page, model: Model) -> None:
    text = "The tide is **high** at noon and low at six."
    script = {"text": text, "deltas": 10, "thinking": False, "gates": {"half": 5 + EVENTS_BEFORE_TEXT}}
    page.evaluate(
        """() => {
          window.said = [];
          const line = document.getElementById("announcer");
          new MutationObserver(() => window.said.push(line.textContent)).observe(line, { childList: true });
        }"""
    )
    send(page, scripted(**script))
    conversation_of(page)
    wait_received(page, pieces(text, 10, 5))
    expect(answer(page)).to_have_attribute("aria-busy", "true")
    assert page.evaluate("window.said") == ["Answering"]
    model.open("half")
    expect_status(page, "completed")
    expect(page.locator("#announcer")).to_have_text("The tide is high at noon and low at six.")
    assert page.evaluate("window.said") == ["Answering", "The tide is high at noon and low at six."]
    expect(answer(page)).not_to_have_attribute("aria-busy", "true")
    live = page.evaluate(
        "[...document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log]')].filter("
        "(region) => region.closest('#turns') || region.querySelector('#turns')).length"
    )
    assert live == 0


def test_every_control_has_a_name_and_is_large_enough(page: Page) -> None:
    send(page, scripted(demo="everything"))
    conversation_of(page)
    expect_status(page, "completed")
    page.get_by_role("button", name="Settings of this conversation").click()
    found = page.evaluate(script("controls"), 24)
    assert found == {"nameless": [], "small": []}
