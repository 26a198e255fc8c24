"""Recorded streams, sent again byte by byte.

A recording is a file `STEM.sse`: the body of a streamed answer. All of them are read once, when the simulator
is made, into a table by stem; a request can only name a stem of that table, so it can reach no other file.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from providers.simulator.steps import ByteStep, Mark

# A blank line, in any of the three line endings of event streams. The group is atomic: CR LF is one ending.
_BLANK: Final = re.compile(rb"(?>\r\n|\r|\n){2,}")
_ASKED: Final = re.compile(r"replay:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)


def load(folder: Path) -> dict[str, bytes]:
    """All recordings of a folder by stem. Links that lead out of the folder are left out.

    Raises NotADirectoryError when there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"no folder of recordings at {folder}")
    home = folder.resolve()
    files = sorted(path for path in folder.glob("*.sse") if path.is_file() and path.resolve().parent == home)
    return {path.stem: path.read_bytes() for path in files}


def asked_for(text: str, recordings: Mapping[str, bytes]) -> str | None:
    """The stem that a prompt asks for: the whole text, or what follows `replay:` in one of its lines.

    A stem that does not exist is returned as it was written; the caller decides what that means.
    """
    if text.strip() in recordings:
        return text.strip()
    match = _ASKED.search(text)
    if match is None:
        return None
    line = match.group(1)
    return line if line in recordings else line.split()[0]


def frames(recording: bytes) -> Iterator[bytes]:
    """The recording cut after each blank line; joined again it is the file."""
    start = 0
    for match in _BLANK.finditer(recording):
        yield recording[start : match.end()]
        start = match.end()
    if start < len(recording):
        yield recording[start:]


def steps(recording: bytes) -> Iterator[ByteStep]:
    """The frames, each with its place in the timetable."""
    for frame in frames(recording):
        yield Mark.TICK
        yield frame
