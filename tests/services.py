"""The second lane: the tests marked `services`, on PostgreSQL and Redis. Called by `bootstrap.py test`.

The servers are those of DATABASE_URL and REDIS_URL, else the ones that answer on this machine at their usual
ports. Both are left as they were: the lane works in a database that it makes and drops, and in a numbered
database of Redis that it found empty. Without servers it is skipped, and says so; a named server must answer.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

LOCAL_DATABASE = "postgresql://postgres@127.0.0.1:5432/postgres"
LOCAL_REDIS = "redis://127.0.0.1:6379/0"
WAIT_SECONDS = 5


class NotThere(Exception):
    """A server does not answer, or has no room for the lane. The text says why, without passwords."""


def main() -> int:
    database, cache = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    try:
        with own_database(database or LOCAL_DATABASE) as ours, own_redis(cache or LOCAL_REDIS) as numbered:
            env = {**os.environ, "PARLEY_TEST_DATABASE_URL": ours, "PARLEY_TEST_REDIS_URL": numbered}
            return subprocess.run([sys.executable, "-m", "pytest", "-m", "services"], env=env).returncode
    except NotThere as reason:
        line = "*" * 100
        if database or cache:
            print(f"{line}\nDATABASE_URL or REDIS_URL is set, but: {reason}\n{line}", flush=True)
            return 1
        print(
            f"{line}\nSKIPPED: the tests on PostgreSQL and Redis were not run. {reason}\n{line}", flush=True
        )
        return 0


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """Make a database on this server, give its URL, and drop it with what Django's tests made beside it."""
    parts = urlsplit(url)
    name = f"parley_lane_{secrets.token_hex(6)}"
    try:
        server = psycopg.connect(url, autocommit=True, connect_timeout=WAIT_SECONDS)
        server.execute(f'CREATE DATABASE "{name}"')
    except psycopg.Error as error:
        raise NotThere(f"PostgreSQL at {parts.hostname}:{parts.port or 5432}: {first_line(error)}") from None
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        for each in (name, f"test_{name}"):
            server.execute(f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)')
        server.close()


@contextmanager
def own_redis(url: str) -> Iterator[str]:
    """Find an empty numbered database on this server, mark it as taken, give its URL, empty it at the end."""
    parts = urlsplit(url)
    where = f"Redis at {parts.hostname}:{parts.port or 6379}"
    for number in range(1, 16):
        numbered = urlunsplit(parts._replace(path=f"/{number}"))
        client = redis.Redis.from_url(numbered, socket_connect_timeout=WAIT_SECONDS)
        try:
            if client.dbsize() or not client.set("parley-lane", "taken", nx=True, ex=3600):
                continue
        except redis.RedisError as error:
            raise NotThere(f"{where}: {first_line(error)}") from None
        try:
            yield numbered
        finally:
            client.flushdb()
            client.close()
        return
    raise NotThere(f"{where}: none of its databases 1 to 15 is empty.")


def first_line(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no answer'}"
    )


if __name__ == "__main__":
    sys.exit(main())
