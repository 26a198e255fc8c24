"""Recordings are sent again exactly as they are."""

from pathlib import Path
from typing import Any

import pytest

from providers.simulator import Simulator, recordings
from tests.corpus import CORPUS, anthropic_streams, needs_corpus
from tests.simulator.conftest import Caller, Serve, directive

RECORDING = (
    b'event: message_start\r\ndata: {"type":"message_start"}\r\n\r\n'
    b': a comment\n\nevent: ping\rdata: {"type": "ping"}\r\r'
    b'event: message_stop\ndata: {"type":"message_stop"   }\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "recordings"
    home.mkdir()
    (home / "first.sse").write_bytes(RECORDING)
    (home / "with space.sse").write_bytes(b"data: spaced\n\n")
    (home / "notes.txt").write_bytes(b"not a recording")
    (tmp_path / "secret.sse").write_bytes(b"data: secret\n\n")
    (home / "link.sse").symlink_to(tmp_path / "secret.sse")
    return home


@pytest.fixture
async def replaying(serve: Serve, folder: Path) -> Caller:
    return await serve(replay=folder)


async def test_a_model_id_is_the_stem_of_a_file(replaying: Caller) -> None:
    wire = await replaying.wire("Any question", model="first")
    assert wire.body == RECORDING and wire.ended


@pytest.mark.parametrize("model", ["parley-demo", "claude-sonnet-5-5"])
@pytest.mark.parametrize(
    "text", ["first", " first\n", "replay: first", "Hello\nReplay:  first \nplease", "replay:first"]
)
async def test_a_prompt_can_name_the_file(replaying: Caller, model: str, text: str) -> None:
    assert (await replaying.wire(text, model=model)).body == RECORDING


async def test_a_stem_may_hold_spaces(replaying: Caller) -> None:
    assert (await replaying.wire("replay: with space")).body == b"data: spaced\n\n"


@pytest.mark.parametrize(
    "stem", ["../secret", "secret", "link", "notes", "/etc/passwd", "first.sse", "FIRST", "..", "%2e"]
)
async def test_no_other_file_can_be_reached(replaying: Caller, stem: str) -> None:
    named = await replaying.ask(f"replay: {stem}")
    assert named.status_code == 404 and named.json()["error"]["type"] == "not_found_error"
    assert (await replaying.ask("x", model=stem)).status_code == 404


async def test_recordings_are_listed_as_models(replaying: Caller) -> None:
    listed = (await replaying.http.get("/v1/models")).json()["data"]
    names = {model["id"]: model["display_name"] for model in listed}
    assert names["first"] == "first" and "link" not in names and "secret" not in names


async def test_a_recording_can_only_be_streamed(replaying: Caller) -> None:
    assert (await replaying.ask("first", stream=False)).status_code == 400


async def test_titles_are_made_while_recordings_are_played(replaying: Caller) -> None:
    message = await replaying.whole("replay: first", system="Write a title.")
    assert message["content"][0]["text"] == "Replay: first"


def test_frames_end_at_blank_lines_and_join_to_the_file() -> None:
    frames = list(recordings.frames(RECORDING))
    assert [frame[-4:] for frame in frames[:1]] == [b"\r\n\r\n"]
    assert len(frames) == 4 and b"".join(frames) == RECORDING


async def test_a_rate_holds_the_frames_apart(serve: Serve, folder: Path) -> None:
    caller = await serve(replay=folder, rate=50)
    answer = await caller.ask("first")
    assert answer.content == RECORDING
    assert answer.elapsed.total_seconds() >= 3 / 50


async def test_random_cuts_change_no_byte(serve: Serve, folder: Path) -> None:
    caller = await serve(replay=folder, random_cuts=7)
    assert (await caller.wire("first")).body == RECORDING
    assert caller.server.app.counters.counts["writes"] > 4


async def test_a_directive_can_break_a_recording(serve: Serve, folder: Path) -> None:
    caller = await serve(replay=folder, scripted=True)
    wire = await caller.wire(directive(replay="first", cut_after=2))
    assert not wire.ended and wire.body == b"".join(list(recordings.frames(RECORDING))[:2])
    assert (await caller.ask(directive(replay="../secret"))).status_code == 404


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Simulator(replay=tmp_path / "nowhere")


@needs_corpus
async def test_every_recorded_stream_comes_back_byte_by_byte(serve: Serve) -> None:
    caller = await serve(replay=CORPUS)
    for recording in anthropic_streams():
        answer = await caller.ask("Hello", model=recording.name)
        assert answer.content == recording.bytes(), recording.name


@pytest.mark.parametrize(
    ("path", "body", "recording"),
    [
        (
            "/openai/v1/chat/completions",
            {"messages": [{"role": "user", "content": "Hello"}]},
            b'data: {"id":"c1","choices":[]}\r\n\r\ndata: [DONE]\n\n',
        ),
        (
            "/openai/v1/responses",
            {"input": "replay: kept"},
            b'event: response.created\ndata: {"type":"x"}\n\n',
        ),
    ],
)
async def test_recordings_are_played_on_every_wire(
    serve: Serve, tmp_path: Path, path: str, body: dict[str, Any], recording: bytes
) -> None:
    (tmp_path / "kept.sse").write_bytes(recording)
    caller = await serve(replay=tmp_path, random_cuts=3)
    answer = await caller.http.post(path, json=body | {"model": "kept", "stream": True})
    assert answer.status_code == 200, answer.text
    assert answer.content == recording
    refused = await caller.http.post(path, json=body | {"model": "kept"})
    assert (refused.status_code, "message" in refused.json()["error"]) == (400, True)
