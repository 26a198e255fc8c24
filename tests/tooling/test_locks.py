"""The lock files: nothing but names, versions and hashes, and both Python locks agree."""

import json
import re

import pytest

from tests.corpus import ROOT

PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)( ;.*)? \\$", re.MULTILINE)
REQUIREMENTS = ["requirements.txt", "requirements-saml.txt", "requirements-dev.txt", "requirements-node.txt"]


def pins(name: str) -> set[tuple[str, str]]:
    return {(package, version) for package, version, _ in PIN.findall((ROOT / name).read_text("utf-8"))}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_python_lock_holds_pins_and_hashes_only(name: str):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    strange = [
        line
        for line in lines
        if line.strip()
        and not re.match(r"\s+#|\s+--hash=sha256:[0-9a-f]{64}( \\)?$|[a-z0-9.-]+==\S+( ;.*)? \\$", line)
    ]
    assert strange == []


@pytest.mark.parametrize("name", [*REQUIREMENTS, "package-lock.json"])
def test_no_lock_holds_the_address_of_a_registry(name: str):
    text = (ROOT / name).read_text("utf-8")
    assert "index-url" not in text
    assert '"resolved"' not in text
    assert "://" not in text or name == "package-lock.json"


def test_the_locks_agree():
    assert pins("requirements.txt") | pins("requirements-saml.txt") <= pins("requirements-dev.txt")


def test_every_browser_package_has_a_hash():
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, facts in packages.items() if name and not facts.get("integrity")] == []


def test_every_dependency_is_explained():
    page = (ROOT / "docs/dependencies.md").read_text("utf-8")
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))
    names = [*wanted["dependencies"], *wanted["devDependencies"]]
    for name in REQUIREMENTS:
        lines = (ROOT / name.replace(".txt", ".in")).read_text("utf-8").splitlines()
        names += [re.split(r"[\[~=<> ]", line)[0] for line in lines if line and line[0].isalpha()]
    assert [name for name in names if f"| {name} |" not in page] == []
