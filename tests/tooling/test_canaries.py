"""The watch over secrets sees them wherever they could get out."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from providers.access import Secret
from tests import canaries

CANARY = "canary-4711-of-this-test"


@pytest.fixture(autouse=True)
def _a_canary() -> Iterator[None]:
    """What was found is forgotten when the test ends, so that it may pass."""
    Secret(CANARY)
    yield
    canaries.watch.begin()


def test_in_a_line_of_the_log() -> None:
    logging.getLogger("accounts.keys").debug("Stored %s", CANARY)
    assert canaries.watch.found() == ["a line of the log accounts.keys holds the secret canary-4711-…"]


def test_in_a_traceback() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("usage").exception("It failed")
    assert canaries.watch.found() == ["a line of the log usage holds the secret canary-4711-…"]


@pytest.mark.parametrize("content", [CANARY, f"<p>{CANARY}</p>"])
def test_in_a_page(content: str) -> None:
    canaries.pages(lambda request: HttpResponse(content))(RequestFactory().get("/"))
    assert canaries.watch.found() == ["the page an address that is none holds the secret canary-4711-…"]


def test_in_a_header() -> None:
    canaries.pages(lambda request: HttpResponse(headers={"Location": f"/?key={CANARY}"}))(HttpRequest())
    assert canaries.watch.found() == ["a header of an address that is none holds the secret canary-4711-…"]


def test_what_a_form_sends_is_a_secret_too() -> None:
    def echo(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.POST["password"])

    canaries.pages(echo)(RequestFactory().post("/", {"password": "two rivers, one lamp"}))
    assert canaries.watch.found() == ["the page an address that is none holds the secret two rivers, …"]


@pytest.mark.django_db
def test_in_a_statement() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [f"a text with {CANARY}"])
    assert canaries.watch.found() == ["a parameter of SELECT %s holds the secret canary-4711-…"]


def test_in_the_cache() -> None:
    LocMemCache("of-this-test", {}).set("name", {"key": CANARY})
    assert canaries.watch.found() == ["the cache holds the secret canary-4711-…"]


async def test_in_a_message_between_processes() -> None:
    await InMemoryChannelLayer().group_send("all", {"type": "news", "text": CANARY})
    assert canaries.watch.found() == ["a message between processes holds the secret canary-4711-…"]


async def test_in_a_frame() -> None:
    class Page(AsyncWebsocketConsumer):
        async def base_send(self, message: object) -> None: ...

    await Page().send(text_data=CANARY)
    assert canaries.watch.found() == ["a frame holds the secret canary-4711-…"]


def test_a_word_is_no_canary() -> None:
    Secret("password")
    canaries.pages(lambda request: HttpResponse("Your password"))(RequestFactory().get("/"))
    assert canaries.watch.found() == []
