"""Reports: for any filters and groupings the sums are those of the ledger's lines, counted one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage.models import NOBODY, LedgerLine, Outcome, Source
from usage.reports import digests
from usage.reports import lines as report_rows
from usage.reports.lines import NoSuchPlace
from usage.reports.reports import GROUPINGS, Filters, costs_by_day, groups, leading, lines, sums, total
from usage.reports.search import parts

from .spent import NOON, figures, id_of, spent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

FIRST = date(2026, 3, 29)
DAYS = [FIRST + timedelta(days=place) for place in range(5)]
PEOPLE = [id_of(number) for number in (1, 2, 3)]
TEAMS = [None, id_of(11), id_of(12)]
TOKENS = [None, id_of(21)]
MODELS = [("anthropic", "claude-sonnet-5-5"), ("openai", "gpt-6-sol"), ("copilot", "claude-sonnet-5-5")]
PURPOSES = ["chat", "title"]
KEYS = ["organisation", "person"]

Made = dict[str, Any]


@st.composite
def a_line(draw: st.DrawFn) -> Made:
    provider, model = draw(st.sampled_from(MODELS))
    source = draw(st.sampled_from(Source.values))
    least = -(10**6) if source == Source.CORRECTED else 0
    size = st.integers(least, 10**6)
    return {
        "day": draw(st.sampled_from(DAYS)),
        "cost_nano": draw(st.integers(least, 10**12)),
        "user": draw(st.sampled_from(PEOPLE)),
        "team": draw(st.sampled_from(TEAMS)),
        "token": draw(st.sampled_from(TOKENS)),
        "provider": provider,
        "model_asked": model,
        "purpose": draw(st.sampled_from(PURPOSES)),
        "credential_scope": draw(st.sampled_from(KEYS)),
        "outcome": draw(st.sampled_from(Outcome.values)),
        "source": source,
        "attempt": draw(st.integers(1, 2)),
        "line": draw(st.integers(0, 1)),
        "input_tokens": draw(size),
        "cache_read_input_tokens": draw(size),
        "cache_creation_input_tokens": draw(st.integers(0, 1000)),
        "output_tokens": draw(size),
    }


@st.composite
def some_filters(draw: st.DrawFn) -> Filters:
    days = sorted((draw(st.sampled_from(DAYS)), draw(st.sampled_from(DAYS))))
    provider, model = draw(st.sampled_from(MODELS))
    return Filters(
        first=days[0],
        last=days[1],
        person=draw(st.sampled_from([None, *PEOPLE, id_of(9)])),
        team=draw(st.sampled_from([None, NOBODY, *TEAMS[1:]])),
        token=draw(st.sampled_from([None, NOBODY, *TOKENS[1:]])),
        provider=draw(st.sampled_from(["", "", "anthropic", "nobody"])),
        model=draw(st.sampled_from(["", "", f"{provider}/{model}"])),
        purpose=draw(st.sampled_from(["", "", *PURPOSES])),
        key=draw(st.sampled_from(["", "", *KEYS])),
        outcome=draw(st.sampled_from(["", "", *Outcome.values])),
    )


def fits(one: LedgerLine, filters: Filters) -> bool:
    """Whether a line is meant, said once more and differently."""
    wanted = [
        filters.first <= one.day <= filters.last,
        filters.person in (None, one.user),
        filters.team in (None, one.team or NOBODY),
        filters.token in (None, one.token or NOBODY),
        filters.provider in ("", one.provider),
        filters.model in ("", one.provider + "/" + one.model_asked),
        filters.purpose in ("", one.purpose),
        filters.key in ("", one.credential_scope),
        filters.outcome in ("", one.outcome),
    ]
    return all(wanted)


def value(one: LedgerLine, grouping: str) -> Any:
    match grouping:
        case "day":
            return one.day
        case "person":
            return one.user
        case "team":
            return one.team or NOBODY
        case "token":
            return one.token or NOBODY
        case "provider":
            return one.provider
        case "model":
            return one.provider + "/" + one.model_asked
        case "purpose":
            return one.purpose
        case _:
            return one.credential_scope


@contextmanager
def undone() -> Iterator[None]:
    """What is written inside is not there after: each example has a ledger of its own."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(a_line(), min_size=1, max_size=12),
    late=st.lists(a_line(), max_size=2),
    filters=some_filters(),
    by=st.lists(st.sampled_from(sorted(GROUPINGS)), max_size=2, unique=True),
    digested=st.integers(0, 8),
)
def test_sums_are_those_of_the_lines(
    transactional_db: None,
    made: list[Made],
    late: list[Made],
    filters: Filters,
    by: list[str],
    digested: int,
) -> None:
    with undone():
        ledger = [spent(**fields) for fields in made]
        now = datetime.combine(FIRST + timedelta(days=digested), NOON)
        digests.make_missing(now, worth=0)
        ledger += [spent(**fields, written_at=now) for fields in late]
        meant = [one for one in ledger if fits(one, filters)]
        expected: dict[tuple[Any, ...], list[LedgerLine]] = {}
        for one in meant:
            expected.setdefault(tuple(value(one, name) for name in by), []).append(one)
        counted = {key: figures(group) for key, group in expected.items()}
        found = {key: asdict(amount) for key, amount in sums(filters, tuple(by)).items()}
        empty = {key for key, amounts in counted.items() if not any(amounts.values())}
        assert {key: amounts for key, amounts in found.items() if key not in empty} == {
            key: amounts for key, amounts in counted.items() if key not in empty
        }
        assert asdict(total(filters)) == figures(meant)
        unread = groups(filters, tuple(by))
        assert (asdict(unread.total), len(unread)) == (figures(meant), len(found))
        assert {key: asdict(one) for key, one in unread.of(list(found)[:2]).items()} == {
            key: found[key] for key in list(found)[:2]
        }
        first = sorted((one["output"] for one in found.values()), reverse=True)[:2]
        assert sorted((one.output for one in unread.first("output", 2).values()), reverse=True)[:2] == first
        for at in range(len(by)):
            costs: dict[Any, int] = {}
            for key, one in found.items():
                costs[key[at]] = costs.get(key[at], 0) + one["cost_nano"]
            assert unread.costs(at) == costs
        most = leading(filters, tuple(by), "cost", 3)
        assert most.count == len(found)
        assert [one.cost_nano for one in most.groups.values()] == sorted(
            (one["cost_nano"] for one in found.values()), reverse=True
        )[:3]
        assert all(found[key] == asdict(one) for key, one in most.groups.items())
        assert {one.pk for one in lines(filters)} == {one.pk for one in meant}
        for part, since in parts(filters, 1):
            seen = {one.pk for one in part if since is None or one.accounted_at >= since}
            assert seen == {one.pk for one in meant if since is None or one.accounted_at >= since}
        assert since is None
        grouping = by[0] if by else "person"
        values = sorted({value(one, grouping) for one in ledger}, key=str)[:2]
        days: dict[tuple[date, int], int] = {}
        for one in meant:
            place = values.index(value(one, grouping)) if value(one, grouping) in values else len(values)
            days[one.day, place] = days.get((one.day, place), 0) + one.cost_nano
        drawn = costs_by_day(filters, grouping, values)
        assert {key: cost for key, cost in drawn.items() if cost} == {
            key: cost for key, cost in days.items() if cost
        }


