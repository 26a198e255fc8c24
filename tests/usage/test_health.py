"""Figures of health equal what a plain count of the ledger's lines gives."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.ids import uuid7
from usage.health.figures import LEAST_CALLS, Figures, degradation, figures

from .lines import failed, line

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

HERE = ("anthropic", "environment")
DAY = timedelta(hours=24)


def whole() -> Figures:
    return figures(timezone.now(), DAY)[0].get(HERE, Figures())


def nearest_rank(values: list[int], percent: int) -> int:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 100])
def test_percentiles_are_nearest_rank(count: int) -> None:
    times = [(37 * number) % 101 * 10 for number in range(1, count + 1)]
    for first in times:
        line(ttft_ms=first, duration_ms=first + 1000)
    line(ttft_ms=None, outcome="stopped")
    found = whole()
    assert (found.first_p50, found.first_p95) == (nearest_rank(times, 50), nearest_rank(times, 95))
    assert (found.calls, found.timed) == (count + 1, count)


def test_what_says_nothing_of_the_provider_is_left_out_of_the_rate() -> None:
    line()
    line(outcome="refused")
    line(outcome="stopped")  # once content had come
    line(outcome="stopped", ttft_ms=None)
    failed("api_error")
    failed("overloaded_error")
    failed("authentication_error")
    failed("interrupted_stream", outcome="interrupted")
    failed("invalid_request_error")
    failed("internal_error")
    failed("process_lost", outcome="interrupted")
    failed("circuit_open")  # nobody was asked: it is no call at all
    failed("queue_full")
    found = whole()
    assert (found.calls, found.succeeded, found.failed, found.success_rate) == (11, 3, 4, 3 / 7)


def test_corrections_and_old_lines_are_no_calls() -> None:
    first = line()
    line(call_id=first.call_id, line=1, source="corrected", output_tokens=-5)
    line(ago=25 * 3600)
    assert whole().calls == 1


def test_speed_is_counted_from_the_first_content() -> None:
    line(ttft_ms=1000, duration_ms=3000, output_tokens=100)
    line(ttft_ms=500, duration_ms=2500, output_tokens=300)
    line(ttft_ms=500, duration_ms=900, output_tokens=7, source="estimated")
    assert whole().tokens_per_second == 100.0


def test_credentials_are_told_apart() -> None:
    one, other = uuid7(), uuid7()
    for credential, scope in ((one, "organisation"), (other, "person"), (None, "environment")):
        line(credential=credential, credential_scope=scope)
    failed(credential=other, credential_scope="person", provider="openai")
    found = figures(timezone.now(), DAY)[0]
    assert {place: one_place.calls for place, one_place in found.items()} == {
        ("anthropic", str(one)): 1,
        ("anthropic", str(other)): 1,
        HERE: 1,
        ("openai", str(other)): 1,
    }


def judged(good: int, bad: int, p95: int = 1000, timed: int | None = None) -> Figures:
    return Figures(
        calls=good + bad,
        succeeded=good,
        failed=bad,
        timed=good if timed is None else timed,
        first_p50=500,
        first_p95=p95,
    )


@pytest.mark.parametrize(
    ("recent", "whole", "worse"),
    [
        (judged(8, 2), judged(900, 10), True),
        (judged(9, 1), judged(90, 10), False),  # as bad as ever
        (judged(7, 2), judged(900, 10), False),  # too few to tell
        (judged(19, 1), judged(900, 10), False),  # less than ten points
        (judged(20, 0, p95=4000), judged(900, 0, p95=1000), True),
        (judged(20, 0, p95=1900), judged(900, 0, p95=1000), False),  # not twice as long
        (judged(20, 0, p95=900), judged(900, 0, p95=300), False),  # not a second longer
        (judged(9, 0, p95=9000), judged(900, 0, p95=300), False),  # too few to tell
        (judged(0, 50), judged(0, 50), False),  # nothing older
        (Figures(), judged(90, 9), False),
    ],
)
def test_degradation_is_what_became_clearly_worse(recent: Figures, whole: Figures, worse: bool) -> None:
    assert bool(degradation(recent, whole)) == worse


def test_recent_calls_are_those_of_the_last_quarter_of_an_hour() -> None:
    for _ in range(40):
        line(ago=3600)
    for _ in range(LEAST_CALLS):
        failed(ago=300)
    all_day, recent = figures(timezone.now(), DAY)
    assert (all_day[HERE].calls, recent[HERE].calls, recent[HERE].success_rate) == (50, 10, 0.0)
    assert degradation(recent[HERE], all_day[HERE]) == "10 of the last 10 calls failed"


def test_an_empty_ledger_has_no_figures() -> None:
    assert figures(timezone.now(), DAY) == ({}, {})
