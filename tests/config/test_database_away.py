"""A database that is away, restarted, read-only or locked: a calm 503, then everything goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus

from tests.config.conftest import Database, Serve, Visit, lines
from tests.live import Process, Visitor

LANES = 12  # requests, enough that each of the server's threads gets some


def answered(visitor: Visitor) -> tuple[str, str]:
    """A conversation with one answer that is complete; returns the ids of both."""
    conversation, (_question, answer) = visitor.start("Hello")
    with visitor.listen(conversation, {answer.run: 0}) as page:
        assert page.hear_until("finished")["status"] == "completed"
    return conversation, answer.id


def post(visitor: Visitor, conversation: str | None = None, parent: str = "") -> httpx.Response:
    """A send as the page makes it."""
    headers = {"HX-Request": "true", "X-CSRFToken": visitor.http.cookies["parley_csrf"]}
    fields = {"text": "Hi", "model": "demo/parley-demo", "client_id": str(uuid4()), "parent": parent}
    path = "/c/" if conversation is None else f"/c/{conversation}/messages/"
    return visitor.http.post(path, data=fields, headers=headers)


def assert_is_kept(answer: httpx.Response) -> None:
    """A notice in place of the turns, and nothing else of a page."""
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "still here" in answer.text
    assert "<html" not in answer.text


def failures(process: Process) -> list[str]:
    return [
        line["message"] for line in lines(process) if line["logger"] in {"django.request", "uvicorn.error"}
    ]


def until_ready(visitor: Visitor) -> None:
    while visitor.http.get("/readyz").status_code != 200:
        pass


def test_an_outage_is_a_calm_503_and_no_dead_connection_is_used_after_it(
    serve: Serve, visit: Visit, database: Database
) -> None:
    process = serve(DATABASE_URL=database.url)
    visitor = visit(process)
    for _ in range(LANES):
        assert visitor.http.get("/").status_code == 200
    database.server.stop()
    for _ in range(LANES):
        page = visitor.http.get("/")
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert "Parley is not ready" in page.text
        assert_is_kept(post(visitor))
    with pytest.raises(InvalidStatus), visitor.listen():
        pass
    assert visitor.http.get("/readyz").json() == {"status": "no database"}
    assert visitor.http.get("/healthz").status_code == 200
    assert visitor.http.get("/static/css/door.css").status_code == 200
    database.server.start()
    until_ready(visitor)
    for _ in range(LANES):
        assert visitor.http.get("/").status_code == 200
    answered(visitor)
    assert failures(process) == []


def test_connections_that_were_cut_meanwhile_cost_nobody_a_request(
    serve: Serve, visit: Visit, database: Database
) -> None:
    process = serve(DATABASE_URL=database.url)
    visitor = visit(process)
    for _ in range(LANES):
        with psycopg.connect(database.url) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'parley' AND pid <> pg_backend_pid()"
            )
        assert visitor.http.get("/").status_code == 200
        assert post(visitor).status_code == 200
    assert failures(process) == []


def test_a_read_only_database_lets_people_read(serve: Serve, visit: Visit, database: Database) -> None:
    process = serve(DATABASE_URL=database.url)
    visitor = visit(process)
    conversation, answer = answered(visitor)
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'parley'"
        )
        assert visitor.http.get(f"/c/{conversation}/").status_code == 200
        assert_is_kept(post(visitor))
        assert_is_kept(post(visitor, conversation, answer))
        admin.execute("SET default_transaction_read_only = off")
        admin.execute(f'ALTER DATABASE "{database.name}" RESET default_transaction_read_only')
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'parley'"
        )
    assert post(visitor, conversation, answer).status_code == 200
    assert failures(process) == []


def test_a_lock_that_is_not_given_back_is_not_waited_for_long(
    serve: Serve, visit: Visit, database: Database
) -> None:
    process = serve(DATABASE_URL=f"{database.url}?options={quote('-c lock_timeout=100ms')}")
    visitor = visit(process)
    with psycopg.connect(database.url) as holder:
        holder.execute("LOCK TABLE chat_conversation IN ACCESS EXCLUSIVE MODE")
        assert visitor.http.get("/").status_code == 503
        assert_is_kept(post(visitor))
    assert visitor.http.get("/").status_code == 200
    assert post(visitor).status_code == 200
    assert failures(process) == []


def test_an_sqlite_file_that_another_program_writes_to_can_still_be_read(serve: Serve, visit: Visit) -> None:
    process = serve()
    visitor = visit(process)
    with closing(sqlite3.connect(process.folder / "parley.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert visitor.http.get("/").status_code == 200
        assert_is_kept(post(visitor))
        other.execute("ROLLBACK")
    assert post(visitor).status_code == 200
    assert failures(process) == []
