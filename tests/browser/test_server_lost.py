"""The server as people run it, killed and started again under an open page."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    answer,
    assert_same_drawing,
    box,
    conversation_of,
    expect_status,
    fresh,
    mark,
    pieces,
    received,
    scripted,
    send,
    turns,
    wait_received,
)
from tests.browser.line import Line
from tests.browser.watch import Watch
from tests.live import PASSWORD, Process

TEXT = "Every character that was shown is **kept**, whatever happens to the server. " * 4
DELTAS = 40


@pytest.fixture
def vendor() -> Iterator[ThreadServer]:
    with ThreadServer(Simulator(scripted=True)) as server:
        yield server


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an owner in it."""
    folder = tmp_path_factory.mktemp("founded")
    made = Process(folder)
    made.manage("migrate")
    who = ["--email", "owner@example.org", "--password", "-", "--role", "owner", "--name", "Olga"]
    made.manage("createuser", *who, stdin=PASSWORD)
    return folder


@pytest.fixture
def process(founded: Path, tmp_path: Path, vendor: ThreadServer) -> Iterator[Process]:
    """A running server, on a copy of that folder."""
    served = Process(
        shutil.copytree(founded, tmp_path / "data"),
        ANTHROPIC_API_KEY="sk-ant-test",
        ANTHROPIC_BASE_URL=vendor.base_url,
        PARLEY_DRAIN_SECONDS="20",
    )
    with served.running():
        yield served


@pytest.fixture
def line(process: Process) -> Iterator[Line]:
    with Line(port_of(process)) as line:
        yield line


@pytest.fixture
def watch(line: Line) -> Iterator[Watch]:
    watching = Watch(line.url)
    watching.expect_no_server()
    yield watching
    if found := watching.verdict():
        pytest.fail(found, pytrace=False)


@pytest.fixture
def context(new_context: Callable[[], BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext, line: Line) -> Page:
    """The owner's page, in the middle of an answer."""
    page = context.new_page()
    page.goto(line.url)
    page.get_by_label("E-mail").fill("owner@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Hello, Olga")).to_be_visible()
    gates = {"half": DELTAS // 2 + EVENTS_BEFORE_TEXT}
    send(page, scripted("Go.", text=TEXT, deltas=DELTAS, thinking=False, gates=gates, title="Kept"))
    conversation_of(page)
    wait_received(page, pieces(TEXT, DELTAS, DELTAS // 2))
    return page


def port_of(process: Process) -> int:
    return int(process.url.rsplit(":", 1)[-1])


def test_a_killed_server_comes_back_and_the_page_with_it(
    page: Page, process: Process, line: Line, model: Model
) -> None:
    shown = answer(page).locator(".answer").inner_text()
    unchanged = mark(page)
    box(page).fill("A draft")
    line.cut()
    process.kill()
    expect(page.locator("#connection")).to_contain_text("No connection.")
    process.start()
    line.mend(port_of(process))
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect_status(page, "interrupted")
    expect(page.locator("#connection")).to_be_hidden()
    assert answer(page).locator(".answer").inner_text() == shown
    assert unchanged()
    expect(box(page)).to_have_value("A draft")
    expect(answer(page).locator(".turn-cost")).to_contain_text("estimated")
    assert_same_drawing(page, fresh(page))
    model.open("half")
    answer(page).get_by_role("button", name="Continue").click()
    expect(turns(page)).to_have_count(4)
    expect_status(page, "completed")


def test_a_server_told_to_stop_lets_the_answer_end_on_the_page(
    page: Page, process: Process, model: Model
) -> None:
    process.signal(signal.SIGTERM)
    model.open("half")
    expect_status(page, "completed")
    assert received(page) == TEXT
    assert process.wait() == 0
    expect(page.locator("#connection")).to_contain_text("No connection.")
