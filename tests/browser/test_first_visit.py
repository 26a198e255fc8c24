"""From an empty database to the first answer, through the pages that a newcomer meets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.sign_in import first_visit
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.browser.chat import answer, assert_same_drawing, conversation_of, expect_status, prose, send
from tests.live import PASSWORD, LiveServer
from usage.catalogue import discovery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vendor(settings: Any) -> Iterator[ThreadServer]:
    """A vendor that would take a key; nobody has given one yet."""
    discovery.forget()
    first_visit.forget()
    with ThreadServer(Simulator(scripted=True, demo_rate=0)) as server:
        settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": None, "base_url": server.base_url}}
        yield server
    discovery.forget()


@pytest.fixture
def newcomer(new_context: Any, server: LiveServer) -> Page:
    page: Page = new_context().new_page()
    page.goto(server.url)
    return page


def set_up(page: Page) -> None:
    page.get_by_label("Organisation").fill("Harbour & Sons")
    page.get_by_label("Your name").fill("Olga Marín")
    page.get_by_label("E-mail").fill("owner@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the owner's account").click()


def test_a_newcomer_comes_from_set_up_to_a_streamed_formatted_answer(newcomer: Page) -> None:
    page = newcomer
    expect(page.get_by_role("heading", name="Set up Parley")).to_be_visible()
    set_up(page)
    expect(page.get_by_role("heading", name="Connect Claude")).to_be_visible()
    page.get_by_role("link", name="Try the demo model").click()
    expect(page.get_by_role("heading", name="Hello, Olga Marín")).to_be_visible()
    expect(page.locator("#model-name")).to_have_text("Demo (no key)")
    send(page, "Show me code and math")
    conversation_of(page)
    expect_status(page, "running")
    expect(page.get_by_role("button", name="Stop the answer")).to_be_visible()
    expect(prose(page).locator("h3").first).to_have_text("Code")
    expect(answer(page)).to_have_attribute("data-status", "running")
    expect_status(page, "completed")
    for shown in (".snippet code", ".katex"):
        expect(prose(page).locator(shown).first).to_be_visible()
    expect(answer(page).locator(".turn-cost")).to_have_text(
        re.compile(r"^Demo \(no key\) · \d+ tokens in · [\d,]+ out · no cost$")
    )
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    fresh = page.context.new_page()
    fresh.goto(page.url)
    assert_same_drawing(page, fresh)


def test_a_refused_set_up_leads_to_the_first_wrong_field(newcomer: Page) -> None:
    page = newcomer
    expect(page.get_by_label("Organisation")).to_be_focused()
    page.get_by_label("Organisation").fill("Harbour & Sons")
    page.get_by_label("Your name").fill("Olga Marín")
    page.get_by_label("E-mail").fill("owner@example.org")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Make the owner's account").click()
    expect(page.locator(".field-error")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    assert page.locator("[autofocus]").count() == 1


def test_a_pasted_key_is_tried_and_then_its_models_are_on_offer(newcomer: Page) -> None:
    page = newcomer
    set_up(page)
    page.get_by_label("Anthropic API key").fill("sk-sim-401")
    page.get_by_role("button", name="Test and store the key").click()
    expect(page.get_by_text("Anthropic does not accept this key.")).to_be_visible()
    assert "sk-sim-401" not in page.content()
    page.get_by_label("Anthropic API key").fill("sk-ant-api03-good")
    page.get_by_role("button", name="Test and store the key").click()
    expect(page.get_by_role("heading", name="Hello, Olga Marín")).to_be_visible()
    expect(page.locator("#model-name")).not_to_have_text("Demo (no key)")
    send(page, "Hello")
    expect_status(page, "completed")
    expect(answer(page).locator(".turn-cost")).to_contain_text("$")


def test_signing_in_by_the_form_leads_to_the_page_that_was_asked_for(
    server: LiveServer, owner: User, new_context: Callable[..., Any]
) -> None:
    page: Page = new_context().new_page()
    page.goto(f"{server.url}/?from=bookmark")
    expect(page.get_by_role("heading", name="Sign in to Parley")).to_be_visible()
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.url}/?from=bookmark")
    expect(page.get_by_role("heading", name="Hello, Olga")).to_be_visible()
    page.get_by_role("button", name="Menu of Olga").click()
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("heading", name="Hello, Olga")).to_have_count(0)
