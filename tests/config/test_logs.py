"""What the log says, and what it never says."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from chat import context as chat_context
from config import logs
from config.context import Seen, current
from providers.access import Secret
from tests.chat.conftest import CLAUDE
from tests.config.conftest import Serve, Visit, lines, stop
from tests.live import PASSWORD, Process, Visitor
from usage import context as usage_context

CANARY_TEXT = "canary of a message 5f1c"
CANARY_KEY = "sk-ant-canary-0123456789"


def written(
    form: logging.Formatter, message: str, *values: object, error: BaseException | None = None
) -> str:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("chat.somewhere", logging.WARNING, __file__, 1, message, values, exc_info)
    return form.format(record)


def as_json(message: str, *values: object, error: BaseException | None = None) -> dict[str, Any]:
    line = written(logs.Json("host:1"), message, *values, error=error)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as found:
        return found


def requests(process: Process, route: str) -> list[dict[str, Any]]:
    return [line for line in lines(process) if line.get("route") == route]


def test_a_served_conversation_leaves_lines_with_ids_and_no_content_even_at_debug(
    serve: Serve, visit: Visit
) -> None:
    process = serve(ANTHROPIC_API_KEY=CANARY_KEY, PARLEY_LOG_LEVEL="DEBUG", PARLEY_DEBUG="1")
    visitor = visit(process)
    conversation, (_question, answer) = visitor.start(
        f'{CANARY_TEXT}\n[[simulate {{"text": "{CANARY_TEXT}", "deltas": 3}}]]', CLAUDE
    )
    with visitor.listen(conversation, {answer.run: 0}) as page:
        page.hear_until("finished")
    assert visitor.http.get(f"/?search={CANARY_TEXT}").status_code == 200
    assert visitor.http.get(f"/password/reset/link/abc-{CANARY_TEXT}/").status_code == 200
    visitor.http.get("/healthz")
    stop(process)
    logged = (process.folder / "serve.log").read_text()
    for canary in (CANARY_TEXT, CANARY_TEXT.replace(" ", "%20"), CANARY_KEY, PASSWORD):
        assert canary not in logged
    for line in lines(process):
        assert line["time"].endswith("Z")
        assert datetime.fromisoformat(line["time"])
        assert {"level", "logger", "message", "process"} <= line.keys()
    (sent,) = requests(process, "chat:start")
    assert (sent["method"], sent["status"]) == ("POST", 200)
    assert sent["bytes"] > 0
    assert sent["ms"] > 0
    assert {"request_id", "user_id"} <= sent.keys()
    (signed_in,) = requests(process, "account_login")
    assert signed_in["user_id"] == sent["user_id"]
    assert requests(process, "healthz")[-1]["level"] == "DEBUG"
    assert requests(process, "account_reset_password_from_key")[0]["status"] == 200
    assert any(line["message"] == "Socket opened" for line in lines(process))


def test_a_failure_in_a_request_is_logged_with_its_id_and_traceback(serve: Serve, visit: Visit) -> None:
    process = serve()
    visitor = visit(process)
    with closing(sqlite3.connect(process.folder / "parley.sqlite3")) as database:
        database.execute("ALTER TABLE chat_conversation RENAME TO elsewhere")
    answer = visitor.http.get("/", headers={"X-Request-Id": "the-one"})
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] == "the-one"
    (failed,) = [
        line for line in lines(process) if "traceback" in line and line["logger"] == "django.request"
    ]
    assert failed["request_id"] == "the-one"
    assert failed["user_id"]
    assert failed["exception"] == "django.db.utils.OperationalError"
    assert "no such table" in failed["traceback"]


@pytest.mark.parametrize("given", ["a" * 65, "", "x y", "two\tparts", "ümlaut", "a,b", '{"x":1}'])
def test_a_callers_id_that_is_none_is_replaced(serve_once: Process, given: str) -> None:
    with Visitor(serve_once.url).http as http:
        answer = http.get("/login/", headers=[(b"X-Request-Id", given.encode("latin-1"))])
        assert answer.headers["X-Request-Id"] != given
        assert answer.headers["X-Request-Id"].isalnum()


def test_ids_of_call_and_run_stand_in_the_line() -> None:
    run, call, seen = uuid4(), uuid4(), Seen("r-1")
    tokens = [chat_context.run.set(run), usage_context.call.set(call), current.set(seen)]
    try:
        line = as_json("Said %s", "so")
    finally:
        for variable, token in zip((chat_context.run, usage_context.call, current), tokens, strict=True):
            variable.reset(token)  # type: ignore[arg-type]
    assert line["message"] == "Said so"
    assert (line["run_id"], line["call_id"], line["request_id"]) == (str(run), str(call), "r-1")
    assert (line["level"], line["process"]) == ("WARNING", "host:1")


def test_ids_that_are_not_known_are_left_out() -> None:
    assert not {"run_id", "call_id", "request_id", "user_id", "exception"} & as_json("Said").keys()


@pytest.mark.parametrize(
    "value",
    [
        "one\n2026-11-20 ERROR forged",
        "bell\x07",
        "\x1b]0;title\x07",
        "\u2028next",
        "\x85",
        "\ud800",
        "\r\nforged",
    ],
)
@pytest.mark.parametrize("form", [logs.Json("host:1"), logs.Text()], ids=["json", "text"])
def test_a_value_cannot_look_like_another_line(form: logging.Formatter, value: str) -> None:
    line = written(form, "Got %s", value)
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_forged_traceback_stays_inside_its_line() -> None:
    text = written(logs.Text(), "Failed", error=raised(ValueError("one\n12:00:00 ERROR forged\x1b[2J")))
    first, *rest = text.split("\n")
    assert first.endswith("chat.somewhere: Failed")
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "text",
    [
        "refused sk-ant-api03-SECRET-SECRET",
        "refused sk-proj-SECRETSECRET",
        "sent Authorization: Bearer SECRET.SECRET",
        "sent {'x-api-key': 'SECRET'}",
        "sent [(b'x-api-key', b'SECRET')]",
        "Cookie: parley_session=SECRET",
        "cannot connect to postgresql://parley:SECRET@db:5432/parley",
        "cannot connect to redis://:SECRET@cache:6379/0",
        "AIzaSECRETSECRETSECRETSECRET",
    ],
)
def test_what_looks_like_a_key_is_masked(text: str) -> None:
    for line in (as_json(text)["message"], as_json("Got %s", text)["message"], written(logs.Text(), text)):
        assert "SECRET" not in line
        assert "***" in line
    assert "SECRET" not in as_json("Failed", error=raised(RuntimeError(text)))["traceback"]


def test_a_secret_prints_as_stars() -> None:
    assert as_json("Key %s %r", Secret("abc"), Secret("abc"))["message"] == "Key *** ***"


def test_the_values_of_a_refused_row_are_left_out() -> None:
    error = raised(ValueError('null value violates "x"\nDETAIL:  Failing row contains (7, the text).'))
    assert "the text" not in as_json("Failed", error=error)["traceback"]


def test_long_texts_are_cut() -> None:
    line = as_json("Got %s", "x" * 1_000_000, error=raised(ValueError("y" * 1_000_000)))
    assert len(json.dumps(line)) < 16_000
    assert "1000004 characters" in line["message"]


def test_arguments_that_do_not_fit_still_make_a_line() -> None:
    assert as_json("Got %s and %s", 1)["message"] == "Got %s and %s"


def test_a_bad_level_or_format_stops_the_start_with_its_name(serve: Serve) -> None:
    for name in ("PARLEY_LOG_LEVEL", "PARLEY_LOG_FORMAT"):
        refused = serve(start=False, **{name: "loud"}).manage("check", check=False)
        assert refused.returncode != 0
        assert f"{name} must be one of" in refused.stderr


def test_people_at_a_terminal_get_readable_lines(serve: Serve) -> None:
    process = serve(PARLEY_LOG_FORMAT="text")
    with Visitor(process.url).http as http:
        http.get("/login/")
    stop(process)
    written = (process.folder / "serve.log").read_text().splitlines()
    (line,) = [line for line in written if "account_login" in line]
    assert "INFO    config.traffic: GET account_login: 200 in " in line
    assert "[request=" in line
