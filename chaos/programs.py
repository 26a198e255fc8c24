"""Child processes: started, signalled by their own id, and gone at the end whatever happened."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 15.0


class Missing(Exception):
    """A program that this part needs is not on this machine; the text says which and where it comes from."""


class NotStarted(Exception):
    """A program ended, or stayed silent, before it was ready; the text holds its last lines."""


class Program:
    """One child. What it writes goes to `log`, which grows over restarts."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: dict[str, str],
        user: str | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = [str(part) for part in command]
        self._environment = environment
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begins a new child; the last one must have ended."""
        with self.log.open("ab") as log:
            log.write(f"=== started at {time.strftime('%H:%M:%S')}\n".encode())
            log.flush()
            self._child = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self._user,
                # Ctrl+C is for us alone: we end our children in our own order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def status(self) -> int | None:
        return self._child.poll() if self._child is not None else None

    def send(self, number: signal.Signals) -> None:
        if self.running:
            os.kill(self.pid, number)

    def wait(self, seconds: float = STOP_SECONDS) -> bool:
        """Whether it has ended, after at most so long."""
        if self._child is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        return not self.running

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS) -> None:
        """Asks it to end, and ends it when it does not."""
        self.send(signal.SIGCONT)
        self.send(number)
        if not self.wait(seconds):
            self.kill()

    def written(self) -> str:
        """All that it has written so far."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def last_lines(self, count: int = 25) -> str:
        return "\n".join(self.written().splitlines()[-count:])


def run(command: Sequence[str | Path], *, environment: dict[str, str], user: str | None = None) -> str:
    """Runs a command to its end; what it printed. Raises NotStarted."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        user=user,
        timeout=120,
    )
    if done.returncode:
        named = " ".join(str(part) for part in command)
        raise NotStarted(f"{named} failed.\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def find(name: str, *folders: str, package: str) -> Path:
    """The program of this name: on the path, or the newest in folders such as /usr/lib/*/bin."""
    found = [path for pattern in folders for path in sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"))]
    if found:
        return found[-1]
    if (on_path := shutil.which(name)) is not None:
        return Path(on_path)
    raise Missing(f"{name} is not here (Debian: apt install {package})")


def free_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that are free now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
