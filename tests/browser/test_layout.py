"""How the page holds its shape: narrow, zoomed, dark, still, long, and while an answer grows."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    answer,
    conversation_of,
    expect_status,
    next_frames,
    pieces,
    prose,
    scripted,
    send,
    turns,
    wait_received,
)
from tests.browser.page import script
from tests.browser.watch import Watch
from tests.live import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = "| " + " | ".join(f"Column {n}" for n in range(8)) + " |\n" + "| --- " * 8 + "|\n"
WIDE = (
    TABLE
    + ("| " + " | ".join("a longer cell" for _ in range(8)) + " |\n") * 3
    + "\n```python\n"
    + "value = some_function_with_a_name(first_argument, second_argument, third_argument, fourth_argument)\n"
    * 3
    + "```\n\n"
    + "$$\\sum_{n=1}^{\\infty} \\frac{1}{n^2} + \\int_0^1 x^2\\,dx + "
    + " + ".join(f"a_{n}" for n in range(30))
    + "$$\n\n"
    + "https://docs.example.org/"
    + "a-long-address" * 20
    + "\n\n"
    + "W" * 300
)
PARAGRAPHS = "\n\n".join(
    f"Paragraph {n}. " + "Some words that fill a line or two of the page. " * 4 for n in range(40)
)


def written(visitor: Visitor, **script: object) -> str:
    """A conversation with one finished answer."""
    conversation, (_question, answered) = visitor.start(
        scripted("A question.", **{"thinking": False, **script}), "anthropic/claude-sonnet-5-5"
    )
    with visitor.listen(conversation, {answered.run: 0}) as page:
        page.hear_until("finished")
    return conversation


def overflow(page: Page) -> int:
    """By how much the page is wider than its window, in pixels."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1440, 720, 320])
def test_nothing_makes_the_page_scroll_sideways(
    visitor: Visitor, visit: Callable[..., Page], watch: Watch, width: int
) -> None:
    watch.expect("status of 404")
    wide = written(visitor, text=WIDE)
    steps = written(visitor, demo="everything")
    page = visit("/", viewport={"width": width, "height": 800})
    for path in ("/", f"/c/{wide}/", f"/c/{steps}/", "/login/", "/setup/key/", "/none/"):
        page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + path)
        page.wait_for_load_state()
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        next_frames(page)
        assert overflow(page) == 0, path
        assert page.evaluate(script("cut")) == [], path


def test_the_zoomed_page_can_still_be_used(visit: Callable[..., Page]) -> None:
    page = visit("/", viewport={"width": 720, "height": 450})
    send(page, scripted(text=WIDE, thinking=False))
    conversation_of(page)
    expect_status(page, "completed")
    page.get_by_role("button", name="Settings of this conversation").click()
    save = page.get_by_role("dialog").get_by_role("button", name="Save")
    save.scroll_into_view_if_needed()
    expect(save).to_be_in_viewport()
    page.keyboard.press("Escape")
    bar, dock = (page.locator(name).bounding_box() for name in (".bar", ".dock"))
    assert bar is not None
    assert dock is not None
    assert dock["y"] - bar["y"] - bar["height"] > 150, "the text has too little room"


def test_the_sidebar_is_a_drawer_on_a_phone(visit: Callable[..., Page], visitor: Visitor) -> None:
    conversation = written(visitor, text="Short.", title="In the drawer")
    page = visit("/", viewport={"width": 390, "height": 844}, has_touch=True)
    page.wait_for_load_state()
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Show the sidebar").click()
    expect(page.locator(f"#nav-{conversation}")).to_be_in_viewport(ratio=0.9)
    page.locator(f"#nav-{conversation}").click()
    page.wait_for_url(f"**/c/{conversation}/")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Show the sidebar").click()
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar")).to_be_hidden()
    assert page.evaluate(script("controls"), 44) == {"nameless": [], "small": []}


def test_a_collapsed_sidebar_stays_collapsed(page: Page) -> None:
    page.wait_for_load_state()
    page.get_by_role("button", name="Hide the sidebar").click()
    expect(page.locator("#sidebar")).to_be_hidden()
    page.reload()
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Show the sidebar").click()
    expect(page.locator("#sidebar")).to_be_visible()


def test_nothing_moves_for_those_who_asked_for_it(visit: Callable[..., Page], model: Model) -> None:
    page = visit("/", reduced_motion="reduce")
    text = "Word " * 40
    send(page, scripted(text=text, deltas=10, thinking=False, gates={"half": 5 + EVENTS_BEFORE_TEXT}))
    conversation_of(page)
    wait_received(page, pieces(text, 10, 5))
    assert moving(page) == []
    page.get_by_role("button", name="Hide the sidebar").click()
    page.locator(".composer-model").click()
    assert moving(page) == []
    model.open("half")
    page.keyboard.press("Escape")
    expect_status(page, "completed")
    assert moving(page) == []


