"""Several servers on one PostgreSQL, with Redis and without.

A page from one, its socket on another, the run in a third.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from chat.models import JournalEntry, Run
from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.live import Process, Visitor
from usage.models import Hold, LedgerLine

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.services,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="one embedded server per SQLite file"),
]


def scripted(**script: object) -> str:
    return f"Go.\n[[simulate {json.dumps(script)}]]"


bell_or_not = pytest.mark.parametrize("processes", ["bell", "no bell"], indirect=True)


@pytest.fixture
def processes(
    request: pytest.FixtureRequest, transactional_db: None, tmp_path: Path
) -> Iterator[list[Process]]:
    """Three servers on the test's own database; without a bell their Redis does not answer."""
    database = connection.settings_dict
    where = f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    with ThreadServer(Simulator(scripted=True)) as model, ExitStack() as running:
        started = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            shutil.copy(settings.DATA_DIR / "master.key", folder)
            process = Process(
                folder,
                DJANGO_SETTINGS_MODULE="tests.quick_lease_settings",
                DATABASE_URL=where,
                REDIS_URL=settings.REDIS_URL
                if getattr(request, "param", "bell") == "bell"
                else "redis://127.0.0.1:1/0",
                ANTHROPIC_API_KEY="sk-ant-test",
                ANTHROPIC_BASE_URL=model.base_url,
                PARLEY_DRAIN_SECONDS="10",
            )
            process.spawn()
            running.callback(process.end)
            started.append(process)
        for process in started:
            process.greeted()
        yield started


@pytest.fixture
def at(owner: User, processes: list[Process]) -> Iterator[Callable[[int], Visitor]]:
    """The owner at the server of this number, in one session."""
    client = Client()
    client.force_login(owner)
    session = client.cookies["parley_session"].value
    with ExitStack() as visits:

        def visit(number: int) -> Visitor:
            visitor = Visitor(processes[number].url, session=session)
            visits.callback(visitor.http.close)
            return visitor

        yield visit


@bell_or_not
def test_a_page_a_socket_and_a_run_in_three_processes(at: Callable[[int], Visitor]) -> None:
    host, other, third = at(0), at(1), at(2)
    with third.listen() as anywhere:
        conversation, (_question, answer) = host.start(scripted(deltas=60, rate=30), CLAUDE)
        assert anywhere.hear_until("changed")["conversation"] == conversation
    with host.listen(conversation, {answer.run: 0}) as page:
        while len(page.text) < 100:
            page.hear()
    turn = other.turns(conversation)[-1]
    assert turn.status == "running"
    with third.listen(conversation, {turn.run: turn.seq}) as page:
        assert page.hear_until("finished")["status"] == "completed"
        finished = third.turns(conversation)[-1].text
        # The last words are stored with the message itself, which the page fetches.
        assert finished.startswith(turn.text + page.text)
    assert other.turns(conversation)[-1].text == host.turns(conversation)[-1].text == finished


@bell_or_not
def test_stop_is_heard_in_the_process_that_hosts_the_run(at: Callable[[int], Visitor]) -> None:
    conversation, (_question, answer) = at(0).start(scripted(deltas=5000, rate=50), CLAUDE)
    with at(1).listen(conversation, {answer.run: 0}) as page:
        page.hear_until("events")
        page.say(type="stop", message=answer.id)
        assert page.hear_until("finished")["status"] == "stopped"
    turn = at(2).turns(conversation)[-1]
    assert (turn.status, turn.text.startswith(page.text)) == ("stopped", True)


def test_a_killed_host_loses_nothing_that_a_page_elsewhere_was_shown(
    at: Callable[[int], Visitor], processes: list[Process]
) -> None:
    conversation, (_question, answer) = at(0).start(scripted(deltas=5000, rate=50), CLAUDE)
    with at(1).listen(conversation, {answer.run: 0}) as page:
        while len(page.text) < 100:
            page.hear()
        processes[0].kill()
        assert page.hear_until("finished")["status"] == "interrupted"
    turn = at(2).turns(conversation)[-1]
    assert turn.status == "interrupted"
    assert turn.text.startswith(page.text)
    assert "/continue/" in turn.markup
    assert not JournalEntry.objects.exists()
    assert [line.outcome for line in LedgerLine.objects.all()] == ["interrupted"]
    assert not Hold.objects.filter(state="open").exists()


def test_a_host_that_was_frozen_finds_its_run_taken(
    at: Callable[[int], Visitor], processes: list[Process]
) -> None:
    conversation, (_question, answer) = at(0).start(scripted(deltas=5000, rate=50), CLAUDE)
    with at(1).listen(conversation, {answer.run: 0}) as page:
        while len(page.text) < 100:
            page.hear()
        processes[0].signal(signal.SIGSTOP)
        assert page.hear_until("finished")["status"] == "interrupted"
        processes[0].signal(signal.SIGCONT)
    kept = at(2).turns(conversation)[-1].text
    assert kept.startswith(page.text)
    with at(0).listen(conversation, {answer.run: 1}) as page:
        assert page.hear_until("finished")["status"] == "interrupted"
    assert at(0).turns(conversation)[-1].text == kept
    run = Run.objects.get()
    assert (run.status, run.fence) == ("interrupted", 2)


def test_a_drained_server_hands_its_pages_over_without_a_gap(
    at: Callable[[int], Visitor], processes: list[Process]
) -> None:
    visitor = at(0)
    conversation, (_question, answer) = visitor.start(scripted(deltas=100, rate=40), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear()
        processes[0].signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as end:
            while True:
                page.hear()
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1012
    assert processes[0].wait() == 0
    turn = at(1).turns(conversation)[-1]
    assert (turn.status, turn.text) == ("completed", page.text)
