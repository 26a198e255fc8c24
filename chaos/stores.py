"""A PostgreSQL and a Redis of our own, in a folder of our own, on private ports."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
import redis

from chaos.programs import NotStarted, Program, find, free_ports, run

START_SECONDS = 30.0
BINARIES = "/usr/lib/postgresql/*/bin"


class PostgreSQL:
    """One server; `url` is the database that Parley uses."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Raises Missing where PostgreSQL is not installed."""
        self._initdb = find("initdb", BINARIES, package="postgresql")
        postgres = find("postgres", BINARIES, package="postgresql")
        self._user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        self._environment = environment
        (self.port,) = free_ports(1)
        self._data = folder / "postgres"
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            os.chmod(folder, 0o711)  # noqa: S103 - the server's own user must pass through
            run(["chown", self._user, str(self._data)], environment=environment)
        settings: dict[str, str | int] = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._data),
            "max_connections": 200,
            "shared_buffers": "64MB",
            "log_min_messages": "fatal",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._program = Program(
            "postgresql",
            [str(postgres), "-D", str(self._data), *options],
            folder=folder,
            environment=environment,
            user=self._user,
        )
        self._server = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/parley"

    def create(self) -> None:
        options = ["-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        run([self._initdb, *options], environment=self._environment, user=self._user)
        self.start()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE parley")

    def start(self) -> None:
        """Begins, and returns when it answers. Raises NotStarted."""
        self._program.start()
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._program.running:
            try:
                psycopg.connect(self._server, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise NotStarted(f"PostgreSQL does not answer.\n{self._program.last_lines()}")

    def halt(self, *, immediate: bool) -> None:
        """Ends it: transactions are undone (fast), or everything is dropped as in a crash (immediate)."""
        self._program.stop(signal.SIGQUIT if immediate else signal.SIGINT, seconds=20)

    def stop(self) -> None:
        self.halt(immediate=False)


class Redis:
    """One server that keeps nothing on disk."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Raises Missing where Redis is not installed."""
        program = find("redis-server", package="redis-server")
        (self.port,) = free_ports(1)
        options = ["--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [str(part) for part in (program, *options, "--dir", folder)]
        self._program = Program("redis", command, folder=folder, environment=environment)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Begins, and returns when it answers. Raises NotStarted."""
        self._program.start()
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._program.running:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
            except redis.RedisError:
                time.sleep(0.05)
            else:
                return
        raise NotStarted(f"Redis does not answer.\n{self._program.last_lines()}")

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        self._program.stop()
