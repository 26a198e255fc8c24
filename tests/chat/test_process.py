"""The server as people run it, killed and told to stop in the middle of answers."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.live import PASSWORD, Process, Visitor


def scripted(**script: object) -> str:
    return f"Go.\n[[simulate {json.dumps(script)}]]"


@pytest.fixture
def model() -> Iterator[ThreadServer]:
    with ThreadServer(Simulator(scripted=True)) as server:
        yield server


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an owner in it."""
    folder = tmp_path_factory.mktemp("founded")
    made = Process(folder)
    made.manage("migrate")
    made.manage(
        "createuser", "--email", "owner@example.org", "--password", "-", "--role", "owner", stdin=PASSWORD
    )
    return folder


@pytest.fixture
def process(founded: Path, tmp_path: Path, model: ThreadServer) -> Iterator[Process]:
    """A running server, on a copy of that folder."""
    folder = shutil.copytree(founded, tmp_path / "data")
    served = Process(
        folder, ANTHROPIC_API_KEY="sk-ant-test", ANTHROPIC_BASE_URL=model.base_url, PARLEY_DRAIN_SECONDS="20"
    )
    with served.running():
        yield served


@pytest.fixture
def arrive(process: Process) -> Iterator[Callable[[], Visitor]]:
    """Signs the owner in at the server as it runs now."""
    with ExitStack() as visits:

        def arrived() -> Visitor:
            visitor = Visitor(process.url)
            visits.callback(visitor.http.close)
            return visitor.sign_in()

        yield arrived


def rows(process: Process, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(process.folder / "parley.sqlite3")) as database:
        return database.execute(query).fetchall()


def test_kill_9_in_mid_stream_loses_nothing_that_was_shown(
    process: Process, arrive: Callable[[], Visitor]
) -> None:
    visitor = arrive()
    conversation, (_question, answer) = visitor.start(scripted(deltas=2000, rate=200), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        while len(page.text) < 300:
            page.hear()
        process.kill()
    shown = page.text
    process.start()
    visitor = arrive()
    turn = visitor.turns(conversation)[-1]
    assert turn.status == "interrupted"
    assert turn.text.startswith(shown)
    assert "/continue/" in turn.markup
    billed = rows(process, "SELECT source, outcome, output_tokens, cost_nano FROM usage_ledgerline")
    assert [(source, outcome) for source, outcome, _tokens, _cost in billed] == [("estimated", "interrupted")]
    assert int(str(billed[0][2])) >= len(shown) // 8
    assert int(str(billed[0][3])) > 0
    assert rows(process, "SELECT count(*) FROM usage_hold WHERE state = 'open'") == [(0,)]
    assert rows(process, "SELECT count(*) FROM chat_journalentry") == [(0,)]
    assert visitor.post(f"/c/{conversation}/m/{answer.id}/continue/").status_code == 200


def test_a_run_without_content_is_started_again_once(process: Process, arrive: Callable[[], Visitor]) -> None:
    visitor = arrive()
    conversation, (_question, answer) = visitor.start(scripted(text="Here.", deltas=2, first_delay=3), CLAUDE)
    process.kill()
    process.start()
    visitor = arrive()
    with visitor.listen(conversation, {answer.run: 0}) as page:
        assert page.hear_until("finished")["status"] == "completed"
    assert visitor.turns(conversation)[-1].text == "Here."


def test_told_to_stop_it_lets_answers_end_and_takes_no_new_ones(
    process: Process, arrive: Callable[[], Visitor]
) -> None:
    visitor = arrive()
    conversation, (_question, answer) = visitor.start(scripted(deltas=60, rate=40), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear()
        process.signal(signal.SIGTERM)
        while visitor.http.get("/readyz").status_code != 503:
            page.hear()
        refused = visitor.post("/c/", text="Another", model=CLAUDE)
        assert refused.status_code == 503
        assert "kept" in refused.text
        assert page.hear_until("finished")["status"] == "completed"
    assert process.wait() == 0


def test_a_second_server_on_the_same_folder_is_refused(process: Process) -> None:
    second = process.manage("serve", "--port", "0", check=False)
    assert second.returncode != 0
    assert "Another Parley server" in second.stderr
