"""A long conversation: its end at once, what is earlier on demand, and what is read stays where it is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from chat.models import Conversation, Message
from tests.browser.chat import (
    asked,
    assert_same_drawing,
    box,
    expect_status,
    fresh,
    idle,
    next_frames,
    scripted,
    send,
    turns,
)
from tests.browser.watch import Watch
from tests.chat.conftest import CLAUDE

pytestmark = pytest.mark.django_db(transaction=True)

LENGTH = 150  # turns; a page shows 60
RICH = """Turn {n}, with a formula

$$\\sum_{{k=1}}^{{{n}}} k = \\frac{{{n} \\cdot ({n} + 1)}}{{2}}$$

| Column | Value |
| :--- | ---: |
| one | {n} |

```python
def turn_{n}(values: list[float]) -> float:
    return sum(values) / {n}
```

![A picture](https://pictures.example.org/{n}.png)
"""


@pytest.fixture
def long(owner: User) -> str:
    """The address of a conversation of so many turns, with all that grows when it is drawn."""
    conversation = Conversation.objects.create(owner=owner, title="Long", model=CLAUDE)
    messages: list[Message] = []
    for number in range(1, LENGTH + 1):
        is_question = number % 2 == 1
        text = f"Question {number}" if is_question else RICH.format(n=number)
        messages.append(
            Message(
                conversation=conversation,
                parent=messages[-1] if messages else None,
                role="user" if is_question else "assistant",
                author=owner if is_question else None,
                model="" if is_question else CLAUDE,
                blocks_text=json.dumps([{"type": "text", "text": text}]),
            )
        )
    Message.objects.bulk_create(messages)
    Conversation.objects.filter(id=conversation.id).update(head=messages[-1])
    return f"/c/{conversation.id}/"


# The text of the turn that is in the window, and how far below the upper edge it begins
READ = """() => {
  const bar = document.querySelector(".bar").getBoundingClientRect().bottom;
  const turn = [...document.querySelectorAll("article.turn")]
    .find((one) => one.getBoundingClientRect().bottom > bar);
  return [turn.id, turn.getBoundingClientRect().top];
}"""
TOP = "(id) => document.getElementById(id).getBoundingClientRect().top"


def at_rest(page: Page) -> None:
    """Formulas are set, and nothing is about to be drawn."""
    page.wait_for_function("() => !document.querySelector('.math:not([data-state])')")
    for _ in range(3):
        idle(page)
        next_frames(page)


def assert_unmoved(page: Page, scrolled: Callable[[], object], count: int) -> None:
    """Scrolls so that earlier turns come, and looks whether the turn that is read stays."""
    scrolled()
    turn, top = page.evaluate(READ)
    expect(turns(page)).to_have_count(count)
    at_rest(page)
    assert abs(page.evaluate(TOP, turn) - top) < 2, "what was read has moved"


def test_a_long_conversation_opens_at_its_end_with_its_last_turns(
    visit: Callable[..., Page], long: str
) -> None:
    page = visit(long)
    expect(turns(page)).to_have_count(60)
    expect(turns(page).last).to_be_in_viewport()
    at_rest(page)
    expect(turns(page)).to_have_count(60)
    expect(page.get_by_role("button", name="Earlier messages")).to_be_attached()


@pytest.mark.parametrize("place", [0, 300])
def test_earlier_turns_come_by_themselves_and_what_is_read_stays(
    visit: Callable[..., Page], long: str, place: int
) -> None:
    page = visit(long)
    at_rest(page)
    for count in (120, LENGTH):
        assert_unmoved(page, lambda: page.evaluate(f"window.scrollTo(0, {place})"), count)
    expect(page.locator("earlier-turns")).to_have_count(0)
    page.evaluate("window.scrollTo(0, 0)")
    expect(turns(page).first).to_contain_text("Question 1")
    texts = page.eval_on_selector_all("prose-text", "(all) => all.map((one) => one.text)")
    assert texts == [f"Question {n}" for n in range(1, LENGTH + 1, 2)]


def test_earlier_turns_come_by_keyboard_and_after_a_failure(
    visit: Callable[..., Page], long: str, watch: Watch
) -> None:
    watch.expect_no_server()
    page = visit(long)
    at_rest(page)
    page.route("**/turns/?before=*", lambda route: route.abort(), times=1)
    page.evaluate("window.scrollTo(0, 0)")
    button = page.get_by_role("button", name="Earlier messages could not be fetched. Try again")
    button.focus()
    turn, top = page.evaluate(READ)
    page.keyboard.press("Enter")
    expect(turns(page)).to_have_count(120)
    at_rest(page)
    assert abs(page.evaluate(TOP, turn) - top) < 2
    expect(page.locator("#announcer")).to_have_text("60 earlier messages")
    assert page.evaluate("document.activeElement.nextElementSibling?.id") == turn


def test_what_was_fetched_stays_when_the_conversation_goes_on(visit: Callable[..., Page], long: str) -> None:
    page, other = visit(long), visit(long)
    at_rest(page)
    page.evaluate("window.scrollTo(0, 0)")
    expect(turns(page)).to_have_count(120)
    at_rest(page)
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight / 2)")
    next_frames(page)
    turn, top = page.evaluate(READ)
    send(other, scripted("On it goes.", text="It does."))
    expect(turns(page)).to_have_count(122)
    expect_status(page, "completed")
    at_rest(page)
    assert abs(page.evaluate(TOP, turn) - top) < 2
    turns(other).last.hover()
    turns(other).last.get_by_role("button", name="Retry").click()
    other.get_by_role("menuitem").first.click()
    expect(page.get_by_role("group", name="Version 2 of 2")).to_be_attached()
    expect(turns(page)).to_have_count(122)
    assert abs(page.evaluate(TOP, turn) - top) < 2


def test_a_turn_that_was_fetched_later_can_be_edited(visit: Callable[..., Page], long: str) -> None:
    page = visit(long)
    at_rest(page)
    page.evaluate("window.scrollTo(0, 0)")
    expect(turns(page)).to_have_count(120)
    early = turns(page).filter(has_text="Question 41").first
    early.hover()
    early.get_by_role("button", name="Edit the message").click()
    wording = page.get_by_role("textbox", name="New wording")
    wording.fill(scripted("In other words.", text="Another answer."))
    wording.press("Enter")
    expect(page.get_by_role("group", name="Version 2 of 2")).to_be_in_viewport()
    expect_status(page, "completed")
    expect(turns(page).last).to_contain_text("Another answer.")
    expect(box(page)).to_be_focused()


def test_a_short_conversation_has_nothing_earlier(page: Page) -> None:
    asked(page, "When is the tide?", text="At noon.")
    expect(page.locator("earlier-turns")).to_have_count(0)
    assert_same_drawing(page, fresh(page))
