"""The chat as a person sees it: what tests do there, and how two drawings of it are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from providers.simulator.parts import evenly
from providers.simulator.server import ThreadServer
from tests.browser.page import script

SETTLE_SECONDS = 15
EVENTS_BEFORE_TEXT = 2  # message_start and content_block_start

DRAWN, DRESSED = script("drawn"), script("dressed")


def scripted(prompt: str = "Go.", **script: object) -> str:
    """A message that scripts its own answer; docs/simulator.md names the fields."""
    return f"{prompt}\n[[simulate {json.dumps(script)}]]"


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


def send(page: Page, text: str) -> None:
    """Writes a message and sends it with Enter."""
    page.wait_for_load_state()  # a person sees the page when its script has run
    box(page).fill(text)
    box(page).press("Enter")


def turns(page: Page) -> Locator:
    return page.locator("article.turn")


def answer(page: Page) -> Locator:
    """The last answer."""
    return page.locator("article.turn[data-role=assistant]").last


def prose(page: Page) -> Locator:
    return answer(page).locator(".answer")


def expect_status(page: Page, status: str) -> None:
    """Waits until the last answer has this status and its foot."""
    expect(answer(page)).to_have_attribute("data-status", status)
    if status != "running":
        expect(answer(page).locator(".turn-foot")).to_be_visible()


def asked(page: Page, prompt: str, **script: object) -> str:
    """Asks and waits for the end of the answer; returns the conversation's id."""
    send(page, scripted(prompt, **script))
    conversation = conversation_of(page)
    expect_status(page, "completed")
    return conversation


def act(turn: Locator, name: str) -> Locator:
    """What can be done under a turn, by the beginning of its name."""
    turn.hover()
    return turn.locator(".turn-acts").get_by_role("button", name=name)


def pager(turn: Locator) -> Locator:
    return turn.get_by_role("group", name="Version")


def notice(page: Page) -> Locator:
    """What is said above the composer."""
    return page.locator("#composer-notice .notice")


def focused(page: Page) -> str:
    """The id of what has the focus."""
    return str(page.evaluate("document.activeElement.id"))


def fresh(page: Page) -> Page:
    """The same address in another tab of the same browser."""
    tab = page.context.new_page()
    tab.goto(page.url)
    return tab


def mark(page: Page) -> Callable[[], bool]:
    """Remembers the first drawn paragraph; whether the page still shows that very node, never loaded anew."""
    page.evaluate("window.kept = document.querySelector('.answer p')")
    return lambda: bool(page.evaluate("Boolean(window.kept?.isConnected)"))


def conversation_of(page: Page) -> str:
    """Waits for the address of a conversation; returns its id."""
    page.wait_for_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    return page.url.rstrip("/").rsplit("/", 1)[-1]


def received(page: Page) -> str:
    """The Markdown that the last answer has received."""
    return str(page.evaluate("[...document.querySelectorAll('answer-view')].at(-1).text"))


def wait_received(page: Page, text: str) -> None:
    """Waits until exactly this Markdown has come and has been drawn."""
    page.wait_for_function(
        "(text) => [...document.querySelectorAll('answer-view')].at(-1)?.text === text", arg=text
    )
    next_frames(page)


def next_frames(page: Page) -> None:
    """What was due to be drawn has been drawn."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
    )


def idle(page: Page) -> None:
    """The page has done what it puts off until it has time."""
    page.evaluate("() => new Promise((done) => requestIdleCallback(() => done(), { timeout: 500 }))")


def drawn(page: Page, selector: str = "#turns") -> str:
    """Waits for formulas and colours; returns the markup of what is drawn."""
    until(page, lambda: page.eval_on_selector(selector, DRESSED))
    return str(page.eval_on_selector(selector, DRAWN))


def until(page: Page, holds: Callable[[], Any]) -> None:
    """Looks whenever the page has time, until it holds."""
    for _ in range(SETTLE_SECONDS * 20):
        if holds():
            return
        idle(page)
        next_frames(page)
    raise AssertionError("the page did not come to rest")


def assert_same_drawing(live: Page, fresh: Page, selector: str = "#turns") -> None:
    """What the one page came to by events is what the other one was loaded with."""
    ours, theirs = drawn(live, selector), drawn(fresh, selector)
    if ours != theirs:
        at = next((n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
        at = at if at >= 0 else min(len(ours), len(theirs))
        near = slice(max(0, at - 200), at + 300)
        raise AssertionError(f"live:  …{ours[near]}\n\nfresh: …{theirs[near]}")


def pieces(text: str, deltas: int, count: int) -> str:
    """What `count` of the `deltas` pieces of a scripted text are together."""
    return "".join(evenly(text, deltas)[:count])


class Model:
    """The scripted vendor: its gates and what it counted."""

    def __init__(self, vendor: ThreadServer) -> None:
        self._url = f"{vendor.base_url}/_simulator"

    def open(self, gate: str) -> None:
        httpx.post(f"{self._url}/gates/{gate}").raise_for_status()

    def wait(self, name: str, count: int = 1) -> None:
        """Until a counter is reached, such as `waiting.NAME` or `streams_cancelled`."""
        httpx.get(f"{self._url}/stats", params={"wait": f"{name}:{count}"}, timeout=15).raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """The bodies of the calls for answers, oldest first; requests for titles are left out."""
        recent = httpx.get(f"{self._url}/stats").json()["recent"]
        bodies = [json.loads(one["body"]) for one in recent if one["path"] == "/v1/messages"]
        return [body for body in bodies if "Write a title" not in json.dumps(body.get("system", ""))]
