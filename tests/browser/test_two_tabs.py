"""Several pages of one conversation: what one does, the others learn; also one that was not up to date."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import (
    Model,
    act,
    answer,
    asked,
    assert_same_drawing,
    box,
    conversation_of,
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
from tests.browser.gated import ask, at_gate
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def settings(page: Page) -> None:
    page.get_by_role("button", name="Settings of this conversation").click()


def test_a_second_tab_and_a_second_device_are_in_step(
    page: Page, model: Model, visit: Callable[..., Page]
) -> None:
    conversation = ask(page)
    at_gate(page, "first")
    tab, device, elsewhere = fresh(page), visit(f"/c/{conversation}/"), visit("/")
    for one in (page, tab, device):
        at_gate(one, "first")
    unchanged = [mark(one) for one in (page, tab, device)]
    listed = elsewhere.locator(f"#nav-{conversation}")
    expect(listed.get_by_text("answering")).to_be_attached()
    model.open("first")
    for one in (page, tab, device):
        at_gate(one, "second")
    model.open("second")
    for one in (page, tab, device):
        expect_status(one, "completed")
        expect(one.locator("#title")).to_have_text("Calls in spring")
        expect(one).to_have_title("Calls in spring · Parley")
        expect(one.locator(f"#nav-{conversation}")).to_have_text("Calls in spring")
    expect(listed).to_have_text("Calls in spring")
    expect(elsewhere).to_have_title("New chat · Parley")

    send(device, scripted("And once more.", text="Once more it is."))
    for one in (page, tab, device):
        expect(turns(one)).to_have_count(4)
        expect(turns(one).nth(2)).to_contain_text("And once more.")
        expect_status(one, "completed")
    assert all(same() for same in unchanged)
    other = fresh(page)
    for one in (page, tab, device):
        assert_same_drawing(one, other)


def test_a_conversation_begun_in_one_tab_is_listed_in_the_others(page: Page) -> None:
    other = fresh(page)
    send(page, scripted("What is the tide tomorrow?", text="High at noon.", title="Tide tomorrow"))
    conversation = conversation_of(page)
    expect(other.locator(f"#nav-{conversation}")).to_have_text("Tide tomorrow")
    expect(page.locator(f"#nav-{conversation}")).to_have_attribute("aria-current", "page")
    expect(other.locator("[aria-current=page]")).to_have_text("New chat")


def test_an_answer_stopped_in_one_tab_is_stopped_in_the_other(page: Page) -> None:
    ask(page)
    at_gate(page, "first")
    other = fresh(page)
    at_gate(other, "first")
    other.get_by_role("button", name="Stop the answer").click()
    for one in (page, other):
        expect_status(one, "stopped")
        expect(one.get_by_role("button", name="Send")).to_be_visible()
    assert_same_drawing(page, other)


def test_a_tab_that_did_not_know_of_the_last_turns_makes_a_branch_and_both_learn_of_it(
    page: Page, watch: Watch
) -> None:
    watch.expect_no_server()
    asked(page, "First.", text="One.", thinking=False)
    stale = fresh(page)
    expect(turns(stale)).to_have_count(2)
    stale.route("**/turns/**", lambda route: route.abort())
    send(page, scripted("Second.", text="Two."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    same = mark(page)

    send(stale, scripted("Second, elsewhere.", text="Another two.", thinking=False))
    expect(turns(stale)).to_have_count(4)
    expect_status(stale, "completed")
    expect(pager(turns(stale).nth(2))).to_have_accessible_name("Version 2 of 2")
    stale.unroute("**/turns/**")

    expect(turns(page).nth(2)).to_contain_text("Second, elsewhere.")
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    assert received(page) == "Another two."
    expect(pager(turns(page).nth(2))).to_have_accessible_name("Version 2 of 2")
    assert same()
    for one in (page, stale):
        assert_same_drawing(one, fresh(page))
    pager(turns(page).nth(2)).get_by_role("button", name="Earlier version").click()
    for one in (page, stale):
        expect(pager(turns(one).nth(2))).to_have_accessible_name("Version 1 of 2")
        assert received(one) == "Two."


def test_what_is_retried_deleted_and_brought_back_in_one_tab_is_so_in_the_other(page: Page) -> None:
    asked(page, "First.", text="One.", thinking=False)
    other = fresh(page)
    send(other, scripted("Second.", text="Two."))
    for one in (page, other):
        expect(turns(one)).to_have_count(4)
        expect_status(one, "completed")
    act(turns(page).nth(1), "Retry").click()
    page.get_by_role("menuitem").first.click()
    for one in (page, other):
        expect(turns(one)).to_have_count(2)
        expect(pager(answer(one))).to_have_accessible_name("Version 2 of 2")
        expect_status(one, "completed")
    assert_same_drawing(page, other)
    act(turns(other).first, "More for").click()
    other.get_by_role("menuitem", name="Delete").click()
    for one in (page, other):
        expect(one.get_by_role("heading", name="Nothing is here now")).to_be_visible()
    expect(notice(page)).to_have_count(0)
    notice(other).get_by_role("button", name="Undo").click()
    for one in (page, other):
        expect(turns(one)).to_have_count(2)
        expect(pager(answer(one))).to_have_accessible_name("Version 2 of 2")
    assert_same_drawing(page, other)


def test_what_is_written_while_the_other_tab_changes_the_page_is_kept(page: Page) -> None:
    asked(page, "First.", text="One.", thinking=False)
    other = fresh(page)
    act(turns(other).first, "Edit the message").click()
    wording = other.get_by_role("textbox", name="New wording")
    wording.fill("Half an edit")
    box(other).fill("Half a message")
    send(page, scripted("Second.", text="Two."))
    expect(turns(other)).to_have_count(4)
    expect(wording).to_have_value("Half an edit")
    expect_status(page, "completed")

    act(turns(page).first, "Edit the message").click()
    page.get_by_role("textbox", name="New wording").fill(scripted("Anew.", text="Anew, then."))
    page.get_by_role("textbox", name="New wording").press("Enter")
    expect(turns(other).first).to_contain_text("Anew.")
    expect(notice(other)).to_contain_text("What you were editing is kept with its message.")
    expect(box(other)).to_have_value("Half a message")
    pager(turns(other).first).get_by_role("button", name="Earlier version").click()
    act(turns(other).first, "Edit the message").click()
    expect(wording).to_have_value("Half an edit")


def test_settings_are_the_same_in_both_tabs_and_an_open_dialog_is_left_alone(page: Page) -> None:
    asked(page, "First.", text="One.", thinking=False)
    other = fresh(page)
    prompts = [one.get_by_role("dialog").get_by_label("System prompt") for one in (page, other)]
    settings(page)
    prompts[0].fill("Be brief.")
    with other.expect_response("**/settings/"):
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
    settings(other)
    expect(prompts[1]).to_have_value("Be brief.")
    prompts[1].fill("Half a thou")
    settings(page)
    prompts[0].fill("Be long.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    send(page, scripted("Second.", text="Two."))
    expect(turns(other)).to_have_count(4)  # so it has heard of the settings, too
    expect(prompts[1]).to_have_value("Half a thou")
    with other.expect_response("**/settings/"):
        other.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    settings(other)
    expect(prompts[1]).to_have_value("Be long.")
