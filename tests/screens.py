"""Photographs every page of the real product: `python -m tests.screens [--only NAME] [--to FOLDER]`.

Starts the server as people run it, in a data folder of its own, with the scripted simulator in the vendor's
place; fills it with conversations; and writes each page as four pictures, wide and narrow, light and dark, to
screens/. Ends with status 1 when a page reported an error or asked another machine for something.
"""

from __future__ import annotations

import argparse
import os
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # for what is imported; the server has its own

import django

django.setup()

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

from bootstrap import chromium  # noqa: E402
from providers.simulator.server import ThreadServer  # noqa: E402
from tests.browser import story  # noqa: E402
from tests.browser.album import Album, at, click, offline, online, unfold, write  # noqa: E402
from tests.browser.branch_album import branch_pages  # noqa: E402
from tests.browser.chat import Model, answer, expect_status  # noqa: E402
from tests.browser.manage_album import fill, manage_pages  # noqa: E402
from tests.browser.money_album import budget_pages, money_pages  # noqa: E402
from tests.browser.sign_in_album import sign_in_pages  # noqa: E402
from tests.browser.storyteller import StoryTeller  # noqa: E402
from tests.browser.watch import Watch  # noqa: E402
from tests.conftest import CHROMIUM_FLAGS  # noqa: E402
from tests.live import PASSWORD, ROOT, Process, Visitor  # noqa: E402

CLAUDE = "anthropic/claude-sonnet-5-5"
EMAIL, GUEST_EMAIL = "marta@harbour.example", "layla@harbour.example"

# The pictures, in the order of a first visit


def first_visit(album: Album) -> Any:
    """Set-up, key and the demo; returns the owner's cookies."""
    album.shoot("set-up", "/")
    page = album.pages["1440x900"]
    page.goto(album.url)

    def fill(page: Page, password: str) -> None:
        page.get_by_label("Organisation").fill(story.HOUSE)
        page.get_by_label("Your name").fill(story.OWNER)
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Make the owner's account").click()

    album.shoot("set-up-refused", "/", lambda page: fill(page, "password"))
    page.goto(album.url)
    fill(page, PASSWORD)
    expect(page.get_by_role("heading", name="Connect Claude")).to_be_visible()
    state = page.context.storage_state()
    with album.somebody(state) as owner:
        owner.shoot("key", "/setup/key/")

        def refused(page: Page) -> None:
            page.get_by_label("Anthropic API key").fill("sk-sim-401")
            page.get_by_role("button", name="Test and store the key").click()
            expect(page.get_by_text("does not accept this key")).to_be_visible()

        owner.shoot("key-refused", "/setup/key/", refused)
        owner.shoot("new-chat-demo", "/")
        owner.shoot("models-demo", "/", click(re.compile("^Model: ")))
    page.get_by_label("Anthropic API key").fill("sk-ant-api03-for-pictures-x7Qd")
    page.get_by_role("button", name="Test and store the key").click()
    expect(page.get_by_role("heading", name=f"Hello, {story.OWNER}")).to_be_visible()
    return page.context.storage_state()


def visitor_of(album: Album) -> Visitor:
    cookies = album.pages["1440x900"].context.cookies()
    session = next(cookie["value"] for cookie in cookies if cookie["name"] == "parley_session")
    return Visitor(album.url, session=session)


def conversations(album: Album) -> dict[str, str]:
    """Fills the product; returns the ids of conversations by name."""
    visitor = visitor_of(album)
    made = {}
    for question in story.OLDER:
        made[question] = ask(visitor, question)
    for name in ("PICTURE", "OVERLOADED", "BROKEN", "CUT", "LONG", "DECLINED"):
        made[name] = ask(visitor, getattr(story, name))
    made["LEDGER"] = ask(visitor, story.LEDGER)
    for question in (story.CODE, story.MATHS, story.SOURCES):
        visitor.send(made["LEDGER"], question, CLAUDE).raise_for_status()
        wait_finished(visitor, made["LEDGER"])
    for name in ("STOPPED", "RUNNING", "THINKING"):
        made[name], _turns = visitor.start(getattr(story, name), CLAUDE)
    visitor.http.close()
    return made


