"""docs/threats.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(
    r"`([a-z_]+/[\w.]+\.(?:py|js))(?:::(\w+))?`", (ROOT / "docs" / "threats.md").read_text("utf-8")
)


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED)), ids="::".join)
def test_a_row_names_a_test_that_exists(file: str, test: str) -> None:
    path = ROOT / "tests" / file
    assert path.is_file()
    assert not test or f"def {test}(" in path.read_text("utf-8")


def test_every_section_is_there() -> None:
    text = (ROOT / "docs" / "threats.md").read_text("utf-8")
    assert [
        number
        for number in range(1, 12)
        if str(number) not in re.findall(r"\d+", "".join(re.findall(r"^## (.*)$", text, re.M)))
    ] == []
