"""What is read from the servers' logs."""

from __future__ import annotations

import json

from chaos.report import errors_in, told_in


def test_errors_are_counted_in_both_forms_of_the_log() -> None:
    text = "2026-11-20 09:42:15,456 ERROR django.request: Internal Server Error: /c/01a1/turns/\n"
    record = {"level": "ERROR", "logger": "usage.calls", "message": "Call 01a2 is not settled yet"}
    logs = [text * 2, json.dumps(record) + "\n" + json.dumps(record | {"level": "INFO"})]
    assert errors_in(logs) == {
        "django.request: Internal Server Error:": 2,
        "usage.calls: Call is not settled yet": 1,
    }


def test_words_of_people_and_models_in_a_log_are_noticed() -> None:
    assert told_in(["all is well\n"]) == []
    assert [breach.law for breach in told_in(["query failed: Answer p3x1: river\n"])] == [
        "a log holds what somebody wrote"
    ]
