"""A page in the middle of an answer: reloaded, doubled, cut off. What was shown stays, nothing is missing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from chat import sockets
from chat.host import host
from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    answer,
    assert_same_drawing,
    box,
    conversation_of,
    expect_status,
    pieces,
    received,
    scripted,
    send,
    turns,
    wait_received,
)
from tests.browser.conftest import let_in
from tests.browser.line import Line
from tests.browser.watch import Watch
from tests.live import LiveServer

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = """The first paragraph has **strong words**, `code` and a [link](https://docs.example.org/a).

1. One thing
2. another, with $a^2 + b^2 = c^2$ in it
   - and a thing below it

| Month | Calls | Share |
| :--- | ---: | :---: |
| March | 1,204 | 31 % |
| April | 2,710 | 69 % |

```python
def mean(values: list[float]) -> float:
    return sum(values) / len(values)
```

> A quotation, and then a last paragraph with *some* stress.

The end of it.
"""
DELTAS = 90
GATES = {"first": 30, "second": 61}  # in the list, in the code


def ask(page: Page, **script: object) -> str:
    """Sends a message whose answer is TEXT, held at the gates; returns the conversation's id."""
    gates = {name: deltas + EVENTS_BEFORE_TEXT for name, deltas in GATES.items()}
    script = {
        "text": TEXT,
        "deltas": DELTAS,
        "thinking": False,
        "gates": gates,
        "title": "Calls in spring",
    } | script
    send(page, scripted(**script))
    return conversation_of(page)


def at_gate(page: Page, name: str) -> None:
    wait_received(page, pieces(TEXT, DELTAS, GATES[name]))


def finish(page: Page, model: Model) -> None:
    for name in GATES:
        model.open(name)
    expect_status(page, "completed")
    assert received(page) == TEXT


def another(page: Page) -> Page:
    """The same address in another tab of the same browser."""
    tab = page.context.new_page()
    tab.goto(page.url)
    return tab


def mark(page: Page) -> Callable[[], bool]:
    """Remembers the first drawn paragraph; whether the page still shows that very node, never loaded anew."""
    page.evaluate("window.kept = document.querySelector('.answer p')")
    return lambda: bool(page.evaluate("Boolean(window.kept?.isConnected)"))


def dismiss_sockets(code: int) -> None:
    """The server closes every socket."""

    async def dismiss() -> None:
        for page in [page for mine in sockets._open.values() for page in mine]:
            await page.dismiss(code)

    assert host.loop is not None
    asyncio.run_coroutine_threadsafe(dismiss(), host.loop).result(10)


def test_a_reload_in_mid_stream_goes_on_where_the_page_was(page: Page, model: Model) -> None:
    ask(page)
    for name in GATES:
        at_gate(page, name)
        shown = answer(page).locator(".answer").inner_text()
        fresh = another(page)
        at_gate(fresh, name)
        assert_same_drawing(page, fresh)
        page.reload()
        at_gate(page, name)
        assert answer(page).locator(".answer").inner_text() == shown
        assert_same_drawing(page, fresh)
        fresh.close()
        model.open(name)
    finish(page, model)
    assert_same_drawing(page, another(page))


def test_a_second_tab_and_a_second_device_are_in_step(
    page: Page, model: Model, visit: Callable[..., Page]
) -> None:
    conversation = ask(page)
    at_gate(page, "first")
    tab, device, elsewhere = another(page), visit(f"/c/{conversation}/"), visit("/")
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
    fresh = another(page)
    for one in (page, tab, device):
        assert_same_drawing(one, fresh)


def test_a_conversation_begun_in_one_tab_is_listed_in_the_others(page: Page) -> None:
    other = another(page)
    send(page, scripted("What is the tide tomorrow?", text="High at noon.", title="Tide tomorrow"))
    conversation = conversation_of(page)
    expect(other.locator(f"#nav-{conversation}")).to_have_text("Tide tomorrow")
    expect(page.locator(f"#nav-{conversation}")).to_have_attribute("aria-current", "page")
    expect(other.locator("[aria-current=page]")).to_have_text("New chat")


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
    assert_same_drawing(page, another(page))


def test_a_wire_cut_in_mid_stream_leaves_no_gap(
    server: LiveServer, owner: User, new_context: Callable, watch: Watch, model: Model
) -> None:
    watch.expect_no_server()
    with Line(server.port) as line:
        watch.origins.add(line.url)
        context = new_context()
        let_in(context, line.url, owner)
        page = context.new_page()
        page.goto(line.url)
        ask(page)
        at_gate(page, "first")
        unchanged = mark(page)
        line.cut()
        model.open("first")
        model.wait("waiting.second")
        expect(page.locator("#connection")).to_contain_text("No connection.")
        assert received(page) == pieces(TEXT, DELTAS, GATES["first"])
        line.mend()
        at_gate(page, "second")
        expect(page.locator("#connection")).to_be_hidden()
        finish(page, model)
        assert unchanged()
        assert_same_drawing(page, another(page))
        context.close()


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
    assert_same_drawing(page, another(page))


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
    assert_same_drawing(page, another(page))


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


def test_a_page_in_the_background_has_everything_when_it_is_shown(page: Page, model: Model) -> None:
    ask(page)
    at_gate(page, "first")
    front = another(page)
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
    assert_same_drawing(page, another(page))


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
