"""What a process supervisor and a load balancer ask: is it alive, may it get new work.

Answered before everything else, and from a thread of its own: no Host header is checked, because probes come
by address and learn nothing, and no request that hangs on the database holds a probe up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from queue import SimpleQueue
from typing import Any

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from chat import drain

DATABASE_SECONDS = 2.0  # for the database to answer
KEPT_SECONDS = 0.5  # for which its answer counts, however many ask

READY, DRAINING, NO_DATABASE, NO_MIGRATIONS = "ready", "draining", "no database", "migrations missing"

log = logging.getLogger(__name__)


class Database:
    """Asks the database on one lasting thread, one question at a time; who asks meanwhile shares it."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[asyncio.Future[str]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._answer: asyncio.Future[str] | None = None
        self._answered_at = 0.0  # loop time
        self._migrated = False

    async def state(self) -> str:
        """READY, NO_DATABASE or NO_MIGRATIONS, within DATABASE_SECONDS."""
        answer = self._current()
        await asyncio.wait([answer], timeout=DATABASE_SECONDS)
        return answer.result() if answer.done() else NO_DATABASE

    def _current(self) -> asyncio.Future[str]:
        loop, answer = asyncio.get_running_loop(), self._answer
        if answer is not None and answer.get_loop() is loop:
            if not answer.done() or loop.time() < self._answered_at + KEPT_SECONDS:
                return answer
        answer = self._answer = loop.create_future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="readiness", daemon=True)
            self._thread.start()
        self._questions.put(answer)
        return answer

    def _serve(self) -> None:
        while True:
            answer = self._questions.get()
            found = self._look()
            try:
                answer.get_loop().call_soon_threadsafe(self._tell, answer, found)
            except RuntimeError:
                log.debug("An event loop ended before it heard that the state is: %s", found)

    def _look(self) -> str:
        try:
            connection.close_if_unusable_or_obsolete()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            if not self._migrated:  # once done, it stays so: a newer version only adds
                executor = MigrationExecutor(connection)
                self._migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        except Error:
            connection.close()
            return NO_DATABASE
        except Exception:  # this thread must outlive whatever happens, or no probe is answered any more
            log.exception("Looking at the database failed")
            return NO_DATABASE
        return READY if self._migrated else NO_MIGRATIONS

    def _tell(self, answer: asyncio.Future[str], found: str) -> None:
        self._answered_at = answer.get_loop().time()
        answer.set_result(found)


database = Database()


async def alive(scope: Any, send: Any) -> None:
    """200 as long as the event loop turns, whatever the database does."""
    await _answer(scope, send, "alive", 200)


async def ready(scope: Any, send: Any) -> None:
    """503 from the moment that draining begins, while the database does not answer or is not migrated."""
    state = DRAINING if drain.draining() else await database.state()
    await _answer(scope, send, state, 200 if state == READY else 503)


PROBES = {"/healthz": alive, "/readyz": ready}


async def _answer(scope: Any, send: Any, state: str, status: int) -> None:
    body = json.dumps({"status": state}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if scope["method"] not in {"GET", "HEAD"}:
        status, body = 405, b""
        headers.append((b"allow", b"GET, HEAD"))
    elif status == 503:
        headers.append((b"retry-after", b"1"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
