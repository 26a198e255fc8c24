"""A page in the middle of an answer: reloaded, hidden, signed out. What was shown stays."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from chat import sockets
from tests.browser.chat import Model, answer, assert_same_drawing, box, expect_status, fresh, mark
from tests.browser.gated import GATES, ask, at_gate, dismiss_sockets, finish
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_reload_in_mid_stream_goes_on_where_the_page_was(page: Page, model: Model) -> None:
    ask(page)
    for name in GATES:
        at_gate(page, name)
        shown = answer(page).locator(".answer").inner_text()
        other = fresh(page)
        at_gate(other, name)
        assert_same_drawing(page, other)
        page.reload()
        at_gate(page, name)
        assert answer(page).locator(".answer").inner_text() == shown
        assert_same_drawing(page, other)
        other.close()
        model.open(name)
    finish(page, model)
    assert_same_drawing(page, fresh(page))


def test_a_socket_closed_by_the_server_is_opened_again_without_a_gap(page: Page, model: Model) -> None:
    ask(page)
    at_gate(page, "first")
    unchanged = mark(page)
    dismiss_sockets(1012)
    model.open("first")
    at_gate(page, "second")
    dismiss_sockets(1012)
    finish(page, model)
    assert unchanged()
    expect(page.locator("#connection")).to_be_hidden()
    assert_same_drawing(page, fresh(page))


def test_a_page_in_the_background_has_everything_when_it_is_shown(page: Page, model: Model) -> None:
    ask(page)
    at_gate(page, "first")
    front = fresh(page)
    front.bring_to_front()
    for name in GATES:
        model.open(name)
    expect_status(front, "completed")
    page.bring_to_front()
    expect_status(page, "completed")
    assert_same_drawing(page, front)


def test_going_back_and_forth_shows_the_answer_as_it_is_now(page: Page, model: Model) -> None:
    ask(page)
    at_gate(page, "first")
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_role("heading", name="Hello, Olga")).to_be_visible()
    expect(box(page)).to_have_value("")
    model.open("first")
    page.go_back()
    at_gate(page, "second")
    finish(page, model)
    assert_same_drawing(page, fresh(page))


def test_signing_out_elsewhere_is_said_and_what_is_written_stays(
    page: Page, model: Model, watch: Watch
) -> None:
    watch.expect(r"WebSocket")
    ask(page)
    at_gate(page, "first")
    box(page).fill("Not sent yet")
    page.context.clear_cookies()
    dismiss_sockets(sockets.SIGNED_OUT)
    expect(page.locator("#composer-notice")).to_contain_text("You are signed out.")
    expect(page.locator("#composer-notice").get_by_role("link", name="Sign in")).to_have_attribute(
        "href", re.compile(r"^/login/\?next=/c/")
    )
    expect(box(page)).to_have_value("Not sent yet")
    for name in GATES:
        model.open(name)
    model.wait("streams_finished", 1)
