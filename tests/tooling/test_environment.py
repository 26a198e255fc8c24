"""Environment variables are read by config alone; what it reads is documented."""

import ast
import re
from pathlib import Path

import pytest

from tests.corpus import ROOT

READERS = ("config/", "tests/", "bench/", "bootstrap.py", "manage.py")
PACKAGES = ("accounts", "chat", "gateway", "providers", "tools", "usage")


def sources() -> list[Path]:
    found = [*ROOT.glob("*.py"), *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    return [path for path in found if not path.relative_to(ROOT).as_posix().startswith(READERS)]


def environment_reads(source: str) -> list[int]:
    """The numbers of the lines that touch os.environ or os.getenv, however they were imported."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv" | "getenvb"):
                lines.append(node.lineno)
            case ast.ImportFrom(module="os", names=names):
                if {name.name for name in names} & {"environ", "environb", "getenv", "getenvb", "*"}:
                    lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_config_reads_the_environment(path: Path):
    assert environment_reads(path.read_text("utf-8")) == [], "read it in config/settings.py instead"


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['A']", "import os as o\no.getenv('A')", "from os import environ as e"]
)
def test_the_check_sees_every_way_to_read_it(source: str):
    assert environment_reads(source)


def test_every_setting_stands_in_the_readme():
    read = re.findall(r"""env\.\w+\(\s*["']([A-Z_]+)["']""", (ROOT / "config/settings.py").read_text("utf-8"))
    readme = (ROOT / "README.md").read_text("utf-8")
    assert read
    assert [name for name in read if f"`{name}`" not in readme] == []
