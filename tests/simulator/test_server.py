"""Serving: in a running loop, in a thread, and as a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from providers.simulator import Simulator
from providers.simulator.doors import BASE_URLS
from providers.simulator.server import Server, ThreadServer
from tests.simulator.conftest import VERSION, Caller, directive

ROOT = Path(__file__).resolve().parents[2]


async def test_a_server_in_the_loop_leaves_signals_alone_and_frees_its_port() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    server = Server()
    url = await server.start()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/v1/models")).status_code == 200
    await server.stop()
    again = Server()
    assert await again.start(port=int(url.rpartition(":")[2])) == url
    await again.stop()


async def test_stopping_ends_streams_that_would_never_end() -> None:
    server = Server(Simulator(scripted=True))
    async with httpx.AsyncClient(base_url=await server.start(), headers=VERSION) as http:
        caller = Caller(server, http)
        for prompt in (directive(deltas=-1, rate=20), directive(hang_after=1), directive(header_delay=600)):
            body = caller.body(prompt)
            request = asyncio.create_task(http.post("/v1/messages", json=body))
            request.add_done_callback(lambda task: task.exception())
        await server.app.counters.reached("requests", 3)
        waiting = asyncio.create_task(http.get("/_simulator/stats?wait=never:1&timeout=60"))
        waiting.add_done_callback(lambda task: task.exception())
        await server.app.counters.reached("connections", 4)
        async with asyncio.timeout(5):
            await server.stop()
    assert server.app.counters.counts["streams_open"] == 0
    assert server.app.counters.counts["connections_open"] == 0


async def test_stopping_twice_or_without_a_start_is_harmless() -> None:
    server = Server()
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()


async def test_a_port_in_use_is_an_error() -> None:
    server = Server()
    url = await server.start()
    with pytest.raises(OSError, match="in use"):
        await Server().start(port=int(url.rpartition(":")[2]))
    await server.stop()


def test_a_server_in_a_thread_serves_callers_without_a_loop() -> None:
    with ThreadServer(Simulator(demo_rate=0)) as server:
        body = {"model": "parley-demo", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
        answer = httpx.post(f"{server.base_url}/v1/messages", json=body, headers=VERSION)
        assert answer.status_code == 200 and answer.json()["role"] == "assistant"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.base_url}/v1/models")


def test_a_thread_that_cannot_listen_says_so() -> None:
    with ThreadServer() as server, pytest.raises(OSError, match="in use"):
        ThreadServer(port=int(server.base_url.rpartition(":")[2])).__enter__()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_prints_its_address_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "providers.simulator", "--scripted", "--demo-rate", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().removeprefix("Simulator: ").strip()
        told = [process.stdout.readline().strip() for _ in BASE_URLS]
        assert f"OpenAI: {url}/openai/v1" in told and f"Anthropic: {url}" in told
        try:
            body = {
                "model": "sim?hang_after=1",
                "max_tokens": 50,
                "messages": [{"role": "user", "content": "Hello"}],
                "stream": True,
            }
            with httpx.stream("POST", f"{url}/v1/messages", json=body, headers=VERSION) as answer:
                assert answer.status_code == 200
                process.send_signal(number)
                assert process.wait(timeout=10) == 0
        finally:
            process.kill()
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--replay", "nowhere"], "nowhere"), (["--key", "no-organisation"], "--key")]
)
def test_the_process_says_why_it_cannot_start(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "providers.simulator", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2 and words in result.stderr


def test_the_management_command_serves_recordings(tmp_path: Path) -> None:
    (tmp_path / "short.sse").write_bytes(b"data: x\n\n")
    command = [
        sys.executable,
        "manage.py",
        "simulate",
        "--port",
        "0",
        "--replay",
        str(tmp_path),
        "--rate",
        "100",
    ]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().removeprefix("Simulator: ").strip()
            names = [model["id"] for model in httpx.get(f"{url}/v1/models").json()["data"]]
            assert "short" in names
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
