"""A person who may call models, the simulator in the vendor's place, and what a call leaves in the
database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

import pytest

from accounts import actions
from accounts.ids import uuid7
from accounts.models import User
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from providers.types import MessageRequest
from usage import discovery
from usage.metering import Caller
from usage.models import DailyUsage, Hold, LedgerLine
from usage.writer import writer

from .flush import ledger_can_be_flushed as ledger_can_be_flushed

T = TypeVar("T")
SONNET = "anthropic/claude-sonnet-5-5"
DEMO = "demo/parley-demo"


@pytest.fixture
def person(transactional_db: None) -> User:
    return actions.create_user(email="ada@example.org", password="correct horse battery", display_name="Ada")


@pytest.fixture
def caller(person: User) -> Caller:
    return Caller(user_id=person.pk, conversation_id=uuid7(), run_id=uuid7())


@pytest.fixture
def vendor(settings: Any) -> Iterator[ThreadServer]:
    """Answers as the last message's `[[simulate {…}]]` says."""
    discovery.forget()
    with ThreadServer(Simulator(scripted=True)) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": server.base_url}
        }
        yield server
    discovery.forget()


def asking(
    model: str = SONNET, *, max_tokens: int = 1000, extra: dict[str, Any] | None = None, **script: Any
) -> MessageRequest:
    """A request to the scripted simulator; `script` is what it is to play."""
    text = f"Hello.\n[[simulate {json.dumps(script)}]]" if script else "Hello."
    return MessageRequest(
        model=model, messages=[{"role": "user", "content": text}], max_tokens=max_tokens, extra=extra or {}
    )


async def database(read: Callable[[], T]) -> T:
    """Runs ORM code from an asynchronous test."""
    return await writer.run(read)


def lines(call_id: UUID | None = None) -> list[LedgerLine]:
    found = LedgerLine.objects.order_by("attempt", "line")
    return list(found if call_id is None else found.filter(call_id=call_id))


def open_holds() -> int:
    return Hold.objects.filter(state=Hold.State.OPEN).count()


def roll_up() -> dict[str, int]:
    """DailyUsage, added up."""
    rows = list(DailyUsage.objects.all())
    return {name: sum(getattr(row, name) for row in rows) for name in DailyUsage.SUMS}


def ledger_is_whole() -> None:
    """The invariants of money that hold after everything: DailyUsage is the ledger's sum, and nothing is
    negative."""
    written, sums = lines(), roll_up()
    for name in (*LedgerLine.BUCKETS, "cost_nano"):
        assert sums[name] == sum(getattr(line, name) for line in written), name
    keys = [(line.call_id, line.attempt, line.line) for line in written]
    assert len(keys) == len(set(keys))
    for line in written:
        assert line.source == "corrected" or line.cost_nano >= 0
    closed = Hold.objects.filter(state=Hold.State.CLOSED)
    assert set(closed.values_list("call_id", flat=True)) == {line.call_id for line in written}
