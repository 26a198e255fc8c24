"""A credential that is revoked or replaced ends the calls made with it, and makes no other attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from accounts.ids import uuid7
from accounts.keys import actions as key_actions
from accounts.keys.owners import Owner
from accounts.models import Credential, User
from providers.access import Secret
from providers.errors import ProviderError
from providers.simulator.server import ThreadServer
from usage import metering
from usage.caller import Caller
from usage.calls import revoked
from usage.calls.open_calls import open_calls
from usage.errors import KeyRevoked
from usage.models import Hold

from .conftest import Pauses, asking, database, ledger_is_whole, lines, made, open_holds

pytestmark = pytest.mark.services


@pytest.fixture
def enter(person: User, vendor: ThreadServer) -> Callable[[], Credential]:
    """A key of the person's own, which comes before the environment's."""

    def add(label: str = "") -> Credential:
        return key_actions.add_credential(
            owner=Owner(person=person),
            provider="anthropic",
            kind="api_key",
            base_url=vendor.base_url,
            secret=Secret(f"sk-sim-{label or 'good'}"),
            options={},
            vendor_account="",
            label=label,
        )

    return add


async def hang(caller: Caller, call_id: UUID, begun: asyncio.Event, **script: Any) -> None:
    """A call that shows some text and then waits for ever."""
    async with metering.call(caller, asking(**script), purpose="chat", call_id=call_id) as call:
        async for event in call:
            if event["type"] == "content_block_delta":
                begun.set()


async def at_the_vendor(vendor: ThreadServer, path: str, method: str) -> None:
    """Asks the simulator something about itself, and waits for its answer."""
    host, _, port = vendor.base_url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{method} /_simulator/{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
    assert b" 20" in await reader.readuntil(b"\r\n")
    writer.close()


async def test_what_runs_with_a_revoked_key_is_closed_upstream_and_settled(
    caller: Caller, vendor: ThreadServer, enter: Callable[[], Credential]
) -> None:
    credential, call_id, begun = await database(enter), uuid7(), asyncio.Event()
    running = asyncio.create_task(hang(caller, call_id, begun, text="Some words.", hang_after=4))
    await begun.wait()
    await revoked.look()
    assert not running.done(), "nothing was revoked yet"
    await database(lambda: key_actions.revoke(credential=credential))
    await revoked.look()
    with pytest.raises(KeyRevoked):
        await running
    assert not running.cancelled()
    (line,) = await database(lambda: lines(call_id))
    assert (line.credential, line.outcome, line.error) == (credential.pk, "stopped", "key_revoked")
    assert line.cost_nano > 0
    assert line.source == "estimated"
    await at_the_vendor(vendor, "stats?wait=streams_cancelled:1&timeout=5", "GET")
    assert await database(open_holds) == 0
    await database(ledger_is_whole)
    assert len(open_calls()) == 0


async def test_replacing_ends_it_too_and_the_next_call_uses_the_new_key(
    caller: Caller, person: User, vendor: ThreadServer, enter: Callable[[], Credential]
) -> None:
    old, begun = await database(enter), asyncio.Event()
    running = asyncio.create_task(hang(caller, uuid7(), begun, text="Some words.", hang_after=4))
    await begun.wait()

    def replace() -> Credential:
        return key_actions.add_credential(
            owner=Owner(person=person),
            provider="anthropic",
            kind="api_key",
            base_url=vendor.base_url,
            secret=Secret("sk-sim-new"),
            options={},
            vendor_account="",
            replaces=old,
        )

    new = await database(replace)
    await revoked.look()
    with pytest.raises(KeyRevoked):
        await running
    done = await made(caller, asking(text="Hi"))
    (line,) = await database(lambda: lines(done.id))
    assert line.credential == new.pk


async def test_calls_with_other_keys_go_on(
    caller: Caller, vendor: ThreadServer, enter: Callable[[], Credential]
) -> None:
    begun = asyncio.Event()
    running = asyncio.create_task(hang(caller, uuid7(), begun, text="Some words.", gates={"later": 4}))
    await begun.wait()  # with the environment's key, which has no row
    await database(lambda: key_actions.revoke(credential=enter()))
    await revoked.look()
    assert not running.done()
    await at_the_vendor(vendor, "gates/later", "POST")
    await running


async def test_a_revoked_key_makes_no_other_attempt(
    caller: Caller, vendor: ThreadServer, enter: Callable[[], Credential]
) -> None:
    """The first attempt fails in a way that would be tried again; meanwhile the key is revoked."""
    credential = await database(enter)
    pauses = Pauses()
    inner = pauses.sleep

    async def sleep(seconds: float) -> None:
        await database(lambda: key_actions.revoke(credential=Credential.objects.get(pk=credential.pk)))
        await inner(seconds)

    object.__setattr__(pauses, "sleep", sleep)
    done = await made(caller, asking(status=529), retries=pauses)
    assert isinstance(done.error, ProviderError)
    assert done.error.kind == "key_revoked"
    assert vendor.app.counters.counts["requests"] == 1


async def test_a_pool_goes_on_with_the_other_key(
    caller: Caller, vendor: ThreadServer, enter: Callable[[], Credential]
) -> None:
    one, other = await database(enter), await database(enter)
    done = await made(caller, asking(text="Hi", status=401, times=1))
    assert done.error is None
    written = await database(lambda: lines(done.id))
    assert {line.credential for line in written} == {one.pk, other.pk}


async def test_being_cancelled_is_not_being_revoked(
    caller: Caller, vendor: ThreadServer, enter: Callable[[], Credential]
) -> None:
    credential, begun = await database(enter), asyncio.Event()
    running = asyncio.create_task(hang(caller, uuid7(), begun, text="Some words.", hang_after=4))
    await begun.wait()
    await database(lambda: key_actions.revoke(credential=credential))
    running.cancel()
    await revoked.look()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert running.cancelled()
    assert await database(lambda: Hold.objects.filter(state="open").count()) == 0


async def test_without_calls_there_is_no_query(person: User) -> None:
    await revoked.look()
    assert open_calls().by_credential() == {}
