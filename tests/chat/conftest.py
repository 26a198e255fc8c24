"""The cast and a real server: an owner, a member and a stranger, and models played by the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.test import Client

from accounts import actions as accounts_actions
from accounts.models import User
from accounts.sign_in import first_visit
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.live import PASSWORD, LiveServer, Visitor
from usage.catalogue import discovery

CLAUDE = "anthropic/claude-sonnet-5-5"


@pytest.fixture
def owner(transactional_db: None) -> User:
    """May do everything here."""
    first_visit.forget()
    return accounts_actions.found(
        organisation="Example", email="owner@example.org", password=PASSWORD, display_name="Olga"
    )


@pytest.fixture
def stranger(owner: User) -> User:
    """Has an account, and may see nothing of the owner's."""
    return accounts_actions.create_user(email="stranger@example.org", password=PASSWORD, display_name="Sam")


@pytest.fixture
def vendor(settings: Any) -> Iterator[ThreadServer]:
    """The simulator in the vendor's place; `[[simulate {…}]]` in a message scripts the answer."""
    discovery.forget()
    with ThreadServer(Simulator(scripted=True)) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": Secret("sk-ant-test-key"), "base_url": server.base_url}
        }
        settings.ANTHROPIC_BASE_URL = server.base_url
        yield server
    discovery.forget()


@pytest.fixture
def server(transactional_db: None, vendor: ThreadServer) -> Iterator[LiveServer]:
    with LiveServer() as live:
        yield live


@pytest.fixture
def sign_in(server: LiveServer) -> Iterator[Callable[[str], Visitor]]:
    """Signs a person in by e-mail."""
    with ExitStack() as visits:

        def visit(email: str) -> Visitor:
            client = Client()
            client.force_login(User.objects.get(email=email))
            someone = Visitor(server.url, session=client.cookies["parley_session"].value)
            visits.callback(someone.http.close)
            return someone

        yield visit


@pytest.fixture
def visitor(sign_in: Callable[[str], Visitor], owner: User) -> Visitor:
    """The owner, signed in."""
    return sign_in(owner.email)
