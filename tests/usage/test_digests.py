"""Digests: pages read them instead of the days that they stand for, and never one that is not exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from usage.clock import database_now
from usage.models import NOBODY, Digest, DigestRow
from usage.reports import digests
from usage.reports.digests import FACES
from usage.reports.reports import Filters, Sums, leading, sums, total

from .spent import NOON, id_of, spent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

MARCH = Filters(first=date(2026, 3, 1), last=date(2026, 3, 31))
LATER = datetime.combine(date(2026, 4, 20), NOON)


def made(**options: Any) -> int:
    return digests.make_missing(LATER, **{"worth": 0} | options)


def a_march() -> None:
    """A call of $1 each day, every tenth of which failed."""
    for day in range(1, 32):
        outcome = "failed" if day % 10 == 0 else "completed"
        spent(date(2026, 3, day), 10**9, user=id_of(day % 3), outcome=outcome)


def test_a_month_that_is_over_is_read_from_its_digest_alone() -> None:
    a_march()
    before = sums(MARCH, ("person", "model"))
    made()
    with CaptureQueriesContext(connection) as asked:
        assert sums(MARCH, ("person", "model")) == before
    statements = " ".join(query["sql"] for query in asked.captured_queries)
    assert "usage_digestrow" in statements
    assert "usage_dailyusage" not in statements
    assert "usage_ledgerline" not in statements


def test_digests_of_several_days_are_one_group_where_filters_narrow_all_that_tells_their_rows_apart() -> None:
    a_march()
    made()
    filters = replace(MARCH, purpose="chat", key="environment")
    found = sums(filters, ("team", "purpose"))
    assert [one.cost_nano for one in found.values()] == [31 * 10**9]
    assert total(filters).cost_nano == 31 * 10**9


@pytest.mark.parametrize("grouping", ["person", "team", "provider", "model", "purpose", "key"])
@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"team": NOBODY},
        {"token": NOBODY},
        {"provider": "anthropic"},
        {"model": "anthropic/claude-sonnet-5-5"},
        {"purpose": "chat"},
        {"key": "environment"},
        {"outcome": "failed"},
        {"outcome": "completed"},
    ],
)
def test_a_filter_by_day_finds_the_same_with_digests_as_without(
    grouping: str, narrowed: dict[str, Any]
) -> None:
    a_march()
    spent(date(2026, 3, 4), 7, user=id_of(1), team=id_of(11), token=id_of(21), purpose="title")
    spent(date(2026, 3, 4), 9, user=id_of(1), provider="openai", model_asked="gpt-6-sol")
    spent(date(2026, 3, 4), 11, user=id_of(1), credential_scope="person")
    filters, by = replace(MARCH, **narrowed), (grouping, "day")
    before = sums(filters, by), leading(filters, by, "cost", 5)
    made()
    assert (sums(filters, by), leading(filters, by, "cost", 5)) == before


def test_days_of_late_are_never_digested() -> None:
    for back in range(6):
        spent(LATER.date() - timedelta(days=back), 5)
    made()
    assert Digest.objects.filter(face="kinds").latest("last").last == date(2026, 4, 17)


def test_a_line_that_comes_late_is_counted_at_once_and_digested_again() -> None:
    a_march()
    made()
    with transaction.atomic():
        spent(date(2026, 3, 7), 5, written_at=LATER)
    assert total(MARCH).cost_nano == 31 * 10**9 + 5
    # Those of that day, its week and its month.
    assert Digest.objects.filter(state="outdated").count() == len(FACES)
    assert made() == len(FACES)
    assert total(MARCH).cost_nano == 31 * 10**9 + 5
    digests.make_missing(database_now() + timedelta(hours=2), worth=10**9)
    assert not Digest.objects.exclude(state="ready").exists()


def test_a_line_that_comes_while_a_digest_is_made_is_not_lost() -> None:
    a_march()
    came = False

    def late(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal came
        if "INSERT INTO" in sql and "usage_digestrow" in sql and not came:
            came = True
            spent(date(2026, 3, 7), 5, written_at=LATER)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(late):
        assert not digests.make(digests.FACES["months"], MARCH.first, MARCH.last)
    assert came
    assert total(MARCH).cost_nano == 31 * 10**9 + 5


def test_the_same_digest_made_twice_is_read_once() -> None:
    a_march()
    assert digests.make(digests.FACES["months"], MARCH.first, MARCH.last)
    assert not digests.make(digests.FACES["months"], MARCH.first, MARCH.last)
    assert total(MARCH).cost_nano == 31 * 10**9


def test_few_rows_are_worth_no_digest() -> None:
    a_march()
    assert made(worth=2) == 0
    assert total(MARCH).calls == 31


def test_a_digest_that_was_tampered_with_is_found_and_replaced(capsys: Any) -> None:
    a_march()
    made()
    DigestRow.objects.filter(digest__face="months", outcome="").update(cost_nano=1)
    assert sums(MARCH, ("person", "model")) != {}
    with pytest.raises(CommandError, match="differ"):
        call_command("ledger", "verify")
    assert "digest months 2026-03-01: " in capsys.readouterr().out
    call_command("ledger", "rebuild")
    assert sum(sums(MARCH, ("person",)).values(), Sums()).cost_nano == 31 * 10**9
