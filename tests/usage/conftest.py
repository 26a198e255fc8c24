"""A person who may call models, the simulator in the vendor's place, and a look at what calls leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import pytest

from accounts import actions
from accounts.ids import uuid7
from accounts.models import User
from providers import resilience
from providers.access import Secret
from providers.errors import ProviderError
from providers.fold import Fold
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from providers.types import MessageRequest
from usage import metering
from usage.calls.retries import Retries
from usage.catalogue import discovery, overrides
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
    overrides.forget()
    with ThreadServer(Simulator(scripted=True)) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": server.base_url}
        }
        yield server
    discovery.forget()
    overrides.forget()


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
    """What holds after everything: DailyUsage is the ledger's sum, no line is negative or there twice."""
    written, sums = lines(), roll_up()
    for name in (*LedgerLine.BUCKETS, "cost_nano"):
        assert sums[name] == sum(getattr(line, name) for line in written), name
    keys = [(line.call_id, line.attempt, line.line) for line in written]
    assert len(keys) == len(set(keys))
    for line in written:
        assert line.source == "corrected" or line.cost_nano >= 0
    closed = Hold.objects.filter(state=Hold.State.CLOSED)
    assert set(closed.values_list("call_id", flat=True)) == {line.call_id for line in written}


class Clock:
    """Time that passes only while somebody sleeps on it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, Clock] = WeakKeyDictionary()


def clock() -> Clock:
    """The clock of this test's breakers, limits and pauses."""
    loop = asyncio.get_running_loop()
    if loop not in _clocks:
        _clocks[loop] = mine = Clock()
        resilience.use(resilience.Guards(clock=mine, sleep=mine.sleep))
    return _clocks[loop]


class Pauses(Retries):
    """Retries that take no time; `waited` lists how long they would have waited."""

    waited: list[float]

    def __init__(self, most: int = 2) -> None:
        waited: list[float] = []
        time = clock()

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            await time.sleep(seconds)

        super().__init__(most=most, sleep=sleep, jitter=lambda: 0.0)
        object.__setattr__(self, "waited", waited)


@dataclass
class Made:
    """One call that is over: what was received of it, and the error that ended it."""

    id: UUID
    call: metering.Call
    fold: Fold
    error: ProviderError | None

    @property
    def settlement(self) -> metering.Settlement:
        assert self.call.settlement is not None
        return self.call.settlement


async def made(
    caller: Caller,
    request: MessageRequest,
    *,
    leave_after: int = 0,
    retries: Retries | None = None,
    **bound: Any,
) -> Made:
    """Makes a call and folds it to its end, or to so many events; a ProviderError ends it as well."""
    fold, call_id, count = Fold(), uuid7(), 0
    error: ProviderError | None = None
    call = None
    try:
        async with metering.call(
            caller, request, purpose="chat", call_id=call_id, retries=retries or Pauses(), **bound
        ) as call:
            async for event in call:
                fold.apply(event)
                count += 1
                if count == leave_after:
                    break
    except ProviderError as raised:
        error = raised
    await database(ledger_is_whole)
    assert call is not None
    return Made(call_id, call, fold, error)
