"""A PostgreSQL database and a numbered database of Redis for one run, and the CPU time of the two servers.

The servers are those of DATABASE_URL and REDIS_URL, else the ones at their usual ports on this machine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import psycopg
import redis

from bench.processes import NotStarted, cpu_of
from tests.services import LOCAL_DATABASE, LOCAL_REDIS, NotThere, own_database, own_redis


class Stores:
    """Both servers as one run sees them. `versions` says what they are, `unread` whose CPU cannot be read.

    Of PostgreSQL those processes are counted that serve the run's own database: the other ones (log writer,
    checkpoints) serve all databases. Redis is one process, for all of its users.
    """

    def __init__(self, database: str, cache: str) -> None:
        self.settings = {"DATABASE_URL": database, "REDIS_URL": cache}
        self._name = urlsplit(database).path[1:]
        self._connection = psycopg.connect(database, autocommit=True)
        self._backends: dict[int, float] = {}  # milliseconds so far, also of those that have ended
        self.unread: list[str] = []
        with redis.Redis.from_url(cache) as client:
            about = client.info("server")
        self.versions = (
            f"PostgreSQL {self._connection.info.server_version // 10_000}, Redis {about['redis_version']}"
        )
        self._redis = int(about["process_id"])
        if f":{about['tcp_port']}" not in _title(self._redis):
            self._redis = 0
            self.unread.append("Redis")
        if self._name not in _title(self._connection.info.backend_pid):
            self.unread.append("PostgreSQL")

    async def look(self) -> None:
        await asyncio.to_thread(self._look)

    def cpu(self) -> dict[str, float]:
        """Milliseconds so far, by server, of those that can be read."""
        known: dict[str, float] = {}
        if "PostgreSQL" not in self.unread:
            for pid, before in self._backends.items():
                self._backends[pid] = _cpu_or(before, pid)
            known["PostgreSQL"] = sum(self._backends.values())
        if self._redis:
            known["Redis"] = cpu_of(self._redis)
        return known

    def close(self) -> None:
        self._connection.close()

    def _look(self) -> None:
        if "PostgreSQL" in self.unread:
            return
        mine = self._connection.info.backend_pid
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        for (pid,) in self._connection.execute(query).fetchall():
            if pid != mine:
                self._backends.setdefault(pid, 0.0)


@contextmanager
def own_stores() -> Iterator[Stores]:
    """Makes the database and finds an empty numbered one; leaves both servers as they were.

    Raises NotStarted when there is none.
    """
    database, cache = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    try:
        with own_database(database or LOCAL_DATABASE) as ours, own_redis(cache or LOCAL_REDIS) as numbered:
            stores = Stores(ours, numbered)
            try:
                yield stores
            finally:
                stores.close()
    except NotThere as reason:
        raise NotStarted(
            f"{reason}\nServers in more than one process need PostgreSQL, whose user may make databases, and "
            "Redis: at their usual ports on this machine, or where DATABASE_URL and REDIS_URL say."
        ) from None


def _title(pid: int) -> str:
    """The command line of a process of this machine; both servers write there whom they serve."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def _cpu_or(before: float, pid: int) -> float:
    """CPU milliseconds of a process; `before` when it has ended."""
    try:
        return cpu_of(pid)
    except (OSError, psutil.Error):
        return before
