"""Text that wants to be more than text: whole, cut anywhere while it streams, from models and from people."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import monotonic

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import Organisation, User
from accounts.names import clean_name
from chat import titles
from chat.models import TITLE_LENGTH
from providers.types import Json
from tests.browser import feeding, hostile
from tests.browser.chat import (
    answer,
    assert_same_drawing,
    box,
    conversation_of,
    drawn,
    expect_status,
    idle,
    next_frames,
    prose,
    received,
    scripted,
    send,
)
from tests.browser.page import script
from tests.browser.watch import Watch

pytestmark = pytest.mark.django_db(transaction=True)

ALL = [*hostile.MARKUP, *hostile.LINKS, *hostile.IMAGES, *hostile.ODD, *hostile.MATHS]


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    """The owner's browser, with a guard in each page that sees whatever is put into an answer."""
    context.add_init_script(script("guard"))
    return context


def assert_nothing_found(page: Page) -> None:
    next_frames(page)
    idle(page)
    found = page.evaluate("window.guard.found()")
    assert found == []


def asked_since(watch: Watch, before: int) -> list[str]:
    """What was asked for since then, but for the page's own scripts and sheets."""
    return [
        path
        for path in watch.paths()[before:]
        if not path.startswith(("/static/dist/", "/static/css/", "/c/"))
    ]


