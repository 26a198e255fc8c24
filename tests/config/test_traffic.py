"""Each request and socket has an id and one line in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from accounts.models import User
from tests.chat.conftest import owner as owner
from tests.chat.conftest import server as server
from tests.chat.conftest import sign_in as sign_in
from tests.chat.conftest import vendor as vendor
from tests.chat.conftest import visitor as visitor
from tests.live import LiveServer, Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


class Lines(logging.Handler):
    """The lines about traffic, probes included, as they come: some after the answer that they tell of."""

    def __init__(self) -> None:
        super().__init__()
        self._records: SimpleQueue[logging.LogRecord] = SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self._records.put(record)

    def next(self) -> dict[str, Any]:
        record = self._records.get(timeout=20)
        return {"text": record.getMessage(), "level": record.levelname, **getattr(record, "fields", {})}


@pytest.fixture
def logged() -> Iterator[Lines]:
    found, logger = Lines(), logging.getLogger("config.traffic")
    before = logger.level
    logger.addHandler(found)
    logger.setLevel(logging.DEBUG)
    yield found
    logger.setLevel(before)
    logger.removeHandler(found)


def test_a_request_is_one_line_with_its_route_and_without_its_query(visitor: Visitor, logged: Lines) -> None:
    assert visitor.http.get("/?question=secret").status_code == 200
    line = logged.next()
    assert (line["method"], line["route"], line["status"], line["level"]) == ("GET", "chat:new", 200, "INFO")
    assert line["bytes"] > 1000
    assert 0 < line["ms"] < 20_000
    assert "secret" not in str(line)


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [("/no/such/page", "none", 404), ("/static/css/door.css", "static", 200), ("/c/", "chat:start", 405)],
)
def test_every_answer_has_its_line_and_its_id(
    visitor: Visitor, logged: Lines, path: str, route: str, status: int
) -> None:
    answer = visitor.http.get(path, headers={"X-Request-Id": "abc-1"})
    assert answer.headers["X-Request-Id"] == "abc-1"
    line = logged.next()
    assert (line["route"], line["status"]) == (route, status)


def test_probes_are_lines_for_debugging_alone(server: LiveServer, visitor: Visitor, logged: Lines) -> None:
    visitor.http.get("/healthz")
    line = logged.next()
    assert (line["route"], line["level"]) == ("healthz", "DEBUG")


def test_a_socket_is_a_line_when_it_opens_and_one_when_it_closes(visitor: Visitor, logged: Lines) -> None:
    with visitor.listen() as page:
        assert page.socket.response is not None
        assert page.socket.response.headers["X-Request-Id"].isalnum()
        page.say(type="nonsense")
        page.hear_until("notice")
        page.socket.close()
    opened, closed = logged.next(), logged.next()
    assert opened["text"] == "Socket opened"
    assert closed["code"] == 4400
    assert closed["seconds"] >= 0


def test_a_refused_socket_is_a_line(server: LiveServer, owner: User, logged: Lines) -> None:
    with pytest.raises(InvalidStatus):
        connect(server.url.replace("http", "ws", 1) + "/ws/", proxy=None, origin="http://evil.example")  # type: ignore[arg-type]
    assert logged.next()["text"] == "Socket refused"
