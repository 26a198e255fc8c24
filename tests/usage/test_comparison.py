"""How totals compare with the period before: the days that are meant, the words, and the pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import User
from usage.reports.changes import Change, pair
from usage.reports.forms import Period, period

from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in
from .spent import spent

NOW = datetime(2026, 11, 20, 11, 42, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def days(text: str, today: date = TODAY) -> Period:
    first, last = (date.fromisoformat(part) for part in text.split(".."))
    return Period(first=first, end=last, today=today)


@pytest.mark.parametrize(
    ("name", "asked", "now", "before"),
    [
        ("month", period("month", TODAY), "2026-11-01..2026-11-19", "1 to 19 October"),
        ("week", period("week", TODAY), "2026-11-16..2026-11-19", "9 to 12 November"),
        ("quarter", period("quarter", TODAY), "2026-10-01..2026-11-19", "1 July to 19 August"),
        ("own", days("2026-11-03..2026-11-05"), "2026-11-03..2026-11-05", "31 October to 2 November"),
        ("own", days("2026-11-03..2026-11-03"), "2026-11-03..2026-11-03", "2 November"),
        ("own", days("2026-01-01..2026-01-03"), "2026-01-01..2026-01-03", "29 to 31 December 2025"),
        # February has no 29 days to give: the 29 days directly before stand in.
        ("month", period("month", date(2026, 3, 30)), "2026-03-01..2026-03-29", "31 January to 28 February"),
        # A month's first day has no full day yet, and so has what lies in the future.
        ("month", period("month", date(2026, 11, 1)), "", ""),
        ("own", days("2026-11-20..2026-11-20"), "", ""),
        ("own", days("2026-12-01..2026-12-02"), "", ""),
    ],
)
def test_full_days_are_compared_with_as_many_before(name: str, asked: Period, now: str, before: str) -> None:
    found = pair(name, asked)
    if not now:
        assert found is None
        return
    assert found is not None
    assert f"{found.now[0]}..{found.now[1]}" == now
    assert found.text == before
    lengths = {last - first for first, last in (found.now, found.before)}
    assert len(lengths) == 1
    assert found.before[1] < found.now[0]


@pytest.mark.parametrize(
    ("now", "before", "short", "words"),
    [
        (0, 0, "", ""),
        (5, 0, "new", "new, nothing from"),
        (0, 5, "–100 %", "100 % less than"),
        (112, 100, "+12 %", "12 % more than"),
        (88, 100, "–12 %", "12 % less than"),
        (1004, 1000, "", "the same as"),
        (1005, 1000, "+1 %", "1 % more than"),
        (1, 1000, "–99 %", "99 % less than"),
        (1999, 1000, "+99 %", "99 % more than"),
        (2000, 1000, "×2", "2 times that of"),
        (2440, 1000, "×2.4", "2.4 times that of"),
        (14_400, 1000, "×14", "14 times that of"),
        (100_000, 1000, "×100 and more", "100 and more times that of"),
    ],
)
def test_a_change_is_said_without_false_precision(now: int, before: int, short: str, words: str) -> None:
    found = Change(now, before)
    assert (found.short, found.words) == (short, words)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_totals_and_groups_say_what_they_have_become(owner: User, member: User) -> None:
    def used(model: str, day: date, calls: int, each: int) -> None:
        for _ in range(calls):
            spent(day, each, user=owner.pk, model_asked=model)

    used("claude-opus-5-5", date(2026, 10, 3), 20, 10**9)
    used("claude-opus-5-5", date(2026, 10, 25), 20, 10**9)  # later in October than November has come
    used("claude-opus-5-5", date(2026, 11, 3), 15, 10**9)
    used("claude-opus-5-5", TODAY, 30, 10**9)  # today is not over
    used("claude-haiku-5-5", date(2026, 11, 4), 10, 10**9)
    used("claude-sonnet-5-5", date(2026, 10, 4), 5, 10**9)
    used("claude-sonnet-5-5", date(2026, 11, 4), 9, 10**9)
    client = signed_in(owner)
    for path in ("/manage/usage/", "/usage/"):
        text = page(client, path)
        assert "36 % more than 1 to 19 October" in text  # 34 dollars after 25
        assert "1 to 19 November: $34.00; 1 to 19 October: $25.00" in text
        assert changes(text) == {
            "Opus 5.5": "25 % less than 1 to 19 October",
            "Haiku 5.5": "new, nothing from 1 to 19 October",
        }  # of Sonnet there were five calls: too few
        assert 'aria-hidden="true">–25 %' in text
    overview = page(client, "/manage/overview/")
    assert "36 % more than 1 to 19 October" in overview
    # The filters of the page hold for both periods, and groups of days are not compared one by one.
    filtered = page(client, "/manage/usage/?model=anthropic/claude-haiku-5-5")
    assert "new, nothing from 1 to 19 October" in filtered
    assert "36 %" not in filtered
    by_day = page(client, "/manage/usage/?by=day&then=model")
    assert "36 % more than 1 to 19 October" in by_day
    assert changes(by_day) == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/manage/usage/", "/usage/", "/manage/overview/"])
def test_without_anything_to_compare_nothing_is_said(owner: User, path: str) -> None:
    spent(TODAY, 10**9, user=owner.pk)
    client = signed_in(owner)
    for text in (page(client, path), page(client, f"{path}?period=week")):
        assert "than" not in figures(text)
        assert "new, nothing" not in figures(text)
    for back in range(1, 4):
        spent(TODAY - timedelta(days=20 + back), 10**9, user=owner.pk)
    assert "% less" not in figures(page(client, path))


def figures(text: str) -> str:
    """What stands in the first row of figures."""
    return text[text.index('class="figures"') :].partition("</section>")[0]


def changes(text: str) -> dict[str, str]:
    """What the table says of each group, as a screen reader reads it."""
    body = text.rpartition("<tbody>")[2].partition("</tbody>")[0]
    found: dict[str, Any] = {}
    for row in body.split("</tr>"):
        said = re.search(r'<span class="sr">([^<]+)</span></small>', row)
        name = re.search(r'<th scope="row"><bdi>([^<]+)</bdi>', row)
        if said and name:
            found[html.unescape(name[1])] = said[1]
    return found
