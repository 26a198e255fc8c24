"""Recorded answers of model providers, kept outside the repository: PARLEY_CORPUS, default ../shared/corpus.

Tests that need them skip where the folder is absent. Use the mark `needs_corpus`, or `recordings(...)` as the
values of a parametrize, which is then empty (pytest skips such a test by itself).
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("PARLEY_CORPUS") or ROOT.parent / "shared" / "corpus").resolve()
# The providers whose recordings are on one of OpenAI's two wires.
OPENAI_WIRE = ("openai-chat", "openai-responses", "azure", "copilot")

needs_corpus = pytest.mark.skipif(
    not (CORPUS / "index.json").is_file(), reason="the recorded streams are not here: see PARLEY_CORPUS"
)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded answer and what the vendor's own SDK made of it."""

    name: str
    facts: dict[str, Any]  # its row in index.json

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return CORPUS / f"{self.name}.sse"

    @property
    def provider(self) -> str:
        return str(self.facts["provider"])

    @property
    def api(self) -> str:
        """The wire: messages, chat or responses."""
        return str(self.facts["api"])

    @property
    def read_by_sdk(self) -> bool:
        """Whether the SDK accepted the stream; then `expected()` is the whole message."""
        return bool((self.facts.get("sdk") or {}).get("ok"))

    def bytes(self) -> bytes:
        return self.path.read_bytes()

    def expected(self) -> dict[str, Any]:
        """The accumulated message, or {"sdk_error": …, "partial": …} where the SDK refused."""
        return self._json("expected")

    def request(self) -> dict[str, Any] | None:
        """The body that was answered, where the source keeps it."""
        return self._json("request") if (CORPUS / f"{self.name}.request.json").is_file() else None

    def response(self) -> dict[str, Any]:
        """The body of an answer that was not streamed."""
        return self._json("response")

    def error(self) -> dict[str, Any]:
        """A refusal: {"status", "headers", "body"}."""
        return self._json("error")

    def _json(self, part: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((CORPUS / f"{self.name}.{part}.json").read_text("utf-8"))
        return value


def recordings(*providers: str, kind: str = "stream") -> list[Recording]:
    """Every recording of these providers of one kind (stream, response, error), by name."""
    index = CORPUS / "index.json"
    rows = json.loads(index.read_text("utf-8")) if index.is_file() else []
    wanted = [row for row in rows if row["provider"] in providers and row["kind"] == kind]
    return [Recording(row["name"], row) for row in sorted(wanted, key=lambda row: str(row["name"]))]


def anthropic_streams() -> list[Recording]:
    """Every recorded stream of Anthropic's Messages API, by name; empty where the folder is absent."""
    return recordings("anthropic")
