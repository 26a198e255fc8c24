"""One embedded server for each data folder, and commands beside it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.config.conftest import Serve, Visit, stop
from tests.config.servers import free_port
from tests.live import PASSWORD, Visitor

START = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
}
EVENTS = [
    {"type": "message_start", "message": START | {"usage": {"input_tokens": 1, "output_tokens": 1}}},
    {"type": "message_stop"},
]


def test_a_second_server_on_the_folder_is_refused_with_what_to_do(serve: Serve) -> None:
    process = serve()
    second = process.manage("serve", "--port", "0", check=False)
    assert second.returncode == 1
    assert "Another Parley server (process " in second.stderr
    assert "PARLEY_DATA_DIR" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("reach", "has_owner"),
    [({"PARLEY_HOST": "0.0.0.0"}, False), ({"PARLEY_PUBLIC_URL": "https://chat.example.org"}, True)],  # noqa: S104
    ids=["by address, without an owner", "by name, with an owner"],
)
def test_a_server_that_others_can_reach_starts_and_makes_a_code_where_there_is_no_owner(
    serve: Serve, tmp_path: Path, reach: dict[str, str], has_owner: bool
) -> None:
    process = serve(start=False, **reach)
    if not has_owner:
        (process.folder / "parley.sqlite3").unlink()
    port = free_port()
    process.spawn("--port", str(port))
    while not is_ready(port):
        assert process.is_running(), (process.folder / "serve.log").read_text()
    assert (process.folder / "setup-code").exists() != has_owner
    stop(process)


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_commands_run_beside_a_server(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    process = serve()
    visit(process)
    made = process.manage("createuser", "--email", "ana@example.org", "--password", "-", stdin=PASSWORD)
    assert "Made the member ana@example.org." in made.stdout
    recorded = tmp_path / "recorded.sse"
    recorded.write_text("".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in EVENTS))
    replayed = process.manage("replay", "--provider", "anthropic", str(recorded))
    assert json.loads(replayed.stdout)["message"]["id"] == "msg_1"
    process.manage("migrate")
    visitor = Visitor(process.url)
    with visitor.http:
        assert visitor.sign_in("ana@example.org").http.get("/").status_code == 200


def test_the_folder_is_free_again_when_its_server_was_killed(serve: Serve) -> None:
    process = serve()
    process.kill()
    process.start()
