"""The overview's figures: forecast, concentration, first token, errors; and the chart that stands beside."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from usage.report_chart import HEIGHT, TOP, axis_text, chart, scale
from usage.report_csv import exact, safe
from usage.report_forms import Period, period
from usage.report_overview import concentration, first_token, forecast, overview
from usage.report_tables import layers_of
from usage.reports import Sums

from .lines import failed, line
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in
from .spent import id_of, spent

NOW = datetime(2026, 11, 20, 11, 42, tzinfo=UTC)  # a Friday
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


# Forecast


def two_weeks(cost_of: dict[int, int]) -> dict[date, int]:
    """The last 14 full days, each with the cost of its weekday (Monday 0)."""
    days = [TODAY - timedelta(days=back) for back in range(14, 0, -1)]
    return {day: cost_of.get(day.weekday(), 0) for day in days}


def test_a_day_to_come_costs_what_its_weekday_cost() -> None:
    ahead = forecast(period("month", TODAY), two_weeks({0: 100, 4: 40, 5: 7}), spent_today=10)
    assert ahead[TODAY] == 40  # Fridays cost 40, and 10 is spent
    assert ahead[date(2026, 11, 21)] == 7
    assert ahead[date(2026, 11, 22)] == 0
    assert ahead[date(2026, 11, 23)] == ahead[date(2026, 11, 30)] == 100
    assert list(ahead) == [date(2026, 11, day) for day in range(20, 31)]


def test_today_comes_to_at_least_what_is_spent() -> None:
    assert forecast(period("month", TODAY), two_weeks({4: 40}), spent_today=41)[TODAY] == 41


def test_a_weekday_that_was_not_seen_costs_the_average_rounded_half_up() -> None:
    seen = {TODAY - timedelta(days=1): 10, TODAY - timedelta(days=2): 1}
    ahead = forecast(period("month", TODAY), seen, spent_today=0)
    assert ahead[date(2026, 11, 21)] == 6
    assert ahead[date(2026, 11, 26)] == 10


def test_without_a_full_day_there_is_no_forecast() -> None:
    assert forecast(period("month", TODAY), {}, spent_today=5) == {}


@pytest.mark.django_db(transaction=True)
def test_the_months_forecast_is_what_was_spent_and_what_is_ahead() -> None:
    for back in range(25):
        spent(TODAY - timedelta(days=back), 10**9)
    seen = overview(TODAY, NOW)
    assert seen.forecast_nano == 30 * 10**9
    assert seen.of(seen.month).cost_nano == 20 * 10**9
    assert seen.of(seen.week).cost_nano == 5 * 10**9
    assert seen.today.cost_nano == 10**9
    assert seen.looked_at == 14


@pytest.mark.django_db(transaction=True)
def test_days_before_the_first_usage_are_no_days_without_usage() -> None:
    for back in range(3):
        spent(TODAY - timedelta(days=back), 10**9)
    seen = overview(TODAY, NOW)
    assert seen.looked_at == 2
    assert seen.forecast_nano == 13 * 10**9


# Concentration, first token, errors


def test_concentration_is_of_the_first_person_and_of_the_first_tenth() -> None:
    found = concentration([50, 30] + [1] * 20 + [0] * 5)
    assert found is not None
    assert (found.people, found.tenth_people) == (22, 3)
    assert (found.top, found.tenth) == (0.5, 0.81)
    assert concentration([0, 0]) is None
    assert concentration([]) is None


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_the_first_token_is_of_the_last_day_by_nearest_rank() -> None:
    for milliseconds in range(1, 21):
        line(ago=60, ttft_ms=milliseconds * 100)
    line(ago=90_000, ttft_ms=99_999)
    failed(ago=60)
    found = first_token(NOW)
    assert (found.p50, found.p95) == (1000, 1900)


@pytest.mark.django_db(transaction=True)
def test_without_calls_there_is_no_first_token() -> None:
    found = first_token(NOW)
    assert (found.p50, found.p95) == (None, None)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_the_page_says_it_all(owner: User) -> None:
    for back in range(16):
        spent(
            TODAY - timedelta(days=back), 10**9, user=owner.pk, cache_read_input_tokens=900, input_tokens=100
        )
    spent(TODAY, 10**9, user=id_of(5), team=id_of(6), model_asked="claude-opus-5-5")
    spent(TODAY, 0, outcome="failed", error="overloaded_error", ttft_ms=None)
    text = re.sub(r"\s+", " ", page(signed_in(owner), "/manage/overview/"))
    assert '<data value="17.000000000">$17.00</data>' in text
    assert 'Forecast <data value="27.000000000">$27.00</data>' in text
    assert text.count('class="tag">partial') == 3
    assert "20 of 30 days" in text
    assert "in the last 14 full days" in text
    assert "90.0 %" in text
    assert "Olga" in text
    assert "Removed team" in text
    assert "Opus 5.5" in text
    assert "Overloaded" in text
    assert "94.1 %" in text
    assert " style=" not in text


# Periods


@pytest.mark.parametrize(
    ("name", "first", "end"),
    [("week", (11, 16), (11, 22)), ("month", (11, 1), (11, 30)), ("quarter", (10, 1), (12, 31))],
)
def test_periods_are_those_of_the_calendar(name: str, first: tuple[int, int], end: tuple[int, int]) -> None:
    found = period(name, TODAY)
    assert (found.first, found.end) == (date(2026, *first), date(2026, *end))
    assert found.is_partial
    assert found.last == TODAY


@given(day=st.dates(date(2000, 1, 1), date(2199, 12, 31)), name=st.sampled_from(["week", "month", "quarter"]))
def test_every_day_is_in_its_periods(day: date, name: str) -> None:
    found = period(name, day)
    assert found.first <= day <= found.end
    assert period(name, found.first).end == period(name, found.end).end == found.end
    assert found.days[0] == found.first
    assert found.days[-1] == found.end


# Chart

BARS = re.compile(r"M(\d+)\.14 ([\d.]+)h\.72V([\d.]+)h-\.72z")


@given(
    costs=st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(0, 8)), st.integers(0, 10**13), min_size=1, max_size=40
    )
)
def test_bars_are_as_high_as_the_costs_and_the_table_has_their_sum(costs: dict[tuple[int, int], int]) -> None:
    days = Period(first=TODAY, end=TODAY + timedelta(days=9), today=TODAY + timedelta(days=30))
    groups = {(days.days[day], f"m{model}"): Sums(cost_nano=cost) for (day, model), cost in costs.items()}
    drawn = chart(days, layers_of(groups, str))
    if not any(costs.values()):
        assert drawn is None
        return
    assert drawn is not None
    assert len(drawn.series) <= 5
    whole = sum(costs.values())
    assert sum(one.cost_nano for one in drawn.series) == whole == sum(row[2] for row in drawn.rows)
    assert all(sum(row[1]) == row[2] for row in drawn.rows)
    _, top = scale(max(sum(cost for (day, _), cost in costs.items() if day == place) for place in range(10)))
    heights = dict.fromkeys(range(10), Fraction(0))
    for one in drawn.series:
        for place, begin, end in BARS.findall(one.path):
            heights[int(place)] += Fraction(begin) - Fraction(end)
    for place, height in heights.items():
        cost = sum(cost for (day, _), cost in costs.items() if day == place)
        assert abs(height - Fraction(cost * (HEIGHT - TOP), top)) < 1


@given(st.integers(1, 10**16))
def test_the_grid_holds_the_highest_bar_in_at_most_six_steps(highest: int) -> None:
    step, top = scale(highest)
    assert top >= highest > top - step
    assert 1 <= top // step <= 6
    assert str(step).strip("0") in {"1", "2", "5"}


@pytest.mark.parametrize(
    ("amount", "step", "text"),
    [
        (0, 10**9, "$0"),
        (40 * 10**9, 20 * 10**9, "$40"),
        (1200 * 10**9, 200 * 10**9, "$1,200"),
        (500_000_000, 500_000_000, "$0.5"),
        (20_000, 20_000, "$0.00002"),
        (3, 1, "$0.000000003"),
    ],
)
def test_the_grid_is_written_as_exactly_as_it_is_fine(amount: int, step: int, text: str) -> None:
    assert axis_text(amount, step) == text


# CSV


@given(st.integers(-(10**18), 10**18))
def test_amounts_are_exact(nano: int) -> None:
    assert Decimal(exact(nano)) * 10**9 == nano
    assert re.fullmatch(r"-?\d+\.\d{9}", exact(nano))


@given(st.text(max_size=20))
def test_no_text_begins_as_a_formula_and_none_is_lost(text: str) -> None:
    made = safe(text)
    assert made in (text, f"'{text}")
    assert unicodedata.normalize("NFKC", made[:1]) not in set("=+-@\t\r\n|%")
    out = io.StringIO()
    csv.writer(out).writerow([made, "x"])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [made, "x"]
