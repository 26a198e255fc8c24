"""What an operator can switch on to see calls: the log of their shapes, and spans for a collector."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.config.conftest import Serve
from tests.live import ROOT

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

CANARY = "Canary-of-a-prompt-90c2"
KEY = "sk-ant-canary-0123456789"
OBSERVED = {"PARLEY_LOG_WIRE": "1", "PARLEY_OTEL": "1", "ANTHROPIC_API_KEY": KEY}


class Collector:
    """Takes what an exporter sends, as bytes."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_call_is_logged_as_a_shape_and_sent_as_a_span_both_without_content(
    serve: Serve, collector: Collector, tmp_path: Path
) -> None:
    process = serve(start=False, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **OBSERVED)
    file = tmp_path / "prompts.jsonl"
    prompt = f'{CANARY}\n[[simulate {{"text": "{CANARY}", "deltas": 2}}]]'
    file.write_text(json.dumps({"prompt": prompt, "system": CANARY}))
    done = process.manage(
        "benchmark", "--models", "anthropic/claude-sonnet-5-5", "--prompts", str(file),
        "--out", str(tmp_path / "report"), "--yes",
    )  # fmt: skip
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    wire = [line["message"] for line in logged if line["logger"] == "providers.wirelog"]
    assert "Wire: POST 127.0.0.1/v1/messages sent: <" in wire[1]
    assert "Wire: POST 127.0.0.1/v1/messages 200: head " in wire[2]
    sent = b"".join(body for path, body in collector.received if path == "/v1/traces")
    for name in (
        b"chat claude-sonnet-5-5",
        b"gen_ai.request.model",
        b"gen_ai.usage.output_tokens",
        b"parley",
    ):
        assert name in sent
    everything = "".join(wire) + sent.decode("latin-1")
    assert "Canary" not in everything
    assert KEY not in everything + done.stderr


def test_without_the_packages_the_start_says_what_is_missing(serve: Serve) -> None:
    process = serve(start=False, **OBSERVED)
    without = "import sys; sys.modules['opentelemetry.sdk.trace'] = None; import django; django.setup()"
    refused = subprocess.run(
        [sys.executable, "-c", without],
        cwd=ROOT,
        env=process._environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode != 0
    assert "PARLEY_OTEL is on, but opentelemetry.sdk.trace is missing: pip install opentelemetry-sdk" in (
        refused.stderr
    )


def test_the_token_of_the_environment_opens_the_metrics(serve: Serve) -> None:
    process = serve(PARLEY_METRICS_TOKEN="a-token-for-prometheus")
    with httpx.Client(base_url=process.url, trust_env=False) as http:
        assert http.get("/metrics").status_code == 401
        shown = http.get("/metrics", headers={"Authorization": "Bearer a-token-for-prometheus"})
    assert shown.status_code == 200
    assert "parley_sockets 0.0" in shown.text
    assert "parley_process_resident_memory_bytes" in shown.text
