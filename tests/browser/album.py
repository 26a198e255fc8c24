"""Taking pictures of pages, and bringing a page to what is to be seen on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chat import idle, next_frames
from tests.browser.watch import Watch

SIZES: dict[str, dict[str, Any]] = {
    "1440x900": {"viewport": {"width": 1440, "height": 900}},
    "390x844": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
SCHEMES = ("light", "dark")

Act = Callable[[Page], object]


def nothing(page: Page) -> None:
    """The page as it is loaded."""


@dataclass
class Album:
    """Takes the pictures. `pages` are the browsers of one person, by size."""

    url: str
    folder: Path
    only: str
    watch: Watch
    browser: Browser
    pages: dict[str, Page]
    taken: int = 0

    def wants(self, name: str) -> bool:
        return self.only in name

    def shoot(
        self, name: str, path: str = "", act: Act = nothing, *, sizes: tuple[str, ...] = tuple(SIZES)
    ) -> None:
        """Four pictures of one page, brought by `act` to what is to be seen; path "": the page as it is."""
        if not self.wants(name):
            return
        for size in sizes:
            page = self.pages[size]
            if path:
                page.goto(self.url + path)
                page.wait_for_load_state()
            act(page)
            settle(page)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                file = self.folder / f"{name}-{size}-{scheme}.png"
                page.screenshot(path=file, caret="initial", animations="disabled")
                self.taken += 1
            page.emulate_media(color_scheme="light")

    @contextmanager
    def somebody(self, state: Any = None) -> Iterator[Album]:
        """The same album with the browsers of somebody else; without `state`, of a stranger."""
        contexts = [new_context(self.browser, self.watch, size, state) for size in SIZES]
        pages = {size: context.new_page() for size, context in zip(SIZES, contexts, strict=True)}
        other = Album(self.url, self.folder, self.only, self.watch, self.browser, pages)
        yield other
        self.taken += other.taken
        for context in contexts:
            context.close()


def new_context(browser: Browser, watch: Watch, size: str, state: Any = None) -> BrowserContext:
    context = browser.new_context(**SIZES[size], storage_state=state, timezone_id="Europe/Brussels")
    context.set_default_timeout(30_000)
    watch.over(context)
    return context


def settle(page: Page) -> None:
    """Formulas, colours and fonts are there, and nothing is about to be drawn."""
    page.wait_for_function("() => !document.querySelector('.math:not([data-state])')")
    page.evaluate("async () => { await document.fonts.ready; }")
    for _ in range(2):
        idle(page)
        next_frames(page)


# What is to be seen on a page


def at(selector: str, nth: int = 0, *, below: int = 0) -> Act:
    """This part, or what is so many pixels below its beginning, at the upper edge of the window."""

    def scroll(page: Page) -> None:
        page.mouse.wheel(0, -1)
        page.locator(selector).nth(nth).evaluate(
            "(node, below) => window.scrollBy(0, node.getBoundingClientRect().top - 72 + below)", below
        )

    return scroll


def click(name: str | re.Pattern[str], role: Any = "button") -> Act:
    return lambda page: page.get_by_role(role, name=name).first.click()


def unfold(selector: str) -> Act:
    def opened(page: Page) -> None:
        for fold in page.locator(selector).all():
            fold.evaluate("(fold) => { fold.open = true; }")
        at(selector)(page)

    return opened


def write(text: str) -> Act:
    return lambda page: page.get_by_role("textbox", name="Message").fill(text)


def both(*acts: Act) -> Act:
    def done(page: Page) -> None:
        for act in acts:
            act(page)

    return done


def offline(page: Page) -> None:
    page.wait_for_function("() => performance.now() > 1500")  # the socket is open and has said so
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible(timeout=20_000)


def online(page: Page) -> None:
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden(timeout=20_000)
