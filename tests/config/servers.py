"""A PostgreSQL and a Redis of a test's own, which it can stop and start again."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import redis


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Postgres:
    """Skips the test where PostgreSQL's programs are not installed."""

    def __init__(self) -> None:
        self._programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
        if self._programs is None:
            pytest.skip("PostgreSQL is not installed in /usr/lib/postgresql")
        self._as = {"user": "postgres"} if os.geteuid() == 0 else {}  # PostgreSQL refuses to run as root
        self._folder = Path(tempfile.mkdtemp(prefix="parley-postgres-"))
        if self._as:
            shutil.chown(self._folder, "postgres")
        self._port, self._runs = free_port(), False
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C")

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        """Does nothing while it runs."""
        if not self._runs:
            settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}", "fsync=off"]
            options = " ".join(["-p", str(self._port), *(f"-c {setting}" for setting in settings)])
            log = str(self._folder / "log")
            self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-o", options, "start")
            self._runs = True

    def stop(self) -> None:
        """Cuts every connection, without warning."""
        if self._runs:
            self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")
            self._runs = False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its processes stand still: connections stay open, and nothing is answered."""
        main = psutil.Process(int(Path(self._data, "postmaster.pid").read_text().split()[0]))
        processes = [main, *main.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def create(self, template: str = "template1") -> str:
        """A new database, as the template is; returns its name."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url(), autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        assert self._programs is not None
        command = [str(self._programs / program), *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        subprocess.run(command, cwd=self._folder, check=True, timeout=180, **quiet, **self._as)  # type: ignore[call-overload]

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Postgres]:
        server = cls()
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(server._folder, ignore_errors=True)


class Redis:
    """Skips the test where redis-server is not installed."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed")
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"Ready to accept connections" in line:
                return
        raise AssertionError("Redis did not start")

    def stop(self) -> None:
        if self._process is not None:
            assert self._process.stdout is not None
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Redis]:
        server = cls()
        try:
            server.start()
            yield server
        finally:
            server.stop()
