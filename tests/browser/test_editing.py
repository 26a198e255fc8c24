"""A person's turn in other words: a version beside the first, whose text is kept until the server has it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.branching import TEXT, edit, editing, lose, questions
from tests.browser.chat import (
    Model,
    act,
    asked,
    assert_same_drawing,
    box,
    drawn,
    expect_status,
    fresh,
    mark,
    notice,
    pager,
    received,
    scripted,
    send,
    turns,
)
from tests.browser.conftest import Draining
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_edited_turn_is_a_version_beside_the_first(page: Page, model: Model) -> None:
    asked(page, "When is the tide?", text=TEXT)
    other = scripted("When is the *spring* tide?", text="In a fortnight.")
    edit(page, 0, other)
    editing(page).press("Enter")
    expect(pager(turns(page).first)).to_have_accessible_name("Version 2 of 2")
    expect(turns(page)).to_have_count(2)
    expect_status(page, "completed")
    assert received(page) == "In a fortnight."
    expect(pager(turns(page).nth(1))).to_have_count(0)
    expect(box(page)).to_be_focused()
    assert len(model.requests()[-1]["messages"]) == 1
    assert_same_drawing(page, fresh(page))

    pager(turns(page).first).get_by_role("button", name="Earlier version").click()
    expect(pager(turns(page).first)).to_have_accessible_name("Version 1 of 2")
    assert received(page) == TEXT
    expect(page.locator("#announcer")).to_have_text("Version 1 of 2")
    assert_same_drawing(page, fresh(page))
    pager(turns(page).first).get_by_role("button", name="Later version").click()
    expect(turns(page).first).to_contain_text("spring")
    assert received(page) == "In a fortnight."


def test_a_turn_in_the_middle_is_edited_and_what_followed_it_goes(page: Page) -> None:
    asked(page, "First.", text="One.")
    for prompt, text in (("Second.", "Two."), ("Third.", "Three.")):
        send(page, scripted(prompt, text=text))
        expect(turns(page).filter(has_text=text).last).to_be_visible()
        expect_status(page, "completed")
    same = mark(page)
    edit(page, 2, scripted("Second, in other words.", text="Another two."))
    editing(page).press("Enter")
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    assert received(page) == "Another two."
    assert same(), "a turn above was drawn again"
    assert_same_drawing(page, fresh(page))
    pager(turns(page).nth(2)).get_by_role("button", name="Earlier version").click()
    expect(turns(page)).to_have_count(6)
    assert received(page) == "Three."


def test_editing_can_be_given_up(page: Page) -> None:
    asked(page, "When is the tide?", text=TEXT)
    before = drawn(page)
    button = act(turns(page).first, "Edit the message")
    button.click()
    expect(editing(page)).to_be_focused()
    expect(editing(page)).to_have_value(re.compile("^When is the tide"))
    editing(page).press("End")
    editing(page).press("Shift+Enter")
    editing(page).press_sequentially("And where?")
    expect(editing(page)).to_have_value(re.compile("\nAnd where"))
    editing(page).press("Escape")
    expect(editing(page)).to_have_count(0)
    expect(button).to_be_focused()
    assert drawn(page) == before
    button.click()
    expect(editing(page)).not_to_have_value(re.compile("And where"))
    page.get_by_role("button", name="Cancel").click()
    expect(button).to_be_focused()
    assert len(questions()) == 1


def test_arrow_up_in_an_empty_box_edits_the_last_turn(page: Page) -> None:
    asked(page, "First.", text="One.")
    send(page, scripted("Second.", text="Two."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    box(page).fill("x")
    box(page).press("ArrowUp")
    expect(editing(page)).to_have_count(0)
    box(page).fill("")
    box(page).press("ArrowUp")
    expect(turns(page).nth(2).locator("turn-edit textarea")).to_be_focused()
    expect(editing(page)).to_have_value(re.compile("^Second"))


def test_an_edit_that_is_refused_or_lost_keeps_its_text_and_is_one_message(
    page: Page, watch: Watch, draining: Draining
) -> None:
    watch.expect_no_server()
    watch.expect("status of 503")
    conversation = asked(page, "When is the tide?", text=TEXT)
    other = scripted("And tomorrow?", text="Later.")
    edit(page, 0, other)
    draining.begin()
    editing(page).press("Enter")
    expect(notice(page)).to_contain_text("The server is restarting.")
    expect(editing(page)).to_have_value(other)
    draining.end()

    page.route(f"**/c/{conversation}/turns/**", lambda route: route.abort())  # nor is it told otherwise
    page.route("**/edit/", lose, times=1)
    editing(page).press("Enter")
    expect(notice(page)).to_contain_text("Your message is kept here.")
    expect(editing(page)).to_have_value(other)
    page.locator("turn-edit").get_by_role("button", name="Send").dblclick()
    expect(editing(page)).to_have_count(0)
    expect_status(page, "completed")
    expect(pager(turns(page).first)).to_have_accessible_name("Version 2 of 2")
    expect(notice(page)).to_have_count(0)
    assert questions()[1:] == [other]


def test_a_lost_edit_of_which_the_page_learns_otherwise_is_done(page: Page, watch: Watch) -> None:
    watch.expect_no_server()
    asked(page, "When is the tide?", text=TEXT)
    edit(page, 0, scripted("And tomorrow?", text="Later."))
    page.route("**/edit/", lose, times=1)
    editing(page).press("Enter")
    expect(pager(turns(page).first)).to_have_accessible_name("Version 2 of 2")
    expect_status(page, "completed")
    expect(notice(page)).to_have_count(0)
    act(turns(page).first, "Edit the message").click()
    expect(editing(page)).to_have_value(re.compile("^And tomorrow"))
    assert len(questions()) == 2


def test_what_is_edited_survives_a_reload(page: Page) -> None:
    asked(page, "When is the tide?", text=TEXT)
    edit(page, 0, "Half a thou")
    page.reload()
    act(turns(page).first, "Edit the message").click()
    expect(editing(page)).to_have_value("Half a thou")
