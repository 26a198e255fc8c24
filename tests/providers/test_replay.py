"""Replaying a recorded stream: the message, or the error and what came before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.replay import replay_file
from providers.sse import encode
from tests.providers.loopback import hello


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "answer.sse"
    path.write_bytes(b"".join(encode(event) for event in hello()))
    return path


def test_a_whole_recording_gives_its_message(recording: Path) -> None:
    replayed = replay_file("anthropic", str(recording))
    assert replayed["file"] == str(recording)
    assert replayed["message"]["content"] == [{"type": "text", "text": "Hello, you"}]
    assert replayed["message"]["usage"] == {"input_tokens": 3, "output_tokens": 9}
    assert set(replayed) == {"file", "message"}


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (b"", "interrupted_stream"),
        (b"data: no json\n\n", "protocol_error"),
        (b'data: {"type":"content_block_stop","index":9}\n\n', "protocol_error"),
        (
            b'data: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
            "overloaded_error",
        ),
    ],
)
def test_a_recording_that_fails_gives_the_error_and_what_came_before(
    recording: Path, tail: bytes, kind: str
) -> None:
    recording.write_bytes(b"".join(encode(event) for event in hello()[:4]) + tail)
    replayed = replay_file("anthropic", recording)
    assert replayed["error"]["type"] == kind
    assert replayed["partial"]["content"] == [{"type": "text", "text": "Hello, you"}]
    assert set(replayed) == {"file", "error", "partial"}


def test_an_empty_file_has_nothing_to_show(tmp_path: Path) -> None:
    empty = tmp_path / "empty.sse"
    empty.touch()
    assert replay_file("anthropic", empty)["partial"] is None


def test_a_provider_without_recordings_is_a_key_error(recording: Path) -> None:
    with pytest.raises(KeyError):
        replay_file("nobody", recording)
