"""Branches of a conversation: asked again, paged through, deleted and brought back, forked."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from chat.models import Conversation, Message
from tests.browser.branching import TEXT, delete, edit, editing, lose, menu, undo
from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    act,
    answer,
    asked,
    assert_same_drawing,
    box,
    conversation_of,
    drawn,
    expect_status,
    focused,
    fresh,
    mark,
    notice,
    pager,
    pieces,
    received,
    scripted,
    send,
    turns,
    wait_received,
)
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_answer_is_asked_for_again_from_the_same_model_or_another(page: Page, model: Model) -> None:
    asked(page, "When is the tide?", text=TEXT)
    offered = menu(answer(page), "Retry")
    first = offered.get_by_role("menuitem").first
    expect(first).to_have_text(re.compile("^Sonnet 5.5\\s*The same model again$"))
    expect(first).to_be_focused()
    first.click()
    expect(pager(answer(page))).to_have_accessible_name("Version 2 of 2")
    expect_status(page, "completed")
    menu(answer(page), "Retry").get_by_role("menuitem", name="Haiku 4.5").click()
    expect(pager(answer(page))).to_have_accessible_name("Version 3 of 3")
    expect_status(page, "completed")
    expect(answer(page).locator(".turn-cost")).to_contain_text("Haiku 4.5")
    assert [body["model"].split("-")[1] for body in model.requests()] == ["sonnet", "sonnet", "haiku"]
    expect(turns(page)).to_have_count(2)
    assert_same_drawing(page, fresh(page))


def test_a_retry_that_is_lost_or_pressed_twice_is_one_answer(page: Page, watch: Watch) -> None:
    watch.expect_no_server()
    asked(page, "When is the tide?", text=TEXT)
    page.route("**/retry/", lose, times=1)
    menu(answer(page), "Retry").get_by_role("menuitem").first.click()
    expect(notice(page)).to_contain_text("The server cannot be reached.")
    expect(notice(page)).not_to_contain_text("message is kept")
    expect(pager(answer(page))).to_have_accessible_name("Version 2 of 2")  # told by the socket
    expect_status(page, "completed")
    menu(answer(page), "Retry").get_by_role("menuitem").first.dblclick()
    expect(pager(answer(page))).to_have_accessible_name("Version 3 of 3")
    expect_status(page, "completed")
    assert Message.objects.filter(role="assistant").count() == 3


def test_a_lost_retry_that_is_tried_again_is_one_answer(page: Page, watch: Watch) -> None:
    watch.expect_no_server()
    conversation = asked(page, "When is the tide?", text=TEXT)
    page.route(f"**/c/{conversation}/turns/**", lambda route: route.abort())  # nor is it told otherwise
    page.route("**/retry/", lose, times=1)
    menu(answer(page), "Retry").get_by_role("menuitem").first.click()
    expect(notice(page)).to_contain_text("The server cannot be reached.")
    menu(answer(page), "Retry").get_by_role("menuitem").first.click()
    expect(pager(answer(page))).to_have_accessible_name("Version 2 of 2")
    expect_status(page, "completed")
    assert Message.objects.filter(role="assistant").count() == 2


def test_the_pager_stays_under_the_pointer_and_keeps_the_focus(page: Page) -> None:
    long = "\n\n".join(f"Paragraph {n} of a longer answer." for n in range(60))
    asked(page, "When is the tide?", text=long, thinking=False)
    menu(answer(page), "Retry").get_by_role("menuitem").first.click()
    expect(pager(answer(page))).to_have_accessible_name("Version 2 of 2")
    expect_status(page, "completed")
    send(page, scripted("And then?", text="Nothing."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    shown = pager(turns(page).nth(1))
    shown.scroll_into_view_if_needed()
    before = shown.bounding_box()
    back = shown.get_by_role("button", name="Earlier version")
    back.focus()
    page.keyboard.press("Enter")
    expect(pager(turns(page).nth(1))).to_have_accessible_name("Version 1 of 2")
    expect(pager(turns(page).nth(1)).get_by_role("button", name="Later version")).to_be_focused()
    after = pager(turns(page).nth(1)).bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2 or page.evaluate(
        "innerHeight + scrollY >= document.documentElement.scrollHeight - 2"
    ), "the pager has moved, and not because the page ended"


def test_the_page_shows_another_branch_while_one_is_being_written(page: Page, model: Model) -> None:
    asked(page, "When is the tide?", text="At noon.")
    gates = {"half": 5 + EVENTS_BEFORE_TEXT}
    edit(page, 0, scripted("And today?", text=TEXT, deltas=10, thinking=False, gates=gates))
    editing(page).press("Enter")
    wait_received(page, pieces(TEXT, 10, 5))
    pager(turns(page).first).get_by_role("button", name="Earlier version").click()
    expect(turns(page).first).to_contain_text("When is the tide?")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    model.open("half")
    model.wait("streams_finished", 2)
    expect(page.locator(f"#nav-{conversation_of(page)}").get_by_text("answering")).to_have_count(0)
    assert len([url for url in fetched if "/turns/" in url]) <= 1
    pager(turns(page).first).get_by_role("button", name="Later version").click()
    expect(turns(page).first).to_contain_text("And today?")
    expect_status(page, "completed")
    assert received(page) == TEXT
    assert_same_drawing(page, fresh(page))


def test_a_branch_that_is_being_written_goes_on_when_it_is_shown_again(page: Page, model: Model) -> None:
    asked(page, "When is the tide?", text="At noon.")
    gates = {"third": 3 + EVENTS_BEFORE_TEXT, "half": 5 + EVENTS_BEFORE_TEXT}
    edit(page, 0, scripted("And today?", text=TEXT, deltas=10, thinking=False, gates=gates))
    editing(page).press("Enter")
    wait_received(page, pieces(TEXT, 10, 3))
    pager(turns(page).first).get_by_role("button", name="Earlier version").click()
    expect(turns(page).first).to_contain_text("When is the tide?")
    model.open("third")
    model.wait("waiting.half")
    pager(turns(page).first).get_by_role("button", name="Later version").click()
    wait_received(page, pieces(TEXT, 10, 5))
    expect(page.get_by_role("button", name="Stop the answer")).to_be_visible()
    model.open("half")
    expect_status(page, "completed")
    assert received(page) == TEXT
    assert_same_drawing(page, fresh(page))


def test_a_deleted_branch_can_be_brought_back_exactly(page: Page) -> None:
    asked(page, "First.", text="One.")
    send(page, scripted("Second.", text="Two."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    before = drawn(page)
    same = mark(page)
    delete(turns(page).nth(2))
    expect(turns(page)).to_have_count(2)
    expect(notice(page)).to_contain_text("Deleted 2 messages.")
    expect(page.locator("#announcer")).to_have_text("Deleted 2 messages.")
    expect(undo(page)).to_be_focused()
    assert same()
    assert_same_drawing(page, fresh(page))
    page.keyboard.press("Enter")
    expect(turns(page)).to_have_count(4)
    expect(notice(page)).to_have_count(0)
    expect(box(page)).to_be_focused()
    assert same()
    assert drawn(page) == before


def test_an_answer_that_was_cut_can_be_gone_on_with_again_when_what_followed_is_deleted(page: Page) -> None:
    send(page, scripted("First.", text=TEXT, deltas=10, thinking=False, cut_after=7))
    expect_status(page, "interrupted")
    again = answer(page).get_by_role("button", name="Continue")
    again.click()
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    page.reload()
    delete(turns(page).nth(2))
    expect(turns(page)).to_have_count(2)
    expect(again).to_be_visible()
    assert_same_drawing(page, fresh(page))


def test_a_deleted_version_gives_way_to_the_one_before(page: Page) -> None:
    asked(page, "When is the tide?", text=TEXT)
    edit(page, 0, scripted("And tomorrow?", text="Later."))
    editing(page).press("Enter")
    expect_status(page, "completed")
    expect(turns(page).first).to_contain_text("And tomorrow?")
    delete(turns(page).first)
    expect(turns(page).first).to_contain_text("When is the tide?")
    expect(pager(turns(page).first)).to_have_count(0)
    assert_same_drawing(page, fresh(page))
    undo(page).click()
    expect(turns(page).first).to_contain_text("And tomorrow?")
    expect(pager(turns(page).first)).to_have_accessible_name("Version 2 of 2")
    assert_same_drawing(page, fresh(page))


def test_the_notice_of_a_deletion_stays_until_it_is_dismissed_or_somebody_speaks(
    page: Page, watch: Watch
) -> None:
    asked(page, "First.", text="One.")
    send(page, scripted("Second.", text="Two."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    delete(turns(page).nth(3))
    expect(notice(page)).to_contain_text("Deleted 1 message.")
    watch.expect("status of 500")
    page.route("**/restore/", lambda route: route.fulfill(status=500, body="<h1>Fault</h1>"), times=1)
    undo(page).click()
    expect(notice(page)).to_have_count(2)
    expect(notice(page).first).to_contain_text("That did not work.")
    notice(page).first.get_by_role("button", name="Dismiss").click()
    expect(undo(page)).to_be_visible()
    send(page, scripted("Third.", text="Three."))
    expect(turns(page)).to_have_count(5)
    expect(notice(page)).to_have_count(0)
    expect_status(page, "completed")
    delete(turns(page).last)
    notice(page).get_by_role("button", name="Dismiss").click()
    expect(notice(page)).to_have_count(0)
    expect(box(page)).to_be_focused()


def test_an_emptied_conversation_can_be_begun_anew(page: Page) -> None:
    asked(page, "When is the tide?", text=TEXT)
    delete(turns(page).first)
    expect(turns(page)).to_have_count(0)
    empty = page.get_by_role("heading", name="Nothing is here now")
    expect(empty).to_be_visible()
    page.reload()
    expect(empty).to_be_visible()
    send(page, scripted("Again, then.", text="As you like."))
    expect(turns(page)).to_have_count(2)
    expect_status(page, "completed")
    expect(empty).to_be_hidden()
    assert_same_drawing(page, fresh(page))


def test_an_emptied_conversation_comes_back(page: Page) -> None:
    asked(page, "When is the tide?", text=TEXT)
    before = drawn(page)
    delete(turns(page).first)
    expect(turns(page)).to_have_count(0)
    undo(page).click()
    expect(turns(page)).to_have_count(2)
    assert drawn(page) == before


def test_a_fork_is_a_conversation_of_its_own(page: Page) -> None:
    first = asked(page, "First.", text="One.")
    send(page, scripted("Second.", text="Two."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    menu(turns(page).nth(1), "More for").get_by_role("menuitem", name="Fork here").click()
    page.wait_for_url(lambda url: first not in url)
    second = conversation_of(page)
    expect(turns(page)).to_have_count(2)
    assert received(page) == "One."
    expect(page.locator(f"#nav-{second}")).to_have_attribute("aria-current", "page")
    send(page, scripted("On its own.", text="Yes."))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    page.goto(page.url.replace(second, first))
    expect(turns(page).nth(2)).to_contain_text("Second.")
    assert Conversation.objects.count() == 2


def test_everything_under_a_turn_works_by_keyboard(page: Page) -> None:
    asked(page, "When is the tide?", text=TEXT)
    act(answer(page), "More for").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Fork here")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Fork here")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(act(answer(page), "More for")).to_be_focused()
    expect(act(answer(page), "More for")).to_have_attribute("aria-expanded", "false")
    act(answer(page), "Retry").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(pager(answer(page))).to_have_accessible_name("Version 2 of 2")
    expect_status(page, "completed")
    expect(box(page)).to_be_focused()


def test_the_controls_of_a_turn_are_there_on_a_phone(visit: Callable[..., Page]) -> None:
    page = visit("/", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    box(page).fill(scripted("When is the tide?", text=TEXT))
    page.get_by_role("button", name="Send").tap()
    expect_status(page, "completed")
    for turn in turns(page).all():
        expect(turn.locator(".turn-acts")).to_have_css("opacity", "1")
    act(turns(page).first, "Edit the message").tap()
    editing(page).fill(scripted("And tomorrow?", text="Later."))
    page.locator("turn-edit").get_by_role("button", name="Send").tap()
    expect(pager(turns(page).first)).to_have_accessible_name("Version 2 of 2")
    expect_status(page, "completed")
    assert focused(page) == "main"