def moving(page: Page) -> list[str]:
    return list(
        page.evaluate(
            """() => document.getAnimations()
              .filter(({ playState, effect }) => playState === "running" && effect.getTiming().duration > 1)
              .map((one) => one.animationName ?? one.transitionProperty)"""
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visitor: Visitor, visit: Callable[..., Page], scheme: str) -> None:
    good = written(visitor, demo="everything")
    failed, (_question, answered) = visitor.start(
        scripted("Fail.", status=400), "anthropic/claude-sonnet-5-5"
    )
    with visitor.listen(failed, {answered.run: 0}) as listener:
        listener.hear_until("finished")
    page = visit("/", color_scheme=scheme)
    assert page.evaluate(script("contrast")) == []
    for conversation in (good, failed):
        page.goto(page.url.split("/c/")[0].rstrip("/") + f"/c/{conversation}/")
        expect(answer(page).locator(".turn-foot")).to_be_visible()
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        page.locator("code[data-state=coloured]").first.wait_for(
            state="attached"
        ) if conversation == good else None
        page.locator(".composer-model").click()
        assert page.evaluate(script("contrast")) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Settings of this conversation").click()
        assert page.evaluate(script("contrast")) == []
        page.keyboard.press("Escape")


def test_the_chosen_appearance_wins_and_is_remembered(page: Page) -> None:
    page.wait_for_load_state()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Menu of Olga").click()
    page.get_by_text("Dark", exact=True).click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


# Columns of a table find their widths as rows come; all else keeps its place.
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    const moved = sources.map(({ node }) => (node instanceof Text ? node.parentElement : node));
    const nodes = moved.filter(Boolean);
    if (hadRecentInput || nodes.every((node) => node.closest("table, .dock"))) continue;
    window.shifts.push([value, nodes.map((node) => node.outerHTML.slice(0, 120))]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def test_nothing_shifts_while_an_answer_streams(page: Page) -> None:
    page.context.add_init_script(SHIFTS)
    page.reload()
    send(page, scripted("First.", demo="math", title="Shifts"))  # KaTeX and its fonts are fetched once
    conversation_of(page)
    expect_status(page, "completed")
    expect(prose(page).locator(".katex").first).to_be_attached()
    page.evaluate("async () => { await document.fonts.ready; window.shifts = []; }")
    send(page, scripted("Everything, please.", demo="everything", rate=250))
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")
    next_frames(page)
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _nodes in shifts) < 0.01, json.dumps(shifts, indent=1)


def expect_at_end(page: Page) -> None:
    """The page comes to its end with the frame that draws what it received."""
    page.wait_for_function("() => document.documentElement.scrollHeight - innerHeight - scrollY < 3")


def hold(page: Page, deltas: int, *counts: int) -> None:
    """Asks for a long answer in so many pieces, with a gate after each of these counts."""
    gates = {f"at-{count}": count + EVENTS_BEFORE_TEXT for count in counts}
    send(page, scripted("Tell me at length.", text=PARAGRAPHS, deltas=deltas, thinking=False, gates=gates))


def test_the_page_follows_the_end_only_for_a_reader_who_is_there(page: Page, model: Model) -> None:
    hold(page, 40, 20, 30, 35)
    conversation_of(page)
    to_end = page.get_by_role("button", name="To the end")
    wait_received(page, pieces(PARAGRAPHS, 40, 20))
    expect(to_end).to_be_hidden()
    expect_at_end(page)

    page.mouse.move(700, 400)
    page.mouse.wheel(0, -600)
    expect(to_end).to_be_visible()
    page.wait_for_function("() => document.documentElement.scrollHeight - innerHeight - scrollY > 400")
    next_frames(page)
    place = page.evaluate("scrollY")
    seen = prose(page).locator("p").nth(5)
    top = seen.evaluate("(node) => node.getBoundingClientRect().top")
    model.open("at-20")
    wait_received(page, pieces(PARAGRAPHS, 40, 30))
    assert page.evaluate("scrollY") == place
    assert seen.evaluate("(node) => node.getBoundingClientRect().top") == pytest.approx(top, abs=1)
    expect(to_end).to_be_visible()

    to_end.click()
    expect(to_end).to_be_hidden()
    expect_at_end(page)
    model.open("at-30")
    wait_received(page, pieces(PARAGRAPHS, 40, 35))
    expect_at_end(page)

    page.mouse.wheel(0, -900)
    expect(to_end).to_be_visible()
    next_frames(page)
    place = page.evaluate("scrollY")
    model.open("at-35")
    expect_status(page, "completed")
    assert page.evaluate("scrollY") == place
    page.keyboard.press("Control+End")
    expect(to_end).to_be_hidden()


def test_a_long_conversation_opens_at_its_end_and_what_is_sent_is_in_view(
    page: Page, visitor: Visitor
) -> None:
    conversation = written(visitor, text=PARAGRAPHS)
    page.goto(page.url.rstrip("/") + f"/c/{conversation}/")
    page.wait_for_load_state()
    page.wait_for_function("() => document.documentElement.scrollHeight - innerHeight - scrollY < 3")
    page.mouse.move(700, 400)
    page.mouse.wheel(0, -3000)
    expect(page.get_by_role("button", name="To the end")).to_be_visible()
    send(page, scripted("And now?", text="Now this."))
    expect_status(page, "completed")
    expect(prose(page).get_by_text("Now this.")).to_be_in_viewport()


def test_the_code_being_written_keeps_its_scroll_and_can_be_copied(page: Page, model: Model) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    line = "def compute(value=1): return " + ", ".join(f"argument_{n}" for n in range(30)) + "\n"
    text = "Code:\n\n```python\n" + line * 30 + "```\n\nDone.\n"
    send(page, scripted(text=text, deltas=60, thinking=False, gates={"half": 30 + EVENTS_BEFORE_TEXT}))
    conversation_of(page)
    wait_received(page, pieces(text, 60, 30))
    code = prose(page).locator("pre")
    code.evaluate("(pre) => { pre.scrollLeft = 200; window.kept = pre.querySelector('code').firstChild; }")
    prose(page).get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith(line)
    model.open("half")
    expect_status(page, "completed")
    assert code.evaluate("(pre) => pre.scrollLeft") == 200
    expect(code.locator("[data-k]").first).to_be_attached()
