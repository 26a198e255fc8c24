"""How far a command is: a bar where somebody watches, a line for each step where a file does."""

from __future__ import annotations

import shutil
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper

BAR = 24  # characters

# What would command a terminal, or look like a line of its own, is not printed as it is.
_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class Progress:
    """Counts steps up to `total` on a stream of a command. Left, its last state stays on the screen."""

    def __init__(self, stream: OutputWrapper, total: int, word: str) -> None:
        self._stream = stream
        self._total = total
        self._word = word
        self._done = 0
        self._failed = 0
        self._draws = bool(stream.isatty())

    def __enter__(self) -> Self:
        if self._draws:
            self._draw("")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._draws:
            self._write("\n", ending="")

    def step(self, text: str, *, ok: bool = True) -> None:
        """One step is over; `text` says which."""
        self._done += 1
        self._failed += not ok
        text = text.translate(_CONTROL)
        if self._draws:
            self._draw(text)
        else:
            self._write(f"{self._done}/{self._total} {text}")

    def _draw(self, text: str) -> None:
        filled = BAR * self._done // max(1, self._total)
        bar = "#" * filled + "." * (BAR - filled)
        failed = f", {self._failed} failed" if self._failed else ""
        line = f"[{bar}] {self._done}/{self._total} {self._word}{failed}  {text}"
        width = shutil.get_terminal_size().columns - 1
        self._write(f"\r{line[:width]:<{width}}", ending="")

    def _write(self, text: str, ending: str = "\n") -> None:
        self._stream.write(text, style_func=str, ending=ending)  # str: a command's errors would be red
        self._stream.flush()