def ask(visitor: Visitor, question: str) -> str:
    conversation, _turns = visitor.start(question, CLAUDE)
    wait_finished(visitor, conversation)
    return conversation


def wait_finished(visitor: Visitor, conversation: str) -> None:
    with visitor.listen(conversation) as page:
        for turn in visitor.turns(conversation):
            if turn.status == "running":
                page.say(type="follow", conversation=conversation, after={turn.run: turn.seq})
                page.hear_until("finished", run=turn.run)


def age(folder: Path, days: dict[str, int]) -> None:
    """Moves conversations back, so that the sidebar has more than today."""
    with closing(sqlite3.connect(folder / "parley.sqlite3", timeout=20)) as database, database:
        for conversation, ago in days.items():
            then = (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y-%m-%d %H:%M:%S.%f")
            database.execute(
                "UPDATE chat_conversation SET active_at = ? WHERE replace(id, '-', '') = ?",
                (then, conversation.replace("-", "")),
            )


def chat_pages(album: Album, made: dict[str, str], model: Model) -> None:
    page_of = {name: f"/c/{conversation}/" for name, conversation in made.items()}
    ledger = page_of["LEDGER"]
    album.shoot("new-chat", "/")
    album.shoot("models", "/", click(re.compile("^Model: ")))
    album.shoot("settings-new", "/", click("Settings of this conversation"))
    album.shoot("thread-first", ledger, at("article.turn"))
    album.shoot("thread-table", ledger, at(".scroll"))
    album.shoot("thread-code", ledger, at(".snippet"))
    album.shoot("thread-code-middle", ledger, at(".snippet", below=1200))
    album.shoot("thread-code-end", ledger, at(".snippet", 1))
    album.shoot("thread-maths", ledger, at("article.turn", 4))
    album.shoot("thread-steps", ledger, at("article.turn", 6))
    album.shoot("thread-steps-open", ledger, unfold("article.turn:last-child details.step"))
    album.shoot("thread-sources-open", ledger, unfold("article.turn:last-child .sources"))
    album.shoot("thread-hover", ledger, lambda page: answer(page).hover())
    album.shoot("settings", ledger, click("Settings of this conversation"))
    album.shoot("menu-person", ledger, person_menu)
    album.shoot("sidebar", ledger, click("Show the sidebar"), sizes=("390x844",))
    album.shoot("sidebar-hidden", ledger, click("Hide the sidebar"), sizes=("1440x900",))
    album.pages["1440x900"].evaluate("localStorage.clear()")
    album.shoot("image-and-link", page_of["PICTURE"])
    album.shoot("interrupted", page_of["CUT"])
    album.shoot("cut-off", page_of["LONG"])
    album.shoot("declined", page_of["DECLINED"])
    album.shoot("failed", page_of["OVERLOADED"])
    album.shoot("failed-midway", page_of["BROKEN"])

    model.wait("waiting.stopped")
    album.shoot("running", page_of["RUNNING"], write("And one sentence for the door, please."))
    album.shoot("thinking", page_of["THINKING"])
    album.shoot("thinking-open", page_of["THINKING"], unfold("details.step"))
    album.shoot("offline", page_of["RUNNING"], offline)
    if album.wants("offline"):
        for page in album.pages.values():
            online(page)
    page = album.pages["1440x900"]
    page.goto(album.url + page_of["STOPPED"])
    page.get_by_role("button", name="Stop the answer").click()
    expect_status(page, "stopped")
    album.shoot("stopped", page_of["STOPPED"])

    def unreachable(page: Page) -> None:
        write("Can the second batch come on Friday instead?")(page)
        page.context.set_offline(True)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#composer-notice .notice")).to_be_visible()

    album.shoot("notice-unreachable", page_of["CUT"], unreachable)
    for page in album.pages.values():
        page.context.set_offline(False)
    lines = "\n".join(f"{n}. A line of a long question" for n in range(1, 31))
    album.shoot("new-chat-long-text", "/", write(lines))
    album.shoot("not-found", "/c/00000000-0000-7000-8000-000000000000/")
    album.shoot("key-in-use", "/setup/key/")
    album.shoot("password", "/password/change/")
    album.shoot("sign-out", "/logout/")
    for gate in ("running", "thinking", "stopped"):
        model.open(gate)


def person_menu(page: Page) -> None:
    if page.get_by_role("button", name="Show the sidebar").is_visible():
        page.get_by_role("button", name="Show the sidebar").click()
    page.get_by_role("button", name=re.compile("^Menu of ")).click()


def doors(album: Album) -> None:
    with album.somebody() as stranger:
        stranger.shoot("sign-in", "/login/")

        def wrong(page: Page) -> None:
            page.get_by_label("E-mail").fill(EMAIL)
            page.get_by_label("Password").fill("not this one")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("textbox", name="Password")).to_have_value("")

        stranger.shoot("sign-in-refused", "/login/", wrong)
        stranger.shoot("no-mail", "/password/reset/")


