"""The bell between processes: one small note for whatever waits, and no harm when it fails."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import uuid4

import pytest

from chat import notes
from chat.notes import Change, Note, Notes


class Bell:
    """A channel layer that rings when it is let, or fails."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.error: Exception | None = None
        self.heard: list[Note] = []
        self.tried = asyncio.Event()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.tried.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.heard.append(notes.decode(message["note"]))


async def ringing(bell: Bell) -> tuple[Notes, asyncio.Task[None]]:
    mine = Notes()
    mine.layer = bell
    return mine, asyncio.create_task(mine.send_forever())


async def until_tried(bell: Bell) -> None:
    await asyncio.wait_for(bell.tried.wait(), 5)
    bell.tried.clear()


async def test_what_waits_while_the_bell_is_slow_becomes_one_note() -> None:
    bell = Bell()
    mine, sending = await ringing(bell)
    run, other, stopped = uuid4(), uuid4(), uuid4()
    change = Change(uuid4(), uuid4(), 7, ["turns"])
    mine.runs_went_on({run: 1})
    await until_tried(bell)
    for number in range(2, 50):
        mine.runs_went_on({run: number, other: number})
    mine.changed(change)
    mine.stop(stopped)
    bell.open.set()
    await until_tried(bell)
    await asyncio.sleep(0)
    assert [note.runs for note in bell.heard] == [{run: 1}, {run: 49, other: 49}]
    assert (bell.heard[1].changes, bell.heard[1].stops) == ([change], [stopped])
    sending.cancel()


async def test_a_silent_bell_is_said_once_and_does_not_stop_the_next_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bell = Bell()
    bell.open.set()
    bell.error = ConnectionError("gone")
    mine, sending = await ringing(bell)
    with caplog.at_level(logging.INFO, logger="chat.notes"):
        for _ in range(3):
            mine.runs_went_on({uuid4(): 1})
            await until_tried(bell)
            await asyncio.sleep(0)
        assert len(caplog.records) == 1
        bell.error = None
        mine.runs_went_on({(run := uuid4()): 2})
        await until_tried(bell)
        await asyncio.sleep(0)
        assert [note.runs for note in bell.heard] == [{run: 2}]
        assert "rings again" in caplog.records[-1].message
    sending.cancel()


async def test_without_redis_nothing_is_kept_to_be_told(settings: Any) -> None:
    settings.REDIS_URL = ""
    mine = Notes()
    mine.runs_went_on({uuid4(): 1})
    await asyncio.wait_for(mine.send_forever(), 5)
    assert mine.sent == 0
