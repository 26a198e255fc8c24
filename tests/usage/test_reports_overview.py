"""The overview's figures: forecast, concentration, first token, errors; and the chart that stands beside."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from usage.reports.chart import chart
from usage.reports.csv_file import exact, safe
from usage.reports.forms import Period, period
from usage.reports.overview import concentration, first_token, forecast, overview
from usage.reports.reports import Sums
from usage.reports.tables import layers_of
from usage.templatetags.report_figures import drawing

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


@given(
    costs=st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(0, 8)), st.integers(0, 10**13), min_size=1, max_size=40
    )
)
def test_layers_days_and_their_table_have_the_sum_of_the_costs(costs: dict[tuple[int, int], int]) -> None:
    days = Period(first=TODAY, end=TODAY + timedelta(days=9), today=TODAY + timedelta(days=30))
    groups = {(days.days[day], f"x/m{model}"): Sums(cost_nano=cost) for (day, model), cost in costs.items()}
    drawn = chart(days, layers_of(groups, "model", str))
    if not any(costs.values()):
        assert drawn is None
        return
    assert drawn is not None
    assert len(drawn.series) <= 5
    assert drawn.partial is None
    whole = sum(costs.values())
    assert sum(one.cost_nano for one in drawn.series) == whole == sum(day.whole for day in drawn.days)
    for place, day in enumerate(drawn.days):
        assert day.costs == [one.costs[place] for one in drawn.series]
        assert day.whole == sum(day.costs) == sum(cost for (at, _), cost in costs.items() if at == place)
    said = drawing(drawn, "/calls/", None)
    assert [row[2] for row in said["rows"]] == [day.whole for day in drawn.days if day.whole]
    assert [one["costs"] for one in said["data"]["days"]] == [day.costs for day in drawn.days]


@pytest.mark.django_db(transaction=True)
def test_what_the_chart_opens_are_the_rows_of_the_day_and_the_layer(owner: User) -> None:
    for number in range(7):
        spent(TODAY, 10**9 * (number + 1), model_asked=f"m-{number}")
    spent(TODAY, 10**9, model_asked="m-6", purpose="title")
    spent(TODAY - timedelta(days=1), 10**9, model_asked="m-6")
    client = signed_in(owner)
    text = page(client, "/manage/usage/?purpose=chat")
    data = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', text)[0])
    assert [one["text"] for one in data["layers"]] == ["m-6", "m-5", "m-4", "m-3", "3 others"]
    assert [one["end"] is None for one in data["layers"]] == [False] * 4 + [True]
    assert data["partial"] == 19
    today = data["days"][19]
    assert (today["whole"], today["texts"][0], today["costs"][0]) == ("$28.00", "$7.00", 7 * 10**9)
    assert "7 calls, " in page(client, today["address"])
    layer = page(client, today["address"] + data["layers"][0]["end"])
    assert "1 call, " in layer
    assert "$7.00" in layer
    assert data["days"][20] | {"short": "", "long": ""} == {
        "short": "",
        "long": "",
        "costs": [0] * 5,
        "texts": ["$0"] * 5,
        "whole": "$0",
        "ahead": None,
        "aheadText": "",
        "address": "",
    }
    for address in re.findall(r'<td data-figure><a href="([^"]+model=[^"]+)">\$7.00</a>', text):
        assert "1 call, " in page(client, html.unescape(address))


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