def cuts(text: str) -> list[str]:
    """Character by character; long texts in as many pieces."""
    size = max(1, len(text) // 120)
    return [text[at : at + size] for at in range(0, len(text), size)]


def paired(texts: list[str]) -> list[str]:
    """Without lone surrogates, which the adapter takes out of texts."""
    return [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]


def test_the_guard_sees_what_stood_there_for_a_moment(page: Page) -> None:
    feeding.ready(page)
    feeding.play(page, "guarded", feeding.text_events(["A paragraph."]))
    assert_nothing_found(page)
    page.evaluate(
        """() => {
          const image = document.createElement("img");
          image.setAttribute("hx-post", "/");
          document.querySelector(".answer p").append(image);
          image.remove();
          document.querySelector(".answer p").setAttribute("hx-get", "/");
        }"""
    )
    found = page.evaluate("window.guard.found()")
    assert len(found) == 3, found


def test_hostile_text_is_harmless_cut_after_every_character(page: Page, watch: Watch) -> None:
    feeding.ready(page)
    before = len(watch.paths())
    for number, text in enumerate(paired(ALL)):
        pieces = cuts(text)
        events = feeding.text_events(pieces)
        wrong = feeding.play(page, f"text-{number}", events, frames=len(events) * 4, looks=3)
        assert not wrong, wrong[0]
    assert_nothing_found(page)
    assert asked_since(watch, before) == []


def test_hostile_thinking_tools_results_and_sources_are_harmless(page: Page, watch: Watch) -> None:
    feeding.ready(page)
    before = len(watch.paths())
    for number, text in enumerate(paired([*hostile.MARKUP, *hostile.LINKS, *hostile.IMAGES])):
        events = feeding.text_events([text[:9], text[9:]], thinking=True)
        feeding.play(page, f"thought-{number}", events, frames=8)
    feeding.play(page, "blocks", feeding.block_events(hostile.blocks()), frames=60)
    page.evaluate("for (const fold of document.querySelectorAll('.answer details')) fold.open = true")
    assert_nothing_found(page)
    assert asked_since(watch, before) == []
    expect(page.locator("[data-name=blocks] a[href^='https://evil.example/page']").first).to_have_attribute(
        "rel", "noopener noreferrer nofollow"
    )


def test_links_lead_only_where_they_say(page: Page) -> None:
    feeding.ready(page)
    for number, text in enumerate(paired([*hostile.LINKS, *hostile.GOOD_LINKS])):
        feeding.play(page, f"link-{number}", feeding.text_events([text]), frames=2)
    assert_nothing_found(page)
    links = page.eval_on_selector_all(
        ".answer a", "(links) => links.map((a) => [a.href, a.rel, a.target, a.dataset.host ?? a.textContent])"
    )
    assert {href for href, *_ in links} == set(hostile.GOOD_LINKS.values())
    for href, rel, target, shown in links:
        assert (rel, target) == ("noopener noreferrer nofollow", "_blank")
        assert "example.org" in shown, f"where {href} leads is not shown"


def test_a_remote_image_is_a_link_that_names_its_host(page: Page, watch: Watch) -> None:
    before = len(watch.requests)
    send(page, scripted(text="\n\n".join(hostile.IMAGES), deltas=300, rate=0, thinking=False))
    conversation_of(page)
    expect_status(page, "completed")
    image = prose(page).locator(".remote-image").first
    expect(image).to_contain_text("evil.example")
    expect(image).to_have_attribute("href", "https://evil.example/inline.png")
    assert_nothing_found(page)
    page.reload()
    expect(image).to_be_visible()
    assert_nothing_found(page)
    kinds = [
        url
        for url in watch.requests[before:]
        if url.startswith("data:image") or "evil" in url or "own.png" in url
    ]
    assert [url for url in kinds if not url.startswith("data:image/svg+xml,%3Csvg")] == []


@pytest.mark.parametrize("deltas", [1, 900])
def test_a_hostile_answer_is_harmless_live_and_loaded(page: Page, watch: Watch, deltas: int) -> None:
    text = "\n\n".join(paired([*hostile.MARKUP, *hostile.LINKS, *hostile.ODD])).replace("\x00", "")
    before = len(watch.paths())
    send(page, scripted(text=text, deltas=deltas, thinking=False, title="Hostile"))
    conversation_of(page)
    expect_status(page, "completed")
    assert received(page).replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert_nothing_found(page)
    fresh = page.context.new_page()
    fresh.goto(page.url)
    assert_same_drawing(page, fresh)
    assert_nothing_found(fresh)
    asked = [path for path in asked_since(watch, before) if path not in {"/sidebar/", "/ws/"}]
    assert [path for path in asked if not path.startswith(("/static/", "/c/"))] == []


def test_a_persons_own_hostile_words_are_harmless(page: Page) -> None:
    text = "\n\n".join(paired([*hostile.MARKUP, *hostile.LINKS, *hostile.IMAGES]))
    send(page, scripted(text, text="I see."))
    conversation_of(page)
    expect_status(page, "completed")
    assert_nothing_found(page)
    expect(page.locator("prose-text")).to_contain_text("<script>window.harm = 1</script>")
    page.reload()
    expect(page.locator("prose-text")).to_contain_text("<script>window.harm = 1</script>")
    assert_nothing_found(page)


def test_nul_and_lone_surrogates_from_a_model_are_taken_out_once(page: Page) -> None:
    blocks: list[Json] = [
        {"type": "text", "text": f"a\x00b {hostile.ODD[1]} {hostile.ODD[3]} {hostile.ODD[4]}"}
    ]
    send(page, f"Go.\n[[simulate {json.dumps({'blocks': blocks})}]]")
    conversation_of(page)
    expect_status(page, "completed")
    assert "\x00" not in received(page)
    fresh = page.context.new_page()
    fresh.goto(page.url)
    assert drawn(page) == drawn(fresh)


HEAVY = {
    "brackets": "[" * 1_000_000,
    "images": "![" * 500_000,
    "stress": "*a " * 333_000,
    "quotations": "> " * 500_000,
    "lists in lists": "\n".join("  " * (n % 400) + "- x" for n in range(4_000)),
    "links": "[a](" * 250_000,
    "fences": "```\nx\n```\n" * 5_000,
    "a wide table": "|a" * 5_000 + "|\n" + "|-" * 5_000 + "|\n" + "|b" * 5_000 + "|\n",
    "a long table": "|a|b|c|d|\n|-|-|-|-|\n" + "|1|2|3|4|\n" * 20_000,
    "entities": "&#x61;" * 160_000,
    "references": "\n".join(f"[{n}]: https://docs.example.org/{n}" for n in range(20_000)) + "\n[1] [2]",
    "addresses": "https://a.example/ " * 50_000,
    "one word": "W" * 1_000_000,
}
SECONDS = 20.0  # for one text of a megabyte on a slow machine; what is not bounded takes minutes


def test_a_megabyte_of_marks_does_not_hang_the_page(page: Page) -> None:
    feeding.ready(page)
    for name, text in HEAVY.items():
        size = len(text) // 12 + 1
        events = feeding.text_events([text[at : at + size] for at in range(0, len(text), size)])
        drawn_in_time = feeding.play_within(page, name, events, frames=12, milliseconds=SECONDS * 1000)
        assert drawn_in_time, f"{name}: not drawn within {SECONDS} s"
    box(page).fill("Still here")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_heavy_answer_of_one_person_does_not_hold_up_another(
    page: Page, stranger: User, visit: Callable[..., Page]
) -> None:
    other = visit("/", person=stranger)
    send(page, scripted(text="[" * 400_000, deltas=400, rate=200, thinking=False))
    conversation_of(page)
    expect(answer(page)).to_have_attribute("data-status", "running")
    started = monotonic()
    send(other, scripted(text="Quick.", thinking=False))
    conversation_of(other)
    expect_status(other, "completed")
    assert monotonic() - started < SECONDS
    page.get_by_role("button", name="Stop the answer").click()
    expect_status(page, "stopped")


def test_hostile_names_and_titles_are_text(page: Page, owner: User) -> None:
    for name in hostile.NAMES.values():
        shown = clean_name(name)
        User.objects.filter(id=owner.id).update(display_name=shown)
        Organisation.objects.update(name=shown)
        page.goto(page.url.split("/c/")[0])
        expect(page.locator(".me-name")).to_have_text(shown)
        expect(page.locator(".me-house")).to_have_text(shown)
        expect(page.locator(".me")).to_have_attribute("aria-label", f"Menu of {shown}")
        expect(page.locator(".welcome h2")).to_have_text(f"Hello, {shown}")

        send(page, scripted(name, text="Yes.", title=name, thinking=False))
        conversation = conversation_of(page)
        expect_status(page, "completed")
        label = page.locator(f"#nav-{conversation} .nav-label")
        expect(label).not_to_contain_text("…")  # of the provisional title
        title = label.text_content() or ""
        assert titles.clean(name).startswith(title)
        assert 0 < len(title) <= TITLE_LENGTH
        assert not set(title) & set("\n\r\u202e\u202c\x00")
        for again in (False, True):
            if again:
                page.reload()
            expect(page.locator("#title")).to_have_text(title)
            expect(page.locator(f"#nav-{conversation}")).to_have_text(title)
            expect(page.locator(f"#nav-{conversation}")).to_have_attribute("title", title)
            expect(page).to_have_title(f"{title} · Parley")
            expect(page.locator("article[data-role=user]")).to_have_attribute("aria-label", shown)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert_nothing_found(page)
