"""Without a network, or with one that died without a word: the page comes back, and nothing is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import (
    Model,
    answer,
    asked,
    assert_same_drawing,
    box,
    expect_status,
    fresh,
    mark,
    notice,
    pager,
    pieces,
    received,
    scripted,
    send,
    turns,
)
from tests.browser.conftest import Draining
from tests.browser.gated import DELTAS, GATES, TEXT, ask, at_gate, dismiss_sockets, finish
from tests.browser.line import Line
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_wire_cut_in_mid_stream_leaves_no_gap(wired: Page, line: Line, model: Model) -> None:
    ask(wired)
    at_gate(wired, "first")
    unchanged = mark(wired)
    line.cut()
    model.open("first")
    model.wait("waiting.second")
    expect(wired.locator("#connection")).to_contain_text("No connection.")
    assert received(wired) == pieces(TEXT, DELTAS, GATES["first"])
    line.mend()
    at_gate(wired, "second")
    expect(wired.locator("#connection")).to_be_hidden()
    finish(wired, model)
    assert unchanged()
    assert_same_drawing(wired, fresh(wired))


def test_a_page_that_was_offline_goes_on_by_itself(page: Page, model: Model, watch: Watch) -> None:
    watch.expect_no_server()
    ask(page)
    at_gate(page, "first")
    unchanged = mark(page)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    model.open("first")
    model.wait("waiting.second")
    page.context.set_offline(False)
    at_gate(page, "second")
    expect(page.locator("#connection")).to_be_hidden()
    finish(page, model)
    assert unchanged()
    assert_same_drawing(page, fresh(page))


def test_going_offline_is_said_though_the_socket_cannot_be_closed(
    page: Page, model: Model, watch: Watch
) -> None:
    watch.expect_no_server()
    ask(page)
    at_gate(page, "first")
    page.reload()  # a socket that is just open gets no answer to its closing, as on a network that is gone
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    page.context.set_offline(False)
    finish(page, model)


def test_an_answer_that_ended_while_the_page_was_away_is_whole(
    page: Page, model: Model, watch: Watch
) -> None:
    watch.expect_no_server()
    conversation = ask(page)
    at_gate(page, "first")
    page.context.set_offline(True)
    for name in GATES:
        model.open(name)
    model.wait("streams_finished", 1)
    page.context.set_offline(False)
    expect_status(page, "completed")
    assert received(page) == TEXT
    expect(page.locator(f"#nav-{conversation}")).to_have_text("Calls in spring")
    assert_same_drawing(page, fresh(page))


def test_turns_that_were_sent_elsewhere_while_the_page_was_away_appear(
    page: Page, model: Model, visit: Callable[..., Page], watch: Watch
) -> None:
    watch.expect_no_server()
    conversation = ask(page, gates={})
    expect_status(page, "completed")
    other = visit(f"/c/{conversation}/")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    send(other, scripted("Sent elsewhere.", text="Answered there."))
    expect(turns(other)).to_have_count(4)
    expect_status(other, "completed")
    page.context.set_offline(False)
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    assert_same_drawing(page, other)


def test_a_page_is_in_step_within_a_second_of_coming_back(page: Page, model: Model, watch: Watch) -> None:
    watch.expect_no_server()
    ask(page)
    at_gate(page, "first")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    model.open("first")
    model.wait("waiting.second")
    page.context.set_offline(False)
    page.wait_for_function(
        "(text) => [...document.querySelectorAll('answer-view')].at(-1).text === text",
        arg=pieces(TEXT, DELTAS, GATES["second"]),
        timeout=1000,
    )
    finish(page, model)


def test_a_short_break_is_nobodys_business(page: Page, model: Model) -> None:
    ask(page)
    at_gate(page, "first")
    page.evaluate(
        """() => {
          const line = document.getElementById("connection");
          new MutationObserver(() => { window.said = !line.hidden || window.said; })
            .observe(line, { attributes: true });
        }"""
    )
    dismiss_sockets(1012)
    model.open("first")
    at_gate(page, "second")
    finish(page, model)
    assert page.evaluate("window.said") is not True


def test_after_a_sleep_the_socket_is_a_new_one(wired: Page, line: Line, model: Model) -> None:
    wired.clock.install()
    wired.reload()
    ask(wired)
    at_gate(wired, "first")
    line.freeze()
    model.open("first")
    model.wait("waiting.second")
    wired.clock.fast_forward("01:00:00")
    at_gate(wired, "second")
    finish(wired, model)
    assert_same_drawing(wired, fresh(wired))


def test_a_socket_that_died_without_a_word_is_found_by_its_silence(
    wired: Page, line: Line, model: Model
) -> None:
    wired.clock.install()
    wired.reload()
    ask(wired)
    at_gate(wired, "first")
    line.freeze()
    model.open("first")
    model.wait("waiting.second")
    wired.clock.fast_forward(21_000)
    at_gate(wired, "second")
    finish(wired, model)
    assert_same_drawing(wired, fresh(wired))


def test_versions_that_were_made_while_the_page_was_away_are_counted(
    page: Page, visit: Callable[..., Page], watch: Watch
) -> None:
    watch.expect_no_server()
    conversation = asked(page, "When is the tide?", text="At noon.", thinking=False)
    other = visit(f"/c/{conversation}/")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    answer(other).hover()
    answer(other).get_by_role("button", name="Retry").click()
    other.get_by_role("menuitem").first.click()
    expect(pager(answer(other))).to_have_accessible_name("Version 2 of 2")
    expect_status(other, "completed")
    pager(answer(other)).get_by_role("button", name="Earlier version").click()
    expect(pager(answer(other))).to_have_accessible_name("Version 1 of 2")
    page.context.set_offline(False)
    expect(pager(answer(page))).to_have_accessible_name("Version 1 of 2")
    assert_same_drawing(page, other)


def test_what_a_restarting_server_refused_is_sent_when_the_link_is_back(
    page: Page, watch: Watch, draining: Draining
) -> None:
    watch.expect("status of 503")
    asked(page, "When is the tide?", text="At noon.")
    draining.begin()
    send(page, scripted("And tomorrow?", text="Later."))
    expect(notice(page)).to_contain_text("The server is restarting.")
    expect(notice(page).get_by_role("button", name="Send again")).to_be_visible()
    draining.end()
    dismiss_sockets(1012)
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    expect(notice(page)).to_have_count(0)
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")


def test_what_was_changed_since_is_not_sent_by_itself(page: Page, watch: Watch, draining: Draining) -> None:
    watch.expect("status of 503")
    asked(page, "When is the tide?", text="At noon.")
    draining.begin()
    send(page, scripted("And tomorrow?", text="Later."))
    expect(notice(page)).to_contain_text("The server is restarting.")
    box(page).press_sequentially(" Or ")
    draining.end()
    dismiss_sockets(1012)
    with page.expect_response("**/settings/"):
        pass
    expect(turns(page)).to_have_count(2)
    notice(page).get_by_role("button", name="Send again").click()
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
