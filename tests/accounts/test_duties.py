"""Work by the clock: due once, for all processes together, and again after a crash."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from accounts.duties import CLAIM, Duty, do_due, do_now
from accounts.models import DutyRun

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def minutely(do: Any) -> Duty:
    return Duty("count", do, every=MINUTE)


@pytest.mark.django_db
def test_a_duty_is_done_one_span_after_it_was_first_seen_and_then_again_and_again() -> None:
    done: list[datetime] = []
    with time_machine.travel(START, tick=False) as clock:
        duty = minutely(lambda: done.append(datetime.now(UTC)))
        for _ in range(5):
            do_due([duty])
            clock.shift(30)
    assert done == [START + MINUTE, START + 2 * MINUTE]


@pytest.mark.django_db
def test_what_was_due_while_nothing_ran_is_done_once() -> None:
    done: list[int] = []
    with time_machine.travel(START, tick=False) as clock:
        duty = minutely(lambda: done.append(1))
        do_due([duty])
        clock.shift(7200)
        assert do_due([duty]) == ["count"]
        assert do_due([duty]) == []
    assert done == [1]


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", datetime(2026, 11, 20, 4, 0, tzinfo=UTC), datetime(2026, 11, 20, 4, 30, tzinfo=UTC)),
        ("UTC", datetime(2026, 11, 20, 4, 30, tzinfo=UTC), datetime(2026, 11, 21, 4, 30, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 11, 20, 4, 0, tzinfo=UTC), datetime(2026, 11, 20, 19, 30, tzinfo=UTC)),
        # The night in which Lisbon's clocks go back by an hour.
        ("Europe/Lisbon", datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 4, 30, tzinfo=UTC)),
    ],
)
def test_a_daily_duty_is_due_at_its_time_of_the_organisations_day(
    settings: Any, zone: str, now: datetime, due: datetime
) -> None:
    settings.TIME_ZONE = zone
    assert Duty("nightly", lambda: None, at=time(4, 30)).after(now) == due


@pytest.mark.django_db
def test_a_duty_that_fails_is_tried_again_and_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("sk-ant-secret")

    nightly, other = Duty("nightly", fail, at=time(4, 30)), minutely(lambda: done.append(1))
    with time_machine.travel(START, tick=False) as clock:
        do_due([nightly, other])
        clock.move_to(START + timedelta(days=1))
        assert do_due([nightly, other]) == ["count"]
        row = DutyRun.objects.get(name="nightly")
        assert row.last_error == "ValueError"
        assert row.due_at - datetime.now(UTC) == timedelta(minutes=5)
    assert done == [1]
    assert "The duty nightly failed" in caplog.text


@pytest.mark.django_db
def test_a_duty_of_a_lost_process_is_done_by_another_when_its_claim_has_run_out() -> None:
    done: list[int] = []
    duty = minutely(lambda: done.append(1))
    with time_machine.travel(START, tick=False) as clock:
        do_due([duty])
        clock.shift(60)
        DutyRun.objects.update(claimed_by="lost:1:00", claimed_until=START + MINUTE + CLAIM)
        assert do_due([duty]) == []
        assert not do_now(duty)
        clock.shift(CLAIM.total_seconds())
        assert do_due([duty]) == ["count"]
    assert done == [1]


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_of_many_processes_one_does_it() -> None:
    done: list[int] = []
    duty = minutely(lambda: done.append(1))
    do_due([duty])
    DutyRun.objects.update(due_at=START - MINUTE)
    barrier = threading.Barrier(4)

    def look() -> None:
        try:
            barrier.wait()
            do_due([duty])
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1]