def test_what_completed_reads_only_the_lines_that_did_not(django_assert_num_queries: Any) -> None:
    for outcome in Outcome.values:
        spent(FIRST, 10, outcome=outcome)
    whole = Filters(first=FIRST, last=FIRST, outcome="completed")
    with django_assert_num_queries(1) as asked:
        assert total(whole).cost_nano == 10
    of_lines = asked.captured_queries[0]["sql"].partition('FROM "usage_ledgerline"')[2]
    assert "NOT (outcome = 'completed')" in of_lines


def test_lines_come_page_by_page_each_once_newest_first() -> None:
    made = [spent(DAYS[place % 2], place) for place in range(130)]  # many of one moment
    filters, seen, after = Filters(first=FIRST, last=DAYS[-1]), [], ""
    sizes = []
    while True:
        page = report_rows.page(filters, after)
        seen += page.lines
        sizes.append(len(page.lines))
        spent(DAYS[1], 7)  # written meanwhile: newer than what was read, so that nothing shifts
        if not page.older:
            break
        after = page.older
    assert sizes == [50, 50, 30]
    assert [one.pk for one in seen] == [
        one.pk for one in sorted(made, key=lambda one: (one.accounted_at, one.pk), reverse=True)
    ]


@pytest.mark.parametrize("after", ["x", "1", "-", "1-", "1-x", "9" * 40, "1-2-3", "-1-1", "٣-٣"])
def test_a_place_that_no_page_named_is_refused(after: str) -> None:
    with pytest.raises(NoSuchPlace):
        report_rows.page(Filters(first=FIRST, last=FIRST), after)


def test_a_page_of_lines_is_one_query_however_far_one_has_read(django_assert_num_queries: Any) -> None:
    for place in range(120):
        spent(FIRST, place)
    filters = Filters(first=FIRST, last=FIRST)
    after = report_rows.page(filters, report_rows.page(filters).older).older
    with django_assert_num_queries(1):
        assert len(report_rows.page(filters, after).lines) == 20
