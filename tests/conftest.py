"""What every test gets: no network, and Chromium for those that drive a browser."""

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from bootstrap import chromium
from tests import network
from tests.canaries import canaries_are_watched as canaries_are_watched
from tests.canaries import no_canary_gets_out as no_canary_gets_out
from tests.usage.flush import ledger_can_be_flushed as ledger_can_be_flushed

BROWSER_FIXTURES = {"page", "context", "new_context", "browser"}
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with network.switched_off():
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, which at the end no thread holds open any more: PostgreSQL would not drop it."""
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Mark what drives a browser, before tests are chosen by their marks, and run it last.

    Playwright keeps an event loop in the main thread to the end; no asynchronous test could run beside it.
    """
    for item in items:
        if BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
    yield
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") is None:
        return
    if not chromium():
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium here, and CI=true does not let browser tests be skipped", pytrace=False)
        pytest.skip("no Chromium here: install it, or name it in PARLEY_CHROMIUM")
    # With Playwright's loop in the main thread, Django takes every query there for one in asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium(), "args": CHROMIUM_FLAGS}