def guest(album: Album, process: Process) -> None:
    """A member with an Arabic name, in an Arabic conversation."""
    if not (album.wants("arabic") or album.wants("member")):
        return
    who = ["--email", GUEST_EMAIL, "--password", "-", "--name", story.GUEST]
    process.manage("createuser", *who, stdin=PASSWORD)
    with album.somebody() as somebody:
        for page in somebody.pages.values():
            page.goto(album.url)
            page.get_by_label("E-mail").fill(GUEST_EMAIL)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(album.url + "/")
        somebody.shoot("member-new-chat", "/")
        visitor = visitor_of(somebody)
        conversation = ask(visitor, story.ARABIC)
        visitor.http.close()
        somebody.shoot("arabic", f"/c/{conversation}/")


@contextmanager
def product(folder: Path, vendor: ThreadServer) -> Iterator[Process]:
    environment = {
        "ANTHROPIC_BASE_URL": vendor.base_url,
        "OPENAI_BASE_URL": f"{vendor.base_url}/openai/v1",
        "PARLEY_PRIVATE_HOSTS": "127.0.0.1",  # for the company's own models
        "PARLEY_DRAIN_SECONDS": "1",
    }
    process = Process(folder, **environment)
    with process.running():
        yield process


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.screens", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME", help="only pictures with this in their names")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "screens", metavar="FOLDER", help="default: screens/"
    )
    chosen = parser.parse_args(arguments)
    chosen.to.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (
        TemporaryDirectory(prefix="parley-screens-") as data,
        ThreadServer(StoryTeller()) as vendor,
        product(Path(data), vendor) as process,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        watch = Watch(process.url)
        watch.expect_no_server()
        watch.expect("status of 404", "status of 422", "status of 503")
        empty = Album(process.url, chosen.to, chosen.only, watch, browser, {})
        with empty.somebody() as newcomer:
            state = first_visit(newcomer)
        empty.taken = newcomer.taken
        with empty.somebody(state) as owner:
            for page in owner.pages.values():
                page.goto(process.url)
            made = conversations(owner)
            age(Path(data), dict(zip((made[name] for name in story.OLDER), (1, 1, 4, 12), strict=True)))
            chat_pages(owner, made, Model(vendor))
            branch_pages(owner, visitor_of(owner))
            money_pages(owner, made["LEDGER"])
            owner.shoot("manage-reconcile-empty", "/manage/usage/reconcile/")
            fill(process, vendor.base_url)
            manage_pages(owner)
            budget_pages(owner, made["LEDGER"], visitor_of(owner), Path(data))
            guest(owner, process)
            sign_in_pages(owner)
        doors(empty)
        taken, faults = empty.taken, watch.verdict()
        browser.close()
    print(f"{taken} pictures in {chosen.to} after {time.monotonic() - started:.0f} s")
    if faults:
        print(f"Pages reported:\n{faults}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
