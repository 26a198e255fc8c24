"""`manage.py benchmark` as people run it: beside a server, at a terminal's Ctrl+C, without a key."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from providers.simulator.server import ThreadServer
from tests.config.conftest import Serve
from tests.live import ROOT, Process

CLAUDE = "anthropic/claude-sonnet-5-5"
FINE = 'Hello.\n[[simulate {"text": "Fine."}]]'
ENDLESS = 'Hello.\n[[simulate {"deltas": -1, "rate": 50}]]'


def asked(folder: Path, *prompts: str) -> Path:
    file = folder / "prompts.jsonl"
    file.write_text("".join(f"{json.dumps({'prompt': one})}\n" for one in prompts))
    return file


def ledger(process: Process) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(process.folder / "parley.sqlite3")) as database:
        return list(
            database.execute(
                "SELECT purpose, outcome, cost_nano FROM usage_ledgerline ORDER BY id"
            ).fetchall()
        )


def test_it_runs_beside_a_server_on_sqlite(serve: Serve, tmp_path: Path) -> None:
    process = serve()
    file, out = asked(tmp_path, *[FINE] * 6), tmp_path / "report"
    done = process.manage(
        "benchmark", "--models", CLAUDE, "--prompts", str(file), "--out", str(out), "--yes"
    )  # fmt: skip
    assert "6 calls to 1 model" in done.stdout
    assert f"Report: {out / 'report.md'}" in done.stdout
    assert "6/6 anthropic/claude-sonnet-5-5" in done.stderr
    assert [(purpose, outcome) for purpose, outcome, _cost in ledger(process)] == [
        ("benchmark", "completed")
    ] * 6
    with httpx.Client(base_url=process.url, trust_env=False) as http:
        assert http.get("/readyz").status_code == 200


def test_the_demo_needs_no_key(serve: Serve, tmp_path: Path) -> None:
    process = serve(start=False, ANTHROPIC_API_KEY="", ANTHROPIC_BASE_URL="")
    file, out = asked(tmp_path, "Hello."), tmp_path / "report"
    done = process.manage(
        "benchmark", "--models", "demo/parley-demo", "--prompts", str(file), "--out", str(out), "--yes"
    )
    assert "at most $0.000000" in done.stdout
    assert "1 of 1" in (out / "report.md").read_text()


def test_ctrl_c_settles_what_runs_and_writes_what_there_is(
    serve: Serve, vendor: ThreadServer, tmp_path: Path
) -> None:
    process = serve(start=False)
    file, out = asked(tmp_path, FINE, ENDLESS, ENDLESS, FINE), tmp_path / "report"
    command = [sys.executable, "manage.py", "benchmark", "--models", CLAUDE, "--prompts", str(file)]
    running = subprocess.Popen(
        [*command, "--out", str(out), "--yes", "--concurrency", "2"],
        cwd=ROOT,
        env=process._environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever started the tests in the background may have had SIGINT ignored, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        waited = httpx.get(
            f"{vendor.base_url}/_simulator/stats?wait=streams_open:2&timeout=50", timeout=60, trust_env=False
        )
        assert waited.status_code == 200
        running.send_signal(signal.SIGINT)
        shown, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, said
    assert "Stopped. What was under way is settled" in said
    assert "Traceback" not in said
    assert "Report: " in shown
    rows = list(csv.DictReader((out / "calls.csv").read_text().splitlines()))
    assert sorted(row["outcome"] for row in rows) == ["completed", "stopped", "stopped"]
    assert "Stopped before its end: 3 of 4 calls." in (out / "report.md").read_text()
    written = ledger(process)
    assert sorted(outcome for _purpose, outcome, _cost in written) == ["completed", "stopped", "stopped"]
    assert all(cost > 0 for _purpose, _outcome, cost in written)
    assert sum(int(row["cost_nano"]) for row in rows) == sum(cost for _purpose, _outcome, cost in written)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--runs", "0"),
        ("--concurrency", "x"),
        ("--max-cost", "-1"),
        ("--max-cost", "NaN"),
        ("--max-tokens", "1.5"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_by_name(
    serve: Serve, tmp_path: Path, option: str, value: str
) -> None:
    process = serve(start=False)
    done = process.manage(
        "benchmark",
        "--models",
        CLAUDE,
        "--prompts",
        str(asked(tmp_path, "Hi")),
        f"{option}={value}",
        check=False,
    )
    assert done.returncode == 2
    assert f"argument {option}: must be" in done.stderr
