"""Who opens the manage area in tests of usage, and a process that has seen no admin's changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts import actions
from accounts.models import User
from accounts.sign_in import first_visit
from providers import addresses
from tests.letters import remember_none
from usage.catalogue import discovery, overrides

PASSWORD = "a lamp, two rivers"


@pytest.fixture
def nothing_changed(settings: Any, transactional_db: None) -> Iterator[None]:
    settings.SETUP_CODE_REQUIRED = False
    settings.DEMO_BASE_URL = ""
    settings.PROVIDER_ENVIRONMENT = {}
    for forget in (overrides.forget, discovery.forget, first_visit.forget, cache.clear):
        forget()
    remember_none()
    yield
    addresses.allow(())
    for forget in (overrides.forget, discovery.forget, first_visit.forget, cache.clear):
        forget()


@pytest.fixture
def owner(nothing_changed: None) -> User:
    """May see and change everything here."""
    return actions.found(
        organisation="Lighthouse", email="olga@example.org", password=PASSWORD, display_name="Olga"
    )


@pytest.fixture
def admin(owner: User) -> User:
    """May do here what the owner may."""
    return actions.create_user(email="ada@example.org", password=PASSWORD, role="admin")


@pytest.fixture
def member(owner: User) -> User:
    """May use models, and change nothing about them."""
    return actions.create_user(email="mo@example.org", password=PASSWORD, display_name="Mo")


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def page(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.status_code
    return response.content.decode()
