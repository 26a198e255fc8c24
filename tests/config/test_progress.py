"""A bar for people, lines for files, and nothing that commands a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management.base import OutputWrapper

from config.progress import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def drawn(out: StringIO, *steps: tuple[str, bool]) -> str:
    with Progress(OutputWrapper(out, str.upper), len(steps), "calls") as progress:  # type: ignore[arg-type]
        for text, ok in steps:
            progress.step(text, ok=ok)
    return out.getvalue()


def test_a_terminal_gets_one_line_that_is_drawn_over_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = drawn(Terminal(), ("one", True), ("two", False), ("three", True), ("four", True))
    *_, last = shown.split("\r")
    assert last.startswith(f"[{'#' * 24}] 4/4 calls, 1 failed  four ")
    assert shown.endswith("\n")
    assert shown.count("\n") == 1
    assert all(len(line.rstrip("\n")) in {0, 79} for line in shown.split("\r"))
    assert "[######" in shown
    assert "[............" in shown.split("\r")[1]


def test_a_file_gets_a_line_for_each_step() -> None:
    assert drawn(StringIO(), ("one", True), ("two", False)) == "1/2 one\n2/2 two\n"


def test_what_a_vendor_names_cannot_command_the_terminal() -> None:
    hostile = "model\x1b[2J\n9/9 done\r\u2028\x9b31m"
    assert drawn(StringIO(), (hostile, True)) == "1/1 model[2J9/9 done31m\n"
