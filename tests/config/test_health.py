"""What supervisors and balancers are told."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.config.conftest import Database, Serve
from tests.live import LiveServer


@pytest.fixture
def http(transactional_db: None) -> httpx.Client:  # type: ignore[misc]
    with LiveServer() as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.mark.services
@pytest.mark.parametrize(("path", "word"), [("/healthz", "alive"), ("/readyz", "ready")])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3:8000", "parley.internal", "x_y", ""])
def test_probes_are_answered_whatever_host_they_name(
    http: httpx.Client, path: str, word: str, host: str
) -> None:
    answer = http.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()) == (200, {"status": word})
    assert answer.headers["Cache-Control"] == "no-store"


def test_pages_still_refuse_a_host_that_is_not_theirs(http: httpx.Client) -> None:
    assert http.get("/login/", headers={"Host": "10.1.2.3"}).status_code == 400


def test_probes_are_get_and_head_alone(http: httpx.Client) -> None:
    head = http.head("/readyz")
    assert (head.status_code, head.content) == (200, b"")
    assert http.post("/readyz").status_code == 405


def test_a_database_that_hangs_holds_no_probe_up(serve: Serve, database: Database) -> None:
    process = serve(DATABASE_URL=database.url)
    with httpx.Client(base_url=process.url, trust_env=False, timeout=20) as http:
        assert http.get("/readyz").status_code == 200
        with database.server.frozen():
            while (answer := http.get("/readyz")).status_code == 200:
                pass  # what was found half a second ago counts
            assert answer.json() == {"status": "no database"}
            assert 1 < answer.elapsed.total_seconds() < 10
            assert http.get("/healthz").status_code == 200
        while http.get("/readyz").status_code != 200:
            pass


def test_a_database_that_lacks_a_migration_is_not_ready_until_it_has_it(serve: Serve) -> None:
    process = serve(start=False)
    with closing(sqlite3.connect(process.folder / "parley.sqlite3", isolation_level=None)) as database:
        database.execute("CREATE TABLE kept AS SELECT * FROM django_migrations ORDER BY id DESC LIMIT 1")
        database.execute("DELETE FROM django_migrations WHERE id IN (SELECT id FROM kept)")
        process.start("--no-migrate")
        with httpx.Client(base_url=process.url, trust_env=False) as http:
            missing = http.get("/readyz")
            assert (missing.status_code, missing.json()) == (503, {"status": "migrations missing"})
            assert missing.headers["Retry-After"]
            assert http.get("/healthz").status_code == 200
            database.execute("INSERT INTO django_migrations SELECT * FROM kept")
            while (answer := http.get("/readyz")).status_code == 503:
                assert answer.json() == {"status": "migrations missing"}
            assert answer.json() == {"status": "ready"}
