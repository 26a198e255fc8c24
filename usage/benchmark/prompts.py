"""A prompt set, read from a file.

Two forms. JSON Lines: one object a line, with `prompt` (text) or `messages` (Anthropic's form), and if wanted
`id`, `system`, `max_tokens`, `expected` (a text that a good answer contains). Plain text: prompts separated
by lines of `---`, or, where there is no such line, by blank lines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

LARGEST_FILE = 20 * 1024 * 1024  # bytes
MOST_PROMPTS = 10_000
LONGEST_ID = 80  # characters
FIELDS = {"id", "prompt", "messages", "system", "max_tokens", "expected"}
RULE = re.compile(r"^[ \t]*-{3,}[ \t]*$", re.MULTILINE)
BLANK = re.compile(r"\n[ \t]*\n")


class UnreadablePrompts(Exception):
    """The file is no prompt set; the text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One thing to ask. `max_tokens` None: as the run says; `expected` empty: nothing in particular."""

    id: str
    messages: list[Json]
    system: str | None = None
    max_tokens: int | None = None
    expected: str = ""

    @property
    def text(self) -> str:
        """What the last person in it says, as text."""
        content = self.messages[-1]["content"]
        if isinstance(content, str):
            return content
        return "\n".join(str(block.get("text", "")) for block in content if block.get("type") == "text")


def read(path: Path) -> list[Prompt]:
    """The prompts of a file, at least one. Raises UnreadablePrompts."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UnreadablePrompts(f"{path} is larger than {LARGEST_FILE // 1024 // 1024} MiB.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadablePrompts(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UnreadablePrompts(f"{path} is not UTF-8 text.") from None
    prompts = _from_lines(text) if _holds_objects(path, text) else _from_text(text)
    if not prompts:
        raise UnreadablePrompts(f"{path} holds no prompt.")
    if len(prompts) > MOST_PROMPTS:
        raise UnreadablePrompts(f"{path} holds more than {MOST_PROMPTS} prompts.")
    ids = [prompt.id for prompt in prompts]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise UnreadablePrompts(f"These ids are there twice: {', '.join(twice)}.")
    return prompts


def _holds_objects(path: Path, text: str) -> bool:
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        return True
    first = text.lstrip().partition("\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _from_text(text: str) -> list[Prompt]:
    text = text.replace("\r\n", "\n")
    pieces = RULE.split(text) if RULE.search(text) else BLANK.split(text)
    asked = [piece.strip() for piece in pieces if piece.strip()]
    return [Prompt(id=str(number), messages=_said(one)) for number, one in enumerate(asked, 1)]


def _from_lines(text: str) -> list[Prompt]:
    prompts: list[Prompt] = []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand in a text
        if line.strip():
            prompts.append(_prompt(line, number, len(prompts) + 1))
    return prompts


def _prompt(line: str, number: int, place: int) -> Prompt:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise UnreadablePrompts(f"Line {number} is not JSON.") from None
    if not isinstance(given, dict):
        raise UnreadablePrompts(f"Line {number} is not a JSON object.")
    if unknown := sorted(set(given) - FIELDS):
        raise UnreadablePrompts(
            f"Line {number} has unknown fields: {', '.join(unknown)}. Known: {', '.join(sorted(FIELDS))}."
        )
    name = given.get("id", str(place))
    most = given.get("max_tokens")
    if not isinstance(name, str | int) or not 0 < len(str(name)) <= LONGEST_ID:
        raise UnreadablePrompts(f"Line {number}: id must be a text of at most {LONGEST_ID} characters.")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise UnreadablePrompts(f"Line {number}: max_tokens must be a whole number above 0.")
    for field in ("system", "expected"):
        if not isinstance(given.get(field, ""), str):
            raise UnreadablePrompts(f"Line {number}: {field} must be a text.")
    return Prompt(
        id=str(name),
        messages=_messages(given, number),
        system=given.get("system") or None,
        max_tokens=most,
        expected=given.get("expected", ""),
    )


def _messages(given: Json, number: int) -> list[Json]:
    prompt, messages = given.get("prompt"), given.get("messages")
    if isinstance(prompt, str) and prompt.strip() and messages is None:
        return _said(prompt)
    whole = isinstance(messages, list) and all(_is_message(one) for one in messages)
    if prompt is None and messages and whole and messages[-1]["role"] == "user":
        return list(messages)
    raise UnreadablePrompts(
        f"Line {number} needs either prompt, a text, or messages, a list of {{role, content}} that ends "
        "with the user."
    )


def _is_message(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and one.get("role") in {"user", "assistant"}
        and (
            (isinstance(one.get("content"), str) and bool(one["content"].strip()))
            or (
                isinstance(one.get("content"), list)
                and bool(one["content"])
                and all(isinstance(block, dict) for block in one["content"])
            )
        )
    )


def _said(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]
