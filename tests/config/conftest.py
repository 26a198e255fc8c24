"""Servers as people run them, on a data folder with an owner in it."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from providers.simulator.app import Simulator
from providers.simulator.server import ThreadServer
from tests.config.servers import Postgres
from tests.live import PASSWORD, Process, Visitor

CREATE_OWNER = ("createuser", "--email", "owner@example.org", "--password", "-", "--role", "owner")

Serve = Callable[..., Process]
Visit = Callable[[Process], Visitor]


def lines(process: Process) -> list[dict[str, Any]]:
    """What the process has logged; fails where a line is not a JSON object."""
    found = [json.loads(line) for line in (process.folder / "serve.log").read_text().splitlines()]
    assert all(isinstance(line, dict) for line in found)
    return found


def stop(process: Process) -> None:
    """Tells it to stop and waits until it has: all its lines are written then."""
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.fixture
def vendor() -> Iterator[ThreadServer]:
    with ThreadServer(Simulator(scripted=True)) as server:
        yield server


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an owner in it."""
    folder = tmp_path_factory.mktemp("founded")
    made = Process(folder, DATABASE_URL="", REDIS_URL="")
    made.manage("migrate")
    made.manage(*CREATE_OWNER, stdin=PASSWORD)
    return folder


@pytest.fixture
def serve(founded: Path, tmp_path: Path, vendor: ThreadServer) -> Iterator[Serve]:
    """Makes processes on a copy of that folder each; what is started is killed at the end."""
    with ExitStack() as ending:

        def made(*, start: bool = True, **environment: str) -> Process:
            folder = shutil.copytree(founded, tmp_path / f"data-{len(list(tmp_path.iterdir()))}")
            process = Process(
                folder,
                **{
                    "DATABASE_URL": "",
                    "REDIS_URL": "",
                    "ANTHROPIC_API_KEY": "sk-ant-test",
                    "ANTHROPIC_BASE_URL": vendor.base_url,
                    "PARLEY_LOG_FORMAT": "json",
                    **environment,
                },
            )
            ending.callback(process.end)
            if start:
                process.start()
            return process

        yield made


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Signs the owner in at a process."""
    with ExitStack() as ending:

        def arrived(process: Process) -> Visitor:
            visitor = Visitor(process.url)
            ending.callback(visitor.http.close)
            return visitor.sign_in()

        yield arrived


@dataclass
class Database:
    """A database of a test's own, on a server that it can stop and start."""

    server: Postgres
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres, founded: Path) -> str:
    """The name of a migrated database with an owner in it."""
    name = postgres.create()
    made = Process(founded, DATABASE_URL=postgres.url(name), REDIS_URL="")
    made.manage("migrate")
    made.manage(*CREATE_OWNER, stdin=PASSWORD)
    return name


@pytest.fixture
def database(postgres: Postgres, template: str) -> Iterator[Database]:
    """A copy of that one."""
    with _database(postgres, template) as copy:
        yield copy


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[Database]:
    with _database(postgres, "template1") as empty:
        yield empty


@contextmanager
def _database(server: Postgres, template: str) -> Iterator[Database]:
    made = Database(server, server.create(template))
    try:
        yield made
    finally:
        server.start()
        server.drop(made.name)


@pytest.fixture(scope="module")
def serve_once(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One process for the tests of a module that leave it as it is."""
    folder = shutil.copytree(founded, tmp_path_factory.mktemp("once") / "data")
    process = Process(folder, DATABASE_URL="", REDIS_URL="", PARLEY_LOG_FORMAT="json")
    with process.running():
        yield process
