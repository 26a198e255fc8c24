"""A vendor that reports usage, and a ledger that it can be compared with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from accounts.keys import actions as key_actions
from accounts.models import Credential, Organisation, User
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from usage.models import LedgerLine

from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .spent import spent

ACCOUNT = "org-lighthouse"
ADMIN_KEY = "sk-ant-admin01-canary-5521"
SONNET = "claude-sonnet-5-5"
NOW = datetime(2026, 11, 20, 4, 30, tzinfo=UTC)
YESTERDAY = date(2026, 11, 19)
CENT = 10_000_000  # nano-dollars


@pytest.fixture
def vendor(owner: User, settings: Any) -> Iterator[ThreadServer]:
    """Reports what `tells` says, of the account of the organisation's keys."""
    with ThreadServer(Simulator(scripted=True)) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": None, "admin_key": None, "base_url": server.base_url}
        }
        tells(server)
        yield server


@pytest.fixture
def admin_key(vendor: ThreadServer) -> Credential:
    return key_actions.save_admin_key(
        organisation=_organisation(),
        provider="anthropic",
        base_url=vendor.base_url,
        secret=Secret(ADMIN_KEY),
        vendor_account=ACCOUNT,
    )


def tells(server: ThreadServer, **script: Any) -> None:
    """What the vendor's reports say from now on; days may be dates."""
    values = {
        name: [{**row, "day": f"{row['day']}"} if "day" in row else row for row in rows]
        for name, rows in script.items()
    }
    server.app.reports.tell({"organization": ACCOUNT, "name": "Lighthouse", **values})


def call_key(hint: str = "9274", **fields: Any) -> Credential:
    """A key for calls of the organisation."""
    values: dict[str, Any] = {
        "organisation": _organisation(),
        "provider": "anthropic",
        "base_url": "https://api.anthropic.com",
        "secret": Secret(f"sk-ant-api03-{hint}"),
        "hint": hint,
        "vendor_account": ACCOUNT,
    }
    return Credential.objects.create(**values | fields)


def used(day: date = YESTERDAY, **fields: Any) -> LedgerLine:
    """A call of $1.00: a million tokens read, a hundred thousand written, with the organisation's key; at
    noon (UTC) unless fields say otherwise.
    """
    values = {"input_tokens": 1_000_000, "output_tokens": 100_000, "credential_scope": "organisation"}
    return spent(day, fields.pop("cost_nano", 100 * CENT), **values | fields)


def told(day: date = YESTERDAY, **fields: Any) -> dict[str, Any]:
    """The vendor's usage that `used` comes to."""
    counts = {"uncached_input_tokens": 1_000_000, "output_tokens": 100_000}
    return {"day": day, "model": SONNET, "api_key_id": "apikey_1", **counts} | fields


def charged(amount: str = "100", day: date = YESTERDAY, **fields: Any) -> dict[str, Any]:
    """What is charged for it, all for the input; cents as text."""
    return {"day": day, "amount": amount, "model": SONNET, "token_type": "uncached_input_tokens"} | fields


def at(day: date, *hour: int) -> dict[str, datetime]:
    """When a line was accounted for, for `used`."""
    moment = datetime.combine(day, time(*hour), UTC)
    return {"accounted_at": moment, "written_at": moment + timedelta(seconds=5)}


def _organisation() -> Organisation:
    found = Organisation.current()
    assert found is not None
    return found
