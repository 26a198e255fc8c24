"""Replaying a recorded stream: the message, or the error and what came before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from providers.replay import READERS, replay_file
from providers.sse import encode
from tests.providers.loopback import hello
from tests.providers.openai_answers import DONE, chunk, data


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


CHAT = [*data(chunk(content='He "type":"response.x" llo'), chunk("stop")), DONE]
RESPONSES = data(
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"},
    {"type": "response.completed", "response": {"status": "completed"}},
)


@pytest.mark.parametrize(
    ("provider", "pieces"),
    [
        ("openai-chat", CHAT),
        ("openai-responses", RESPONSES),
        ("azure", CHAT),
        ("azure", RESPONSES),
        ("copilot", CHAT),
        ("copilot", RESPONSES),
    ],
)
def test_a_recording_of_openais_wires_gives_its_message(
    tmp_path: Path, provider: str, pieces: list[bytes]
) -> None:
    path = tmp_path / "answer.sse"
    path.write_bytes(b"".join(pieces))
    message = replay_file(provider, path)["message"]
    assert message["content"][0]["text"].startswith("He")
    assert message["stop_reason"] == "end_turn"
    path.write_bytes(b"".join(pieces[:-2]))
    replayed = replay_file(provider, path)
    assert replayed["error"]["type"] == "interrupted_stream" or replayed["partial"] is None


@pytest.mark.parametrize("provider", ["azure", "copilot"])
def test_a_long_recording_is_read_as_what_it_begins_as(tmp_path: Path, provider: str) -> None:
    path = tmp_path / "answer.sse"
    path.write_bytes(b"".join([*data(*[chunk(content="x" * 1000)] * 200, chunk("stop")), DONE]))
    assert len(replay_file(provider, path)["message"]["content"][0]["text"]) == 200_000


def test_the_command_knows_every_kind_of_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answer.sse"
    path.write_bytes(b"".join(CHAT))
    for provider in ("openai-chat", "azure", "copilot"):
        call_command("replay", "--provider", provider, str(path))
        assert json.loads(capsys.readouterr().out)["message"]["stop_reason"] == "end_turn"
    with pytest.raises(CommandError):
        call_command("replay", "--provider", "nobody", str(path))
    assert set(READERS) == {"anthropic", "openai-chat", "openai-responses", "azure", "copilot"}
