"""A server that is told to stop, and what becomes of the answers in it."""

from __future__ import annotations

import json
import signal

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.config.conftest import Serve, Visit, lines
from tests.live import Listener, Process

ENDLESS = '[[simulate {"deltas": -1, "rate": 50}]]'


def code_of_the_end(page: Listener) -> int | None:
    """Hears to the end; returns with which code the server closed."""
    try:
        while True:
            page.hear()
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd is not None else None


def told_to_stop(process: Process, page: Listener) -> httpx.Response:
    """Sends the signal; returns the probe's first answer that says so."""
    process.signal(signal.SIGTERM)
    with httpx.Client(base_url=process.url, trust_env=False) as http:
        while (answer := http.get("/readyz")).status_code == 200:
            page.hear()
    return answer


def test_probes_change_at_once_and_connections_are_sent_elsewhere(
    serve: Serve, visit: Visit, vendor: ThreadServer
) -> None:
    process = serve()
    visitor = visit(process)
    gated = '[[simulate {"deltas": 4, "gates": {"end": 3}}]]'
    conversation, (_question, answer) = visitor.start(gated, CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear_until("events")
        said = told_to_stop(process, page)
        assert (said.status_code, said.json()) == (503, {"status": "draining"})
        assert said.headers["Retry-After"] == "1"
        assert said.headers["Connection"] == "close"
        assert visitor.http.get("/healthz").json() == {"status": "alive"}
        reading = visitor.http.get(f"/c/{conversation}/")
        assert (reading.status_code, reading.headers["Connection"]) == (200, "close")
        httpx.post(f"{vendor.base_url}/_simulator/gates/end", trust_env=False).raise_for_status()
        assert page.hear_until("finished")["status"] == "completed"
        assert code_of_the_end(page) == 1012
    assert process.wait() == 0


def test_what_outlasts_the_grace_is_kept_and_shown_as_interrupted_before_the_socket_closes(
    serve: Serve, visit: Visit
) -> None:
    process = serve(PARLEY_DRAIN_SECONDS="0")
    visitor = visit(process)
    conversation, (_question, answer) = visitor.start(ENDLESS, CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear_until("events")
        process.signal(signal.SIGTERM)
        assert page.hear_until("finished")["status"] == "interrupted"
        assert code_of_the_end(page) == 1012
    assert process.wait() == 0
    shown = page.text
    process.start()
    turn = visit(process).turns(conversation)[-1]
    assert turn.status == "interrupted"
    assert turn.text == shown
    assert "/continue/" in turn.markup


def test_a_second_signal_closes_at_once_and_loses_nothing(serve: Serve, visit: Visit) -> None:
    process = serve(PARLEY_DRAIN_SECONDS="3600")
    visitor = visit(process)
    conversation, (_question, answer) = visitor.start(ENDLESS, CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear_until("events")
        told_to_stop(process, page)
        process.signal(signal.SIGTERM)
        assert code_of_the_end(page) == 1012
    assert process.wait() == 0
    shown = page.text
    process.start()
    turn = visit(process).turns(conversation)[-1]
    assert turn.status == "interrupted"
    assert turn.text.startswith(shown)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_answers_it_ends_at_once(serve: Serve, visit: Visit, number: signal.Signals) -> None:
    process = serve(PARLEY_DRAIN_SECONDS="3600")
    with visit(process).listen() as page:
        process.signal(number)
        assert code_of_the_end(page) == 1012
    assert process.wait() == 0
    assert not [line for line in lines(process) if "traceback" in line]
    (said,) = [line for line in lines(process) if line["message"].startswith("Draining")]
    assert "request_id" not in said


def test_a_signal_before_it_serves_ends_it_without_a_fuss(serve: Serve) -> None:
    process = serve(start=False)
    lock = process.folder / "serve.lock"
    process.spawn()
    while not lock.exists() or not lock.read_text():
        pass
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert not [
        line for line in (process.folder / "serve.log").read_text().splitlines() if "Traceback" in line
    ]
    process.start()  # nothing is left that stands in the way
    assert json.loads(httpx.get(f"{process.url}/readyz", trust_env=False).text) == {"status": "ready"}
