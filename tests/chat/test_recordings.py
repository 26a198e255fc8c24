"""Recorded answers of the vendor, replayed in its place: the chat shows what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from chat.steps import PAUSED
from providers.access import Secret
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.corpus import CORPUS, anthropic_streams, needs_corpus
from tests.live import Visitor
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), needs_corpus]


def same(ours: Any, theirs: Any) -> bool:
    """Equal, where a key that the vendor never sent may be absent here and null in the SDK's result."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(same(ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


@pytest.fixture
def vendor(settings: Any) -> Iterator[ThreadServer]:
    with ThreadServer(Simulator(replay=CORPUS)) as server:
        settings.PROVIDER_ENVIRONMENT = {
            "anthropic": {"api_key": Secret("sk-ant"), "base_url": server.base_url}
        }
        yield server


def test_the_chat_shows_every_recorded_answer(visitor: Visitor, owner: User) -> None:
    wrong: list[str] = []
    # What was paused is gone on with, and a replay would be paused again: test_steps has those.
    recordings = [one for one in anthropic_streams() if one.expected().get("stop_reason") != PAUSED]
    with visitor.listen() as page:
        for recording in recordings:
            conversation, (_question, answer) = visitor.start(f"replay: {recording.name}", CLAUDE)
            page.say(type="follow", conversation=conversation, after={answer.run: 0})
            page.hear_until("finished", run=answer.run)
            turn = visitor.turns(conversation)[-1]
            expected = recording.expected() if recording.read_by_sdk else {}
            if turn.status != "completed" or not same(turn.blocks, expected.get("content")):
                wrong.append(f"{recording.name}: {turn.status}")
    assert not wrong
    assert LedgerLine.objects.filter(purpose="chat").count() >= len(recordings)
    assert not Hold.objects.filter(state="open", purpose="chat").exists()
