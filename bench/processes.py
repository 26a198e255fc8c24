"""The processes of a bench: started as people start them, measured from outside, stopped and cleaned up."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 15.0
VENDORS = ("ANTHROPIC_", "OPENAI_", "AZURE_OPENAI_", "COPILOT_", "SALESFORCE_")  # of their variables
CPUCLOCK_SCHED = 2  # Linux: the kind of per-process CPU clock that counts nanoseconds of user and system time


class NotStarted(Exception):
    """A process ended or stayed silent before it was ready; the text holds the last lines that it wrote."""


class Process:
    """A child of this program. `name` says what it is; what it writes goes to a file in `folder`."""

    def __init__(self, name: str, arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._child.pid

    def address(self) -> str:
        """The first http address that the process prints. Raises NotStarted."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            for word in self._log.read_text("utf-8", "replace").split():
                if word.startswith("http://"):
                    return word.rstrip("/")
            self.check()
            time.sleep(0.05)
        raise NotStarted(f"{self.name} printed no address.\n{self.last_lines()}")

    def answers(self, url: str) -> None:
        """Waits until the URL is answered with 200. Raises NotStarted."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(urllib.error.URLError, OSError):
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback address
                    if answer.status == 200:
                        return
            self.check()
            time.sleep(0.1)
        raise NotStarted(f"{self.name} does not answer {url}.\n{self.last_lines()}")

    def check(self) -> None:
        """Raises NotStarted when the process has ended."""
        if (status := self._child.poll()) is not None:
            raise NotStarted(f"{self.name} ended with status {status}.\n{self.last_lines()}")

    def last_lines(self, count: int = 25) -> str:
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-count:])

    def problems(self) -> list[str]:
        """Lines that the process wrote about errors."""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if " ERROR " in line or " CRITICAL " in line or "Traceback" in line]

    def cpu(self) -> float:
        """Milliseconds of user and system time of all its threads so far, ended ones included."""
        return cpu_of(self.pid)

    def rss(self) -> int:
        """Bytes of resident memory now."""
        return int(psutil.Process(self.pid).memory_info().rss)

    @property
    def label(self) -> str:
        return f"process {self.pid}"

    def end(self, *, at_once: bool) -> None:
        """Tells it to end; `stop` waits for that."""
        if at_once:
            self._child.kill()
        else:
            self._child.terminate()

    def stop(self) -> None:
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def cpu_of(pid: int) -> float:
    """Milliseconds of CPU time of a process; exact on Linux, in steps of about 10 ms elsewhere."""
    if platform.system() == "Linux":
        return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED) / 1e6
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system) * 1000


def machine_seconds() -> float:
    """CPU seconds that all programs of this machine have used so far."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user and nice, too
    return float(sum(times) - idle - guests - getattr(times, "steal", 0.0))


class Stage:
    """The simulator, the relay and Parley, as asked for; a context manager that leaves nothing behind.

    settings: environment variables of Parley beside those of every bench.
    """

    def __init__(
        self, *, model: str, parley: bool = False, relay: bool = False, settings: dict[str, str] | None = None
    ) -> None:
        self._model, self._wants, self._settings = model, (parley, relay), settings or {}
        self._folder = tempfile.TemporaryDirectory(prefix="parley-bench-")
        self.folder = Path(self._folder.name)
        self._started: list[Process] = []
        self.parley: Process | None = None
        self.relay: Process | None = None
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> Stage:
        try:
            self._start()
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, error: type[BaseException] | None, *_more: object) -> None:
        for process in reversed(self._started):
            process.end(at_once=error is not None)
        for process in reversed(self._started):
            process.stop()
        self._folder.cleanup()

    def _start(self) -> None:
        self.simulator = self._run("simulator", ["-m", "providers.simulator", "--scripted"])
        upstream = self.addresses["simulator"] = self.simulator.address()
        parley, relay = self._wants
        if relay:
            arguments = ["-m", "bench.relay", "--upstream", upstream, "--model", self._model]
            self.relay = self._run("relay", arguments)
            self.addresses["relay"] = self.relay.address()
        if parley:
            self.parley = self.serve("parley")

    def serve(self, name: str, **settings: str) -> Process:
        """A server of Parley that is ready, with further settings of its own. Raises NotStarted."""
        process = self._run(name, ["manage.py", "serve", "--port", "0"], settings)
        port = process.address().rpartition(":")[2]
        self.addresses[name] = f"http://127.0.0.1:{port}"
        process.answers(f"{self.addresses[name]}/readyz")
        return process

    def problems(self) -> list[str]:
        """Lines that the servers wrote about errors."""
        servers = [process for process in self._started if process is not self.simulator]
        return [f"{server.name} wrote: {line}" for server in servers for line in server.problems()]

    def _run(self, name: str, arguments: list[str], settings: dict[str, str] | None = None) -> Process:
        process = Process(name, arguments, self.folder, self.environment() | (settings or {}))
        self._started.append(process)
        return process

    def environment(self) -> dict[str, str]:
        """This program's environment without what would change Parley; the simulator is the vendor."""
        mine = ("PARLEY_", *VENDORS, "DJANGO_", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        kept |= {"PARLEY_DATA_DIR": str(self.folder / "data"), "ANTHROPIC_API_KEY": "sk-ant-bench-0000"}
        if "simulator" in self.addresses:
            kept["ANTHROPIC_BASE_URL"] = self.addresses["simulator"]
        return kept | self._settings

    def command(self, *arguments: str) -> str:
        """Runs a Python program of this project beside the server; what it printed. Raises NotStarted."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment(), capture_output=True, text=True
        )
        if done.returncode:
            raise NotStarted(f"{' '.join(arguments[:2])} failed.\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout


def machine() -> dict[str, Any]:
    """What the numbers depend on, without names."""
    return {
        "processors": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": sys.version.split()[0],
        "system": sys.platform,
    }
