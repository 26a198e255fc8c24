"""`manage.py usage report`: sums that add up to the total, under the names that people know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import actions
from usage.calls.settlement import settle

from .holds import cut, hold, reported
from .managing import nothing_changed as nothing_changed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_changed")]

COST = 40 * 2_000 + 7 * 10_000


def run(*words: str) -> str:
    out = StringIO()
    call_command("usage", "report", *words, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def calls() -> None:
    ada = actions.create_user(email="ada@example.org", password="a lamp, two rivers", display_name="Ada")
    now = datetime.now(UTC)
    settle(hold(user=ada.pk), [reported()])
    settle(hold(user=ada.pk, purpose="title"), [cut()])
    settle(hold(opened_at=now - timedelta(days=3)), [reported()])
    settle(hold(opened_at=now - timedelta(days=60)), [reported()])


@pytest.mark.usefixtures("calls")
def test_people_are_named_and_the_rows_add_up_to_the_total() -> None:
    lines = run("--by", "person").splitlines()
    assert lines[1].split()[:2] == ["Person", "Calls"]
    assert lines[2].startswith("Ada (ada@example.org)")
    assert lines[2].endswith("0.000330000")
    assert lines[3].startswith("Removed person")
    assert lines[-1].split() == ["Total", "3", "0", "1", "120", "0", "0", "24", "0.000480000"]


@pytest.mark.usefixtures("calls")
def test_two_groupings_and_a_span_can_be_chosen() -> None:
    day = (datetime.now(UTC) - timedelta(days=60)).date()
    rows = [
        json.loads(line)
        for line in run(
            "--by", "day", "--by", "purpose", "--from", str(day), "--to", str(day), "--json"
        ).splitlines()
    ]
    assert [(row["day"], row["purpose"], row["cost_nano"]) for row in rows] == [(str(day), "chat", COST)]


@pytest.mark.usefixtures("calls")
def test_without_a_grouping_there_is_the_total() -> None:
    assert run().splitlines()[-1].endswith("0.000480000")


def test_nothing_used_is_a_row_of_noughts() -> None:
    assert run("--by", "model").splitlines()[-1].split()[-1] == "0.000000000"
    with pytest.raises(CommandError, match="before it begins"):
        run("--from", "2026-11-02", "--to", "2026-11-01")
