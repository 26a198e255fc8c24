"""A real server of ours for tests: in a thread of this process, or as the process that people start.

LiveServer    config.asgi on uvicorn, on a free port, sharing the test's database
Process       `manage.py serve` with a data folder of its own; can be killed and started again
Visitor       a person without a browser: signs in, posts, listens on the socket
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from websockets.sync.client import ClientConnection, connect

from config.server import DrainingServer, configuration

ROOT = Path(__file__).resolve().parent.parent
VENDORS = ("ANTHROPIC_", "OPENAI_", "AZURE_OPENAI_", "COPILOT_", "SALESFORCE_")  # of their variables
PASSWORD = "correct horse battery"


class LiveServer:
    """Serves the application to the test's own database; `with LiveServer() as server: server.url`."""

    def __init__(self) -> None:
        config = configuration("127.0.0.1", 0)
        self._ready = threading.Event()
        self._server = DrainingServer(config, grace=0, ready=self._ready.set)
        self._socket = config.bind_socket()
        self.port = self._socket.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        self._thread = threading.Thread(target=self._serve, name="live-server", daemon=True)

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> LiveServer:
        self._thread.start()
        assert self._ready.wait(20), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server did not stop"


class Process:
    """`manage.py serve` as people run it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PARLEY_", *VENDORS))
            },
            "DJANGO_SETTINGS_MODULE": "tests.process_settings",
            "PARLEY_DATA_DIR": str(folder),
            **environment,
        }
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def manage(
        self, *arguments: str, check: bool = True, stdin: str = "", seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=check,
            timeout=seconds,
        )

    def spawn(self, *options: str) -> None:
        """Starts the process; does not wait until it serves."""
        with (self.folder / "serve.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", "0", *options],
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def start(self, *options: str) -> None:
        self.spawn(*options)
        self.greeted()

    def greeted(self) -> None:
        """Waits until it says that it serves."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"http://\S+:(\d+)/", line):
                self.url = f"http://localhost:{found[1]}"
                return
        raise AssertionError((self.folder / "serve.log").read_text())

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Waits for the end of the process; returns its code."""
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(60)
        self._process.stdout.close()
        self._process = None
        return code

    def end(self) -> None:
        """Kills the process if there is one."""
        if self._process is not None:
            self.kill()

    @contextmanager
    def running(self) -> Iterator[Process]:
        self.start()
        try:
            yield self
        finally:
            self.end()


@dataclass
class Turn:
    """One turn as the page's markup carries it."""

    id: str
    role: str
    status: str
    run: str
    seq: int
    payload: Any
    markup: str

    @property
    def blocks(self) -> list[dict[str, Any]]:
        if "state" in self.payload:
            return list(self.payload["state"]["message"].get("content", []))
        return list(self.payload.get("blocks", []))

    @property
    def text(self) -> str:
        if self.role == "user":
            return str(self.payload)
        return "".join(block.get("text", "") for block in self.blocks if block.get("type") == "text")


def turns_in(markup: str) -> list[Turn]:
    found = []
    for article in re.findall(r"<article\b.*?</article>", markup, re.S):
        head = re.match(r"<article\b[^>]*>", article)[0]  # type: ignore[index]
        view = re.search(r"<answer-view\b[^>]*>", article)
        script = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', article, re.S)
        assert script is not None, article
        found.append(
            Turn(
                id=_attribute(head, "id").removeprefix("turn-"),
                role=_attribute(head, "data-role"),
                status=_attribute(head, "data-status"),
                run=_attribute(view[0], "run") if view else "",
                seq=int(_attribute(view[0], "seq") or 0) if view else 0,
                payload=json.loads(html.unescape(script[1]) if "&quot;" in script[1] else script[1]),
                markup=article,
            )
        )
    return found


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


class Visitor:
    """A signed-in person with an HTTP client; `listen` opens the page's socket."""

    def __init__(self, url: str, *, session: str = "") -> None:
        """`session` is the key of a session that exists; without it, `sign_in` by the form."""
        self.url = url
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=30, trust_env=False)
        self.http.cookies.set("parley_csrf", "c" * 32, domain="localhost.local")
        if session:
            self.http.cookies.set("parley_session", session, domain="localhost.local")

    def sign_in(self, email: str = "owner@example.org", password: str = PASSWORD) -> Visitor:
        answer = self.post("/login/", login=email, password=password)
        assert "parley_session" in self.http.cookies, answer.text[:2000]
        return self

    def post(self, path: str, **fields: Any) -> httpx.Response:
        return self.http.post(path, data=fields, headers={"X-CSRFToken": self.http.cookies["parley_csrf"]})

    def start(self, text: str, model: str = "demo/parley-demo", **fields: Any) -> tuple[str, list[Turn]]:
        """Begins a conversation; returns its id and its turns."""
        answer = self.post("/c/", text=text, model=model, client_id=str(uuid4()), **fields)
        assert answer.status_code == 200, answer.text[:2000]
        return answer.headers["HX-Push-Url"].strip("/").split("/")[-1], turns_in(answer.text)

    def send(
        self, conversation: str, text: str, model: str = "demo/parley-demo", **fields: Any
    ) -> httpx.Response:
        fields.setdefault("client_id", str(uuid4()))
        return self.post(f"/c/{conversation}/messages/", text=text, model=model, **fields)

    def turns(self, conversation: str) -> list[Turn]:
        return turns_in(self.http.get(f"/c/{conversation}/turns/").raise_for_status().text)

    def page(self, conversation: str) -> str:
        return self.http.get(f"/c/{conversation}/").raise_for_status().text

    @contextmanager
    def listen(
        self, conversation: str | None = None, after: dict[str, int] | None = None
    ) -> Iterator[Listener]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        with connect(
            self.url.replace("http", "ws", 1) + "/ws/",
            origin=self.url,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookies},
            compression=None,
            max_size=None,
            proxy=None,
        ) as socket:
            listener = Listener(socket)
            if conversation is not None:
                listener.say(type="follow", conversation=conversation, after=after or {})
            yield listener


class Listener:
    """The page's end of the socket; it checks the numbers of what it hears."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.numbers: dict[str, int] = {}
        self.events: list[dict[str, Any]] = []

    def say(self, **command: Any) -> None:
        self.socket.send(json.dumps(command))

    def hear(self, seconds: float = 20) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout=seconds))
        if frame["type"] == "events":
            run = frame["run"]
            assert frame["after"] == self.numbers.get(run, frame["after"]), f"a gap: {frame}"
            self.numbers[run] = frame["seq"]
            self.events += frame["events"]
        return frame

    def hear_until(self, kind: str, seconds: float = 20, **fields: Any) -> dict[str, Any]:
        while True:
            frame = self.hear(seconds)
            if frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items()):
                return frame

    @property
    def text(self) -> str:
        """All text that was shown."""
        return "".join(
            event["delta"].get("text", "") for event in self.events if event["type"] == "content_block_delta"
        )
