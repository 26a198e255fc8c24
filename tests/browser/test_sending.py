"""Sending, stopping and going on; and what a person is told when something is in the way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chat.models import Message
from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    answer,
    assert_same_drawing,
    box,
    conversation_of,
    expect_status,
    fresh,
    notice,
    pieces,
    received,
    scripted,
    send,
    turns,
    wait_received,
)
from tests.browser.conftest import Draining
from tests.browser.line import Line
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "The tide is high at noon, and low in the evening at about six."


def held(page: Page, prompt: str = "When is the tide?") -> str:
    """Asks, and waits until half of the answer is on the page and the model waits at the gate."""
    script = {"text": TEXT, "deltas": 10, "thinking": False, "gates": {"half": 5 + EVENTS_BEFORE_TEXT}}
    send(page, scripted(prompt, **script))
    conversation = conversation_of(page)
    wait_received(page, pieces(TEXT, 10, 5))
    return conversation


def questions() -> list[str]:
    return [message.text for message in Message.objects.filter(role="user").order_by("created_at")]


@pytest.mark.parametrize("way", ["button", "Escape"])
def test_stopping_keeps_what_came_and_offers_to_go_on(page: Page, model: Model, way: str) -> None:
    held(page)
    stop = page.get_by_role("button", name="Stop the answer")
    expect(stop).to_be_enabled()
    if way == "button":
        stop.click()
    else:
        page.keyboard.press("Escape")
    model.wait("streams_cancelled")
    expect_status(page, "stopped")
    half = pieces(TEXT, 10, 5)
    assert received(page) == half
    expect(answer(page).locator(".halt")).to_contain_text("Stopped. What was written until then is kept.")
    expect(answer(page).locator(".turn-cost")).to_contain_text("estimated")
    expect(page.get_by_role("button", name="Send")).to_be_visible()

    answer(page).get_by_role("button", name="Continue").click()
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)
    sent = model.requests()[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"][0]["text"].strip() == half.strip()
    assert_same_drawing(page, fresh(page))


def test_escape_closes_what_is_open_before_it_stops(page: Page, model: Model) -> None:
    held(page)
    page.get_by_role("button", name=re.compile("^Model: ")).click()
    expect(page.locator("#models")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#models")).to_be_hidden()
    page.get_by_role("button", name="Settings of this conversation").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(answer(page)).to_have_attribute("data-status", "running")
    model.open("half")
    expect_status(page, "completed")


def test_stopping_before_the_first_word_offers_to_try_again(page: Page, model: Model) -> None:
    send(page, scripted(text=TEXT, gates={"start": 1}))
    conversation_of(page)
    model.wait("waiting.start")
    page.get_by_role("button", name="Stop the answer").click()
    expect_status(page, "stopped")
    expect(answer(page).locator(".halt")).to_contain_text("Nothing had been written yet.")
    model.open("start")
    answer(page).get_by_role("button", name="Try again").click()
    expect_status(page, "completed")
    expect(turns(page)).to_have_count(2)


def test_a_vendors_refusal_is_explained_and_can_be_tried_again(page: Page) -> None:
    script = {"status": 400, "message": "prompt is too long", "times": 1, "then": {"text": TEXT}}
    send(page, scripted(**script))
    conversation_of(page)
    expect_status(page, "failed")
    told = answer(page).locator(".notice")
    expect(told).to_contain_text("Your message is kept.")
    expect(told).to_contain_text(re.compile(r"Request\s*req_"))
    again = told.get_by_role("button", name="Try again")
    again.dblclick()
    expect_status(page, "completed")
    expect(turns(page)).to_have_count(2)
    assert received(page) == TEXT
    expect(page.locator("#composer-notice .notice")).to_have_count(0)
    assert len(questions()) == 1


def test_an_error_in_mid_stream_keeps_what_came(page: Page) -> None:
    send(page, scripted(text=TEXT, deltas=10, thinking=False, error_event_after=7))
    conversation_of(page)
    expect_status(page, "failed")
    assert received(page) == pieces(TEXT, 10, 5)
    expect(answer(page).locator(".notice")).to_contain_text(
        "What had arrived is kept, and so is your message."
    )
    answer(page).get_by_role("button", name="Continue").click()
    expect(turns(page)).to_have_count(4)


def test_a_stream_that_is_cut_is_interrupted_and_can_go_on(page: Page) -> None:
    send(page, scripted(text=TEXT, deltas=10, thinking=False, cut_after=7))
    conversation_of(page)
    expect_status(page, "interrupted")
    assert received(page) == pieces(TEXT, 10, 5)
    expect(answer(page).locator(".halt")).to_contain_text("What had arrived is kept.")
    answer(page).get_by_role("button", name="Continue").click()
    expect(turns(page)).to_have_count(4)


def test_a_refused_model_leaves_the_text_in_the_box(page: Page, watch: Watch, settings: Any) -> None:
    watch.expect("status of 409")
    page.wait_for_load_state()
    settings.PROVIDER_ENVIRONMENT = {
        "anthropic": {**settings.PROVIDER_ENVIRONMENT["anthropic"], "api_key": None}
    }
    send(page, "Will this be kept?")
    expect(notice(page)).to_contain_text("key")
    expect(box(page)).to_have_value("Will this be kept?")
    page.get_by_role("button", name=re.compile("^Model: ")).click()
    page.get_by_role("radio", name="Demo (no key)").check()
    expect(box(page)).to_be_focused()
    page.keyboard.press("Enter")
    conversation_of(page)
    expect_status(page, "completed")
    assert questions() == ["Will this be kept?"]


def test_a_server_that_drains_says_so_and_the_text_stays(
    page: Page, watch: Watch, draining: Draining, model: Model
) -> None:
    watch.expect("status of 503")
    held(page)
    draining.begin()
    tab = page.context.new_page()
    tab.goto(page.url.split("/c/")[0])
    send(tab, "Is anybody there?")
    expect(notice(tab)).to_contain_text("The server is restarting. Your message is kept here")
    expect(box(tab)).to_have_value("Is anybody there?")
    notice(tab).get_by_role("button", name="Dismiss").click()
    expect(notice(tab)).to_have_count(0)
    tab.reload()
    expect(box(tab)).to_have_value("Is anybody there?")
    model.open("half")
    expect_status(page, "completed")


def test_a_message_sent_without_a_server_stays_and_is_not_sent_twice(wired: Page, line: Line) -> None:
    wired.wait_for_load_state()
    line.cut()
    text = scripted("Hello?", text="Hello.")
    send(wired, text)
    expect(notice(wired)).to_contain_text("The server cannot be reached. Your message is kept here.")
    expect(box(wired)).to_have_value(text)
    line.mend()
    wired.get_by_role("button", name="Send").click()
    conversation_of(wired)
    expect_status(wired, "completed")
    expect(box(wired)).to_have_value("")
    assert questions() == [text]


def test_a_message_whose_answer_was_lost_on_the_way_is_one_message(page: Page, watch: Watch) -> None:
    watch.expect_no_server()
    text = scripted("Hello?", text="Hello.")

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/c/", lose, times=1)
    send(page, text)
    expect(notice(page)).to_contain_text("The server cannot be reached.")
    expect(box(page)).to_have_value(text)
    box(page).press("Enter")
    conversation_of(page)
    expect_status(page, "completed")
    assert questions() == [text]


def test_a_double_click_sends_once(page: Page) -> None:
    page.wait_for_load_state()
    text = scripted("Only once.", text="Once.")
    box(page).fill(text)
    page.get_by_role("button", name="Send").dblclick()
    conversation_of(page)
    expect_status(page, "completed")
    second = scripted("Only once more.", text="Twice.")
    box(page).fill(second)
    page.get_by_role("button", name="Send").dblclick()
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    box(page).fill(text)
    for _ in range(2):
        box(page).press("Enter")
    expect(turns(page)).to_have_count(6)
    expect_status(page, "completed")
    assert questions() == [text, second, text]
    expect(box(page)).to_have_value("")


def test_a_fault_of_the_server_keeps_the_text(page: Page, watch: Watch) -> None:
    watch.expect("status of 500")
    page.route("**/c/", lambda route: route.fulfill(status=500, body="<h1>Server Error</h1>"), times=1)
    send(page, "Keep me")
    expect(notice(page)).to_contain_text("That did not work. The server reported a fault of its own.")
    expect(box(page)).to_have_value("Keep me")
    assert "Server Error" not in page.content()


def test_an_empty_message_is_not_sent_and_shift_enter_breaks_the_line(page: Page) -> None:
    page.wait_for_load_state()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    box(page).press("Enter")
    box(page).fill("   ")
    box(page).press("Enter")
    box(page).fill("One")
    box(page).press("Shift+Enter")
    box(page).press_sequentially("two")
    expect(box(page)).to_have_value("One\ntwo")
    assert questions() == []


def test_what_is_written_while_an_answer_comes_is_kept_and_not_sent(page: Page, model: Model) -> None:
    held(page)
    box(page).fill("And tomorrow?")
    box(page).press("Enter")
    expect(turns(page)).to_have_count(2)
    model.open("half")
    expect_status(page, "completed")
    expect(box(page)).to_have_value("And tomorrow?")
    page.reload()
    expect(box(page)).to_have_value("And tomorrow?")


def test_settings_chosen_before_the_first_message_hold_for_it(page: Page, model: Model) -> None:
    page.wait_for_load_state()
    page.get_by_role("button", name="Settings of this conversation").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("System prompt").fill("Answer like a sailor.")
    dialog.get_by_label("Longest answer, in tokens").fill("321")
    dialog.get_by_role("button", name="Done").click()
    send(page, scripted(text=TEXT))
    conversation_of(page)
    expect_status(page, "completed")
    request = model.requests()[-1]
    assert (request["system"], request["max_tokens"]) == ("Answer like a sailor.", 321) or (
        request["system"][0]["text"],
        request["max_tokens"],
    ) == ("Answer like a sailor.", 321)

    page.get_by_role("button", name="Settings of this conversation").click()
    expect(dialog.get_by_label("System prompt")).to_have_value("Answer like a sailor.")
    dialog.get_by_label("Longest answer, in tokens").fill("0")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Longest answer, in tokens").fill("99")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    send(page, scripted("Again.", text=TEXT))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    assert model.requests()[-1]["max_tokens"] == 99


def test_what_is_copied_is_the_source(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    send(page, scripted(text="Some **bold** words.\n\n```python\nx = 1\n```\n", thinking=False))
    conversation_of(page)
    expect_status(page, "completed")
    answer(page).hover()
    answer(page).get_by_role("button", name="Copy the answer").click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert (
        page.evaluate("navigator.clipboard.readText()") == "Some **bold** words.\n\n```python\nx = 1\n```\n"
    )
    answer(page).locator(".snippet").get_by_role("button", name="Copy").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) === 'x = 1'")
