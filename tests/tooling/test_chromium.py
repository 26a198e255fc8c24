"""Where browser tests get their browser: found, installed by apt where that is allowed, or missed aloud."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import ROOT

APT = """#!/bin/sh
echo "$*" >> {bin}/asked
case "$*" in *chromium) printf '#!/bin/sh\\n' > {bin}/chromium && chmod +x {bin}/chromium ;; esac
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="packages are installed for root only")


def provide(bin: Path, *, needed: bool, **env: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"import bootstrap; bootstrap.provide_chromium(needed={needed}); print('have', bootstrap.chromium())"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": str(bin), "HOME": str(bin), **env},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """A folder for PATH in which only apt-get is found, and where that puts Chromium."""
    for name in ("chmod", "sh"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    program = tmp_path / "apt-get"
    program.write_text(APT.format(bin=tmp_path), "utf-8")
    program.chmod(0o755)
    return tmp_path


@as_root
def test_a_missing_browser_is_installed(apt: Path):
    outcome = provide(apt, needed=True)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines()[-1] == f"have {apt / 'chromium'}"
    assert (apt / "asked").read_text("utf-8").splitlines() == [
        "update",
        "install --yes --no-install-recommends chromium",
    ]


def test_a_browser_that_is_there_is_used(apt: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other") / "my-chrome"
    other.write_text("#!/bin/sh\n", "utf-8")
    other.chmod(0o755)
    outcome = provide(apt, needed=True, PARLEY_CHROMIUM=str(other))
    assert outcome.stdout == f"have {other}\n"
    assert not (apt / "asked").exists()


def test_without_apt_the_browser_tests_are_skipped_aloud(tmp_path: Path):
    outcome = provide(tmp_path, needed=False)
    assert outcome.returncode == 0
    assert "the browser tests will be skipped" in outcome.stdout


def test_without_apt_a_needed_browser_is_a_failure(tmp_path: Path):
    outcome = provide(tmp_path, needed=True)
    assert outcome.returncode == 1
    assert "Failed: looking for a browser" in outcome.stderr
