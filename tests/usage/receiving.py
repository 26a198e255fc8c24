"""A receiver of webhooks on a loopback port, that keeps what came and answers as it is told; and the check of
a signature as the specification of Standard Webhooks describes it, written apart from the product.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from providers import addresses


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`answers` are given one after the other, the last for ever: a status, or the bytes of a whole answer.
    `on_post` is called before each answer.
    """

    port: int = 0
    answers: list[int | bytes] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    on_post: Callable[[], None] = lambda: None
    lock: Lock = field(default_factory=Lock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hooks/T0P-5ECRET-PATH"


@contextmanager
def receiver(*, listed: bool = True) -> Iterator[Receiver]:
    """`listed`: the operator lets its address be called."""
    mine = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with mine.lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                mine.posts.append(Post(self.path, headers, body))
                answer = mine.answers.pop(0) if len(mine.answers) > 1 else mine.answers[0]
            mine.on_post()
            if isinstance(answer, bytes):
                self.wfile.write(answer)
                return
            self.send_response(answer)
            for name, value in mine.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: what came is kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mine.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    addresses.allow(addresses.private_hosts([mine.host] if listed else []))
    try:
        yield mine
    finally:
        addresses.allow(())
        server.shutdown()
        thread.join()
        server.server_close()


def verified(post: Post, secret: str, *, now: float) -> bool:
    """Whether a receiver that follows the specification takes it."""
    kind, _, encoded = secret.partition("_")
    assert kind == "whsec"
    key = base64.b64decode(encoded)
    assert 24 <= len(key) <= 64
    message, moment = post.headers["webhook-id"], post.headers["webhook-timestamp"]
    assert "." not in message
    if abs(now - int(moment)) > 5 * 60:
        return False
    signed = message.encode() + b"." + moment.encode() + b"." + post.body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [word.split(",", 1) for word in post.headers["webhook-signature"].split(" ")]
    return any(hmac.compare_digest(word, wanted) for version, word in given if version == "v1")
