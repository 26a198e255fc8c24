from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from accounts.ids import uuid7
from usage import writer as module
from usage.models import Price
from usage.writer import Writer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.fixture
async def writer() -> AsyncIterator[Writer]:
    made = Writer()
    yield made
    await asyncio.to_thread(made.stop)


def price(model: str) -> str:
    Price.objects.create(
        provider="test",
        model=model,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        input=1,
        output=1,
        cache_read=1,
        cache_write_5m=1,
        cache_write_1h=1,
        source="test",
    )
    return model


def stored() -> set[str]:
    return set(Price.objects.values_list("model", flat=True))


async def test_work_is_done_in_order_and_answered(writer: Writer) -> None:
    asked = [writer.submit(lambda name=str(number): price(name)) for number in range(30)]
    assert await asyncio.gather(*asked) == [str(number) for number in range(30)]
    assert len(await writer.run(stored)) == 30


async def test_what_fails_undoes_its_own_writes_alone(writer: Writer) -> None:
    def fail() -> None:
        price("undone")
        raise LookupError("no")

    runs = []

    def fail_alone() -> None:
        runs.append(1)
        fail()

    results = await asyncio.gather(
        writer.submit(lambda: price("one")),
        writer.submit(fail),
        writer.submit(lambda: price("two")),
        return_exceptions=True,
    )
    assert isinstance(results[1], LookupError)
    with pytest.raises(LookupError):
        await writer.run(fail_alone)
    assert len(runs) == 1
    assert await writer.run(stored) == {"one", "two"}


async def test_waiting_work_shares_a_transaction_on_sqlite(writer: Writer) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL groups commits itself")
    await writer.run(stored)
    begun, go_on = threading.Event(), threading.Event()
    counted: list[str] = []

    def blocker() -> None:
        def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            counted.append(sql)
            return execute(sql, *rest)

        connection.execute_wrappers.append(count)
        begun.set()
        go_on.wait(5)

    first = writer.submit(blocker)
    await asyncio.to_thread(begun.wait, 5)
    rest = [writer.submit(lambda name=str(number): price(name)) for number in range(10)]
    go_on.set()
    await asyncio.gather(first, *rest)
    assert sum(sql.startswith("BEGIN") for sql in counted) <= 3
    assert len(await writer.run(stored)) == 10


async def test_work_is_done_though_its_waiter_is_cancelled(writer: Writer) -> None:
    gate = threading.Event()
    first = writer.submit(lambda: gate.wait(5))
    second = writer.submit(lambda: price("kept"))
    waiter = asyncio.ensure_future(writer.run(lambda: price("also kept")))
    await asyncio.sleep(0)
    second.cancel()
    waiter.cancel()
    gate.set()
    await first
    await asyncio.to_thread(writer.stop)  # does what is queued
    assert await writer.run(stored) == {"kept", "also kept"}


async def test_a_lost_commit_answer_means_that_the_work_runs_again(writer: Writer) -> None:
    """The commit reached the database, its answer did not come back."""
    runs: list[int] = []

    def once() -> str:
        runs.append(1)
        if "x" not in stored():
            price("x")
        if len(runs) == 1:
            transaction.on_commit(lose_the_answer)
        return "done"

    def lose_the_answer() -> None:
        raise OperationalError("server closed the connection unexpectedly")

    assert await writer.run(once) == "done"
    assert len(runs) == 2
    assert await writer.run(stored) == {"x"}


async def test_a_broken_connection_is_replaced(writer: Writer) -> None:
    def break_it() -> None:
        connection.connection.close()

    with pytest.raises(Exception):  # noqa: B017 - which one, the driver decides
        await writer.run(break_it, patience=0.0)
    assert await writer.run(lambda: price("after")) == "after"
    assert await writer.run(stored) == {"after"}


async def test_patience_ends(writer: Writer) -> None:
    tries: list[int] = []

    def away() -> None:
        tries.append(1)
        raise OperationalError("the database system is starting up")

    with pytest.raises(OperationalError):
        await writer.run(away, patience=0.2)
    assert len(tries) > 2
    assert await writer.run(lambda: price("later")) == "later"


async def test_the_culprit_alone_suffers(writer: Writer) -> None:
    def away() -> None:
        raise OperationalError("disk I/O error")

    results = await asyncio.gather(
        writer.submit(lambda: price("a")),
        writer.submit(away, patience=0.0),
        writer.submit(lambda: price("b")),
        return_exceptions=True,
    )
    assert results[0] == "a"
    assert results[2] == "b"
    assert isinstance(results[1], OperationalError)
    assert await writer.run(stored) == {"a", "b"}


async def test_stopping_finishes_what_is_queued() -> None:
    writer = Writer()
    asked = [writer.submit(lambda: price(str(uuid7()))) for _ in range(20)]
    await asyncio.to_thread(writer.stop)
    await asyncio.gather(*asked)
    assert not writer._threads
    assert len(await writer.run(stored)) == 20  # it starts again by itself
    await asyncio.to_thread(writer.stop)


@pytest.fixture
def ended_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_loop_that_ended_harms_nobody(ended_loop: asyncio.AbstractEventLoop) -> None:
    writer, gate = Writer(), threading.Event()

    async def leave_behind() -> None:
        writer.submit(lambda: gate.wait(5))
        writer.submit(lambda: price("done anyway"))

    ended_loop.run_until_complete(leave_behind())
    ended_loop.close()
    gate.set()
    writer.stop()
    assert stored() == {"done anyway"}


def test_the_turn_is_shared_on_sqlite_alone() -> None:
    with module.write_turn():
        assert module._turn.locked() == (connection.vendor == "sqlite")
