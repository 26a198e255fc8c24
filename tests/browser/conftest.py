"""Chromium, a server of ours, a scripted model, and a watch over every page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from chat import drain
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.browser.chat import Model
from tests.browser.line import Line
from tests.browser.watch import Watch
from tests.chat.conftest import owner as owner
from tests.chat.conftest import server as server
from tests.chat.conftest import sign_in as sign_in
from tests.chat.conftest import stranger as stranger
from tests.chat.conftest import visitor as visitor
from tests.live import LiveServer
from usage.catalogue import discovery

PATIENCE = 15_000  # milliseconds until a test fails for something that does not come

expect.set_options(timeout=PATIENCE)

# A page that leaves while a font is on its way leaves whitenoise's file to the garbage collector.
LEFT_FILE = (
    "ignore:Exception ignored in. <_io.FileIO name='.*/static/:pytest.PytestUnraisableExceptionWarning"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(LEFT_FILE))


@pytest.fixture
def vendor(settings: Any) -> Iterator[ThreadServer]:
    """The scripted model in the vendor's place; what has no script is answered at once."""
    discovery.forget()
    with ThreadServer(Simulator(scripted=True, demo_rate=0)) as server:
        place = {"api_key": Secret("sk-ant-test-key"), "base_url": server.base_url}
        settings.PROVIDER_ENVIRONMENT = {"anthropic": place}
        yield server
    discovery.forget()


@pytest.fixture
def watch(server: LiveServer) -> Iterator[Watch]:
    """Fails the test for errors, policy reports and requests to other machines, on any of its pages."""
    watching = Watch(server.url)
    yield watching
    if found := watching.verdict():
        pytest.fail(found, pytrace=False)


@pytest.fixture
def new_context(new_context: Any, watch: Watch) -> Callable[..., BrowserContext]:
    """Contexts under watch."""

    def make(**options: Any) -> BrowserContext:
        context: BrowserContext = new_context(**options)
        context.set_default_timeout(PATIENCE)
        watch.over(context)
        return context

    return make


@pytest.fixture
def visit(server: LiveServer, new_context: Any, owner: User) -> Callable[..., Page]:
    """A page of a person who is signed in (the owner by default), in a context of its own."""

    def opened(path: str = "/", *, person: User | None = None, **options: Any) -> Page:
        context = new_context(**options)
        let_in(context, server.url, person or owner)
        page: Page = context.new_page()
        page.goto(server.url + path)
        return page

    return opened


@pytest.fixture
def context(new_context: Any, server: LiveServer, owner: User) -> BrowserContext:
    """The owner's browser."""
    context: BrowserContext = new_context()
    let_in(context, server.url, owner)
    return context


@pytest.fixture
def page(context: BrowserContext, server: LiveServer) -> Page:
    """The owner's page, on a new chat."""
    page = context.new_page()
    page.goto(server.url)
    return page


@pytest.fixture
def line(server: LiveServer, watch: Watch) -> Iterator[Line]:
    """A wire to the server that a test can cut."""
    watch.expect_no_server()
    with Line(server.port) as wire:
        watch.origins.add(wire.url)
        yield wire


@pytest.fixture
def wired(line: Line, new_context: Callable[..., BrowserContext], owner: User) -> Iterator[Page]:
    """The owner's page behind that wire, on a new chat."""
    context = new_context()
    let_in(context, line.url, owner)
    page = context.new_page()
    page.goto(line.url)
    yield page
    context.close()


@pytest.fixture
def model(vendor: ThreadServer) -> Model:
    return Model(vendor)


class Draining:
    """Whether the server takes nothing new, as after a signal."""

    def begin(self) -> None:
        drain.begin()

    def end(self) -> None:
        drain._begun = False


@pytest.fixture
def draining() -> Iterator[Draining]:
    state = Draining()
    yield state
    state.end()


def let_in(context: BrowserContext, url: str, person: User) -> None:
    """Signs a person in by a session, without the form."""
    client = Client()
    client.force_login(person)
    context.add_cookies(
        [{"name": "parley_session", "value": client.cookies["parley_session"].value, "url": url}]
    )
