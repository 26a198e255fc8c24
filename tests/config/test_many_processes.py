"""Several servers on one PostgreSQL: who migrates, and whose keys."""

from __future__ import annotations

import base64
import secrets

import httpx
import psycopg

from tests.config.conftest import CREATE_OWNER, Database, Serve, Visit, lines, stop
from tests.live import PASSWORD, Visitor


def test_processes_that_start_together_migrate_once_and_share_sessions(
    serve: Serve, visit: Visit, empty_database: Database
) -> None:
    keys = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    processes = [
        serve(start=False, DATABASE_URL=empty_database.url, PARLEY_SECRET_KEYS=keys, PARLEY_LOG_LEVEL="INFO")
        for _ in range(3)
    ]
    for process in processes:
        process.spawn()
    for process in processes:
        process.greeted()
    with psycopg.connect(empty_database.url) as database:
        twice = database.execute(
            "SELECT app, name FROM django_migrations GROUP BY app, name HAVING count(*) > 1"
        ).fetchall()
        assert twice == []
        assert database.execute("SELECT count(*) FROM accounts_datakey").fetchone() == (1,)
    processes[0].manage(*CREATE_OWNER, stdin=PASSWORD)
    session = visit(processes[0]).http.cookies["parley_session"]
    for process in processes:
        visitor = Visitor(process.url, session=session)
        with visitor.http as http:
            assert http.get("/readyz").json() == {"status": "ready"}
            assert http.get("/").url.path == "/"
        stop(process)
    assert len({line["process"] for process in processes for line in lines(process)}) == 3


def test_a_server_with_another_key_is_refused_though_nothing_was_sealed_yet(
    serve: Serve, empty_database: Database
) -> None:
    first = serve(DATABASE_URL=empty_database.url)
    stranger = serve(start=False, DATABASE_URL=empty_database.url)
    (stranger.folder / "master.key").unlink()
    refused = stranger.manage("serve", "--port", "0", check=False)
    assert refused.returncode == 1
    assert "All servers of one database need the same keys" in refused.stderr
    assert "PARLEY_SECRET_KEYS" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert httpx.get(f"{first.url}/readyz", trust_env=False).status_code == 200
    stop(first)


def test_a_server_whose_database_is_away_says_so_and_ends(serve: Serve, empty_database: Database) -> None:
    empty_database.server.stop()
    refused = serve(start=False, DATABASE_URL=empty_database.url).manage("serve", "--port", "0", check=False)
    assert refused.returncode == 1
    assert "The database does not answer." in refused.stderr
    assert "Traceback" not in refused.stderr
