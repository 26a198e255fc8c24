"""The cast, and a vendor that answers on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import actions
from accounts.models import User
from accounts.sealing import sealing
from accounts.sign_in import first_visit
from providers import addresses
from providers.access import Secret
from tests.letters import remember_none
from tests.openid import OpenIDProvider, openid_provider

PASSWORD = "a lamp, two rivers"
GOOD_KEY = "sk-ant-api03-canary-good-7731"
COPILOT_TOKEN = "tid=canary;exp=1:copilot"
ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
BASE_URL = "https://api.anthropic.com"


@pytest.fixture(autouse=True)
def _nothing_remembered(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Each test has a data folder of its own and a process that has seen nothing yet."""
    settings.DATA_DIR = tmp_path
    settings.SETUP_CODE_REQUIRED = False
    settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": None, "base_url": BASE_URL}}
    settings.DEMO_BASE_URL = ""
    for forget in (first_visit.forget, sealing.forget_keys, cache.clear):
        forget()
    remember_none()
    yield
    for forget in (first_visit.forget, sealing.forget_keys, cache.clear):
        forget()


@pytest.fixture
def owner(db: None) -> User:
    """May see and change everything."""
    return actions.found(
        organisation="Lighthouse", email="olga@example.org", password=PASSWORD, display_name="Olga Berg"
    )


@pytest.fixture
def member(owner: User) -> User:
    """May see themselves and their teams."""
    return actions.create_user(email="mo@example.org", password=PASSWORD, display_name="Mo")


@pytest.fixture
def stranger(owner: User) -> User:
    """Shares no team with anybody."""
    return actions.create_user(email="stan@example.org", password=PASSWORD, display_name="Stan")


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


class Vendor(ThreadingHTTPServer):
    """Lists models as Anthropic and OpenAI do, by the key or token it is sent, and plays GitHub for Copilot.

    It takes GOOD_KEY, and the tokens that `accepts` takes. It remembers what it was asked.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _VendorAnswer)
        self.base_url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.body: bytes | None = None
        self.accepts: Callable[[str], bool] = lambda token: False
        self.seen: list[tuple[str, str]] = []  # (path, key)


class _VendorAnswer(BaseHTTPRequestHandler):
    server: Vendor

    def do_GET(self) -> None:
        sent = self.headers.get("x-api-key") or self.headers.get("authorization", "")
        key = sent.removeprefix("Bearer ").removeprefix("token ")
        path = self.path.partition("?")[0]
        self.server.seen.append((path, key))
        status = self.server.status
        if status == 200 and not (key in (GOOD_KEY, COPILOT_TOKEN) or self.server.accepts(key)):
            status = 401
        body = self.server.body or self._body(status, key, path)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("anthropic-organization-id", "org-lighthouse")
        self.end_headers()
        self.wfile.write(body)

    def _body(self, status: int, key: str, path: str) -> bytes:
        if status != 200:
            kind = ERROR_TYPES.get(status, "api_error")
            return json.dumps({"type": "error", "error": {"type": kind, "message": f"no: {key}"}}).encode()
        match path:
            case "/copilot_internal/v2/token":
                endpoints = {"api": self.server.base_url}
                return json.dumps(
                    {"token": COPILOT_TOKEN, "refresh_in": 1500, "expires_at": 4e9, "endpoints": endpoints}
                ).encode()
            case "/user":
                return b'{"id": 4711, "login": "olga"}'
            case _:
                model = {"type": "model", "id": "claude-sonnet-5-5", "display_name": "Claude"}
                return json.dumps({"data": [model], "has_more": False}).encode()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def vendor(settings: Any) -> Iterator[Vendor]:
    with Vendor() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": None, "base_url": server.base_url}}
        yield server
        server.shutdown()


@pytest.fixture
def key_in_environment(settings: Any) -> Secret:
    secret = Secret("sk-ant-from-environment-0001")
    settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": secret, "base_url": BASE_URL}}
    return secret


@pytest.fixture
def idp() -> Iterator[OpenIDProvider]:
    """A sign-in provider on this machine, which the operator's list names."""
    with openid_provider() as provider:
        addresses.allow(addresses.private_hosts([provider.url.removeprefix("http://")]))
        yield provider
        addresses.allow(())
