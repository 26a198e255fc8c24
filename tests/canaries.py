"""Watches every test for secrets that get out. The tests' settings have the product's logs at DEBUG for it.

A canary is every text that becomes a Secret while a test runs, every password and key that a form of the test
sends, and what the installation's own keys are made of. It may be in no log line, page, header, frame of a
socket, message between processes, cache or parameter of an SQL statement. What a page shows by design is
named in SHOWN. Cookies and the tokens in addresses go to and fro by design: they may be in no log line.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from config.logs import Json
from providers.access import Secret

SHORTEST = 8  # characters; shorter ones stand in other words
ENTERED = re.compile(r"pass|secret|api_?key|token", re.IGNORECASE)  # fields of forms
OPEN = {"csrfmiddlewaretoken"}  # is in every page by design
SHOWN = {  # routes, with what is taken out of their pages before they are looked at
    "accounts:keys_login": r"state=[\w-]+",  # of the address at the vendor, to which the browser goes
    "accounts:keys_callback": r"state=[\w-]+",  # as the browser brought it, for the button that goes on
    "accounts:sso_begin": r"state=[\w-]+",  # of the address at the sign-in provider
    "accounts:sso_connect": r"state=[\w-]+",
    "accounts:sso_confirm": r"state=[\w-]+",
    "accounts:sign_in_draft": r"state=[\w-]+",  # the test of one
    "usage:new_token": r"parley_\w+",  # shown once
    "usage:new_webhook": r"whsec_[\w+/=]+",
    "usage:rotate_webhook": r"whsec_[\w+/=]+",
}


class Watch:
    """What is secret now, and where it was seen."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._unlogged: set[str] = set()
        self._seen: list[str] = []

    def begin(self) -> None:
        keys = [base64.urlsafe_b64encode(key).decode() for key in settings.MASTER_KEYS]
        self._known = {settings.SECRET_KEY, *keys}
        self._unlogged = set()
        self._seen = []

    def note(self, text: str, *, for_logs: bool = False) -> None:
        """Words of a language are no canaries: they stand in pages for other reasons."""
        if len(text) >= SHORTEST and len(set(text)) > SHORTEST // 2 and not text.isalpha():
            (self._unlogged if for_logs else self._known).add(text)

    def look(self, at: str | bytes, place: str, *, log: bool = False) -> None:
        """Keeps what it finds: the test fails when it ends, whatever thread this was in."""
        for secret in (*self._known, *(self._unlogged if log else ())):
            if (secret in at) if isinstance(at, str) else (secret.encode("utf-8", "replace") in at):
                self._seen.append(f"{place} holds the secret {secret[:12]}…")

    def found(self) -> list[str]:
        return sorted(set(self._seen))


watch = Watch()


class _Lines(logging.Handler):
    """Each line as the product writes it."""

    def emit(self, record: logging.LogRecord) -> None:
        watch.look(self.format(record), f"a line of the log {record.name}", log=True)


lines = _Lines()


@sync_and_async_middleware
def pages(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """The outermost middleware of the tests' settings."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            return _look_at_page(request, await get_response(request))

        return answer_later
    return lambda request: _look_at_page(request, get_response(request))


def _look_at_page(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if "_post" in request.__dict__:
        for name, values in request.POST.lists():
            if ENTERED.search(name) and name not in OPEN:
                for value in values:
                    watch.note(value)
    for cookie in request.COOKIES.values():
        watch.note(cookie, for_logs=True)
    for name in ("token", "key"):
        if request.resolver_match and isinstance(text := request.resolver_match.kwargs.get(name), str):
            watch.note(text, for_logs=True)
    route = request.resolver_match.view_name if request.resolver_match else "an address that is none"
    watch.look("\n".join(f"{name}: {value}" for name, value in response.items()), f"a header of {route}")
    if not response.streaming:
        text = response.content.decode("utf-8", "replace")  # type: ignore[attr-defined]
        watch.look(re.sub(SHOWN.get(route, r"\Z"), "", text), f"the page {route}")
    return response


def _statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    values = params.values() if isinstance(params, dict) else params or ()
    for value in values:
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, memoryview):
                each = bytes(each)
            if isinstance(each, str | bytes):
                watch.look(each, f"a parameter of {' '.join(sql.split()[:4])}")
    return execute(sql, params, many, context)


def _watch_connection(connection: Any, **kwargs: Any) -> None:
    if _statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_statement)


def _looked_at(method: Callable[..., Any], place: str) -> Callable[..., Any]:
    """The same method of a library's class, whose arguments are looked at first."""
    if iscoroutinefunction(method):

        @wraps(method)
        async def later(self: Any, *args: Any, **kwargs: Any) -> Any:
            watch.look(repr((args, kwargs)), place)
            return await method(self, *args, **kwargs)

        return later

    @wraps(method)
    def now(self: Any, *args: Any, **kwargs: Any) -> Any:
        watch.look(repr((args, kwargs)), place)
        return method(self, *args, **kwargs)

    return now


@contextmanager
def _everywhere() -> Iterator[None]:
    made = Secret.__init__

    def noted(self: Secret, value: str) -> None:
        made(self, value)
        watch.note(value)

    lines.setFormatter(Json(process="tests"))
    connection_created.connect(_watch_connection)
    for connection in connections.all(initialized_only=True):
        _watch_connection(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Secret, "__init__", noted)
        patch.setattr(AsyncWebsocketConsumer, "send", _looked_at(AsyncWebsocketConsumer.send, "a frame"))
        for layer in (InMemoryChannelLayer,):
            patch.setattr(layer, "group_send", _looked_at(layer.group_send, "a message between processes"))
        for cache in (LocMemCache, RedisCache):
            for name in ("add", "set"):
                patch.setattr(cache, name, _looked_at(getattr(cache, name), "the cache"))
        yield
    logging.getLogger().removeHandler(lines)
    connection_created.disconnect(_watch_connection)


@pytest.fixture(scope="session", autouse=True)
def canaries_are_watched() -> Iterator[None]:
    with _everywhere():
        yield


@pytest.fixture(autouse=True)
def no_canary_gets_out() -> Generator[None]:
    watch.begin()
    logging.getLogger().addHandler(lines)  # anew: a test may have configured logging and dropped it
    yield
    if found := watch.found():
        pytest.fail("\n".join(found), pytrace=False)
