"""Recommendations: what is found, what it comes to, and that the rows behind it add up to that."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import actions as accounts_actions
from accounts.ids import uuid7
from accounts.models import User
from config.duties import DUTIES
from usage.catalogue import actions, overrides
from usage.models import Finding, Hold, LedgerLine, Price
from usage.recommendations import findings, recommendations
from usage.recommendations.recommendations import KINDS, Recommendation
from usage.recommendations.words import roughly

from .budgeting import DOLLAR, budget
from .managing import PASSWORD, page, signed_in
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .spent import id_of, spent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

NOW = datetime(2026, 11, 20, 11, 42, tzinfo=UTC)
DAY = NOW.date() - timedelta(days=3)
MORNING = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
MILLION = Decimal(10**6)
OPUS = "anthropic/claude-opus-5-5"
HAIKU = "anthropic/claude-haiku-5-5"
# Dollars per million tokens, written apart from the catalogue: input, output, read, written for 5 minutes.
OPUS_PRICE = (Decimal("4"), Decimal("20"), Decimal("0.2"), Decimal("5"))
HAIKU_PRICE = (Decimal("0.1"), Decimal("0.5"), Decimal("0.01"), Decimal("0.125"))
OF_OPUS = {"model_asked": "claude-opus-5-5", "price_source": "catalogue 2026-09-22"}


@pytest.fixture(autouse=True)
def _at_noon(nothing_changed: None) -> Iterator[None]:
    assert overrides.spec(OPUS).prices[0].valid_from.isoformat() == OF_OPUS["price_source"][-10:]  # type: ignore[union-attr]
    with time_machine.travel(NOW, tick=False):
        yield


def called(minute: float = 0, **fields: Any) -> LedgerLine:
    """A call of Opus so many minutes after nine, three days ago."""
    moment = MORNING + timedelta(minutes=minute)
    values = {**OF_OPUS, "accounted_at": moment, "written_at": moment, **fields}
    return spent(moment.date(), values.pop("cost_nano", 0), **values)


def found(slug: str) -> Recommendation:
    recommendations.measure()
    one = recommendations.one(slug)
    assert one is not None
    return one


def listed(one: Recommendation) -> list[findings.Found]:
    """All lines behind a finding, as its pages list them."""
    lines: list[findings.Found] = []
    for day, _, _ in one.days:
        below: int | None = None
        while True:
            some, below = findings.lines(KINDS[one.slug], one.facts.plan, day, one.finding.measured_at, below)
            lines += some
            if below is None:
                break
    return lines


def adds_up(one: Recommendation) -> bool:
    lines = listed(one)
    by_model = sum(amount for _, _, amount in one.facts.by_model)
    return (
        len(lines) == one.finding.count == sum(count for _, count, _ in one.facts.by_model)
        and by_model == one.amount_nano == sum(amount for _, _, amount in one.days)
        and abs(sum(row.worth_nano or 0 for row in lines) - by_model) <= len(lines)
    )


def nano(dollars: Decimal) -> int:
    return int((dollars * 10**9).to_integral_value())


# Caching


def test_what_is_sent_again_is_priced_as_read_less_one_premium_for_writing() -> None:
    talk = uuid7()
    for minute, tokens in ((0, 10_000), (2, 30_000), (4, 50_000)):
        called(minute, conversation=talk, input_tokens=tokens)
    one = found("caching")
    asked, _, read, written = OPUS_PRICE
    # Sent again: 10,000 and 30,000. Of these 30,000 had to be written once.
    expected = 40_000 * (asked - read) / MILLION - 30_000 * (written - asked) / MILLION
    assert (one.finding.count, one.amount_nano) == (2, nano(expected))
    assert one.share == pytest.approx(40_000 / 90_000)
    assert adds_up(one)


def test_what_no_cache_could_have_held_is_not_counted() -> None:
    unlike: list[dict[str, Any]] = [
        {"minute": 5.01},
        {"conversation": None},
        {"conversation": uuid7()},
        {"model_asked": "claude-opus-5"},
        {"credential": uuid7()},
        {"purpose": "title"},
        {"input_tokens": 0, "cache_read_input_tokens": 30_000},
        {"input_tokens": 500},  # shorter than anything that a model caches
        {"source": "estimated"},
        {"outcome": "failed"},
        {"service_tier": "batch"},
        {"speed": "fast"},
        {"price_source": "stand-in"},
    ]
    for changed in unlike:
        talk = {"conversation": uuid7(), "input_tokens": 10_000}
        called(0, **talk)
        called(**{"minute": 2, **talk, "input_tokens": 30_000, **changed})
    one = found("caching")
    assert listed(one) == []
    assert one.finding.count == 0


def test_a_price_of_an_admins_is_the_one_that_counts() -> None:
    price = Price.objects.create(
        provider="anthropic",
        model="claude-opus-5-5",
        valid_from=NOW - timedelta(days=200),
        valid_until=NOW - timedelta(days=1),
        input=8_000_000,
        output=40_000_000,
        cache_read=1_000_000,
        cache_write_5m=9_000_000,
        cache_write_1h=16_000_000,
        long_context_above=25_000,
        long_context={
            "input": 16_000_000,
            "output": 80_000_000,
            "cache_read": 2_000_000,
            "cache_write_5m": 17_000_000,
            "cache_write_1h": 32_000_000,
        },
        source="admin",
    )
    for minute, tokens in ((0, 10_000), (2, 20_000), (4, 25_001)):
        called(minute, conversation=id_of(7), input_tokens=tokens, price_id=price.pk, price_source="admin")
    one = found("caching")
    below = 10_000 * Decimal(8 - 1) - 10_000 * Decimal(9 - 8)
    above = 20_000 * Decimal(16 - 2) - 10_000 * Decimal(17 - 16)  # strictly above: the whole request
    assert one.amount_nano == nano((below + above) / MILLION)
    assert adds_up(one)


CACHING = KINDS["caching"]
CALL = st.fixed_dictionaries(
    {
        "talk": st.integers(1, 2),
        "second": st.integers(0, 1200),  # twenty minutes, around midnight
        "fields": st.fixed_dictionaries(
            {
                "input_tokens": st.sampled_from([0, 300, 2_000, 9_000, 40_000]),
                "cache_read_input_tokens": st.sampled_from([0, 0, 1_000, 30_000]),
                "cache_creation_input_tokens": st.sampled_from([0, 0, 700, 8_000]),
                "outcome": st.sampled_from(["completed", "completed", "stopped", "failed"]),
                "source": st.sampled_from(["reported", "reported", "estimated"]),
            }
        ),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(CALL, min_size=2, max_size=9, unique_by=lambda call: (call["talk"], call["second"])))
def test_caching_is_what_counting_call_by_call_says(_at_noon: None, calls: list[dict[str, Any]]) -> None:
    with undone():
        for call in calls:
            minute = 14 * 60 + 50 + call["second"] / 60
            called(minute, conversation=id_of(call["talk"]), **call["fields"])
        days = [DAY, DAY + timedelta(days=1)]
        plan = CACHING.plan([OPUS], NOW)
        count, amount, _ = findings.measure(CACHING, plan, days, NOW)
        rows = [row for day in days for row in findings.lines(CACHING, plan, day, NOW)[0]]
        assert amount == nano(by_hand())
        assert len(rows) == count
        assert sum(row.worth_nano or 0 for row in rows) == amount


def by_hand() -> Decimal:
    """The rule, once more: call by call, in dollars."""
    asked, _, read, written = OPUS_PRICE
    whole = Decimal(0)
    for talk in (id_of(1), id_of(2)):
        lines = LedgerLine.objects.filter(conversation=talk).exclude(outcome="failed")
        last: LedgerLine | None = None
        sent_again_last = 0
        for line in lines.order_by("accounted_at", "id"):
            again = 0
            if last is not None and line.accounted_at - last.accounted_at < timedelta(minutes=5):
                cached = line.cache_read_input_tokens + line.cache_creation_input_tokens
                again = min(line.input_tokens, last.prompt_tokens - cached)
                again = again if again >= 512 else 0
            if again and line.source == "reported":
                new = max(0, again - sent_again_last)
                whole += again * (asked - read) / MILLION - new * (written - asked) / MILLION
            last, sent_again_last = line, again
    return whole


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# Cheaper models

SIZES = {"input_tokens": 100_000, "cache_read_input_tokens": 200_000, "output_tokens": 200}


def cost(price: tuple[Decimal, ...], tokens: dict[str, int]) -> Decimal:
    sizes = (tokens["input_tokens"], tokens["output_tokens"], tokens["cache_read_input_tokens"])
    return sum((size * rate / MILLION for size, rate in zip(sizes, price, strict=False)), Decimal(0))


@pytest.mark.parametrize(("slug", "purpose"), [("short-answers", "chat"), ("titles", "title")])
def test_the_difference_to_the_cheapest_model_of_the_provider(slug: str, purpose: str) -> None:
    sizes = {**SIZES, "input_tokens": 50_000, "cache_read_input_tokens": 40_000}
    for _ in range(2):
        called(purpose=purpose, cost_nano=nano(cost(OPUS_PRICE, sizes)), **sizes)
    one = found(slug)
    assert one.facts.plan.instead == {OPUS: HAIKU}
    assert one.amount_nano == nano(2 * (cost(OPUS_PRICE, sizes) - cost(HAIKU_PRICE, sizes)))
    assert adds_up(one)
    # A model that an admin has switched off is none to recommend.
    actions.change_model(by=id_of(1), ref=HAIKU, enabled=False, display_name="", facts={})
    other = found(slug).facts.plan.instead[OPUS]
    assert other not in (OPUS, HAIKU)


def test_what_may_have_needed_the_dear_model_is_not_counted() -> None:
    steps = uuid7()
    spent(NOW.date(), 1, run=steps, **OF_OPUS)
    unlike: list[dict[str, Any]] = [
        {"output_tokens": 201},
        {"thinking_tokens": 1},
        {"web_search_requests": 1},
        {"outcome": "stopped"},
        {"source": "estimated"},
        {"purpose": "gateway"},
        {"purpose": "benchmark"},
        {"input_tokens": 100_001},  # beyond the cheaper one's plain price
        {"run": steps},  # a run of two steps: it used tools
        {"model_asked": "claude-haiku-5-5"},
        {"model_asked": "nobody-knows-it"},
    ]
    for changed in unlike:
        called(**{"cost_nano": DOLLAR, "input_tokens": 90_000, "output_tokens": 200, **changed})
    one = found("short-answers")
    assert listed(one) == []
    assert one.finding.count == 0


# Waste


def test_what_was_written_after_the_first_thousand_tokens_of_a_stopped_answer() -> None:
    late = called(outcome="stopped", source="estimated", output_tokens=9_000)
    called(  # the provider counted it later: a thousand less
        call_id=late.call_id, outcome="stopped", source="corrected", output_tokens=-1_000, line=1
    )
    called(outcome="stopped", source="estimated", output_tokens=1_000)
    called(outcome="completed", output_tokens=9_000)
    one = found("stopped")
    assert (one.finding.count, one.amount_nano) == (1, nano(7_000 * OPUS_PRICE[1] / MILLION))
    assert adds_up(one)


def test_answers_as_long_as_they_were_allowed_to_be() -> None:
    cut, whole, title = (
        called(output_tokens=5_000, purpose=purpose) for purpose in ("chat", "chat", "title")
    )
    for line, most in ((cut, 5_000), (whole, 5_001), (title, 5_000)):
        moment = {"opened_at": NOW, "renewed_until": NOW}
        sizes = {"amount_nano": 0, "prompt_tokens": 1, "max_tokens": most}
        payer = {"user": line.user, "credential_scope": "", "provider": "anthropic", "purpose": "chat"}
        Hold.objects.create(
            call_id=line.call_id, model="m", tariff={}, state="closed", **payer, **sizes, **moment
        )
    one = found("cut")
    assert (one.finding.count, one.amount_nano) == (1, nano(5_000 * OPUS_PRICE[1] / MILLION))
    assert [row.line for row in listed(one)] == [cut]


def test_attempts_that_failed_and_cost_something_with_their_corrections() -> None:
    lost = called(outcome="interrupted", source="estimated", cost_nano=3 * DOLLAR)
    called(call_id=lost.call_id, outcome="interrupted", source="corrected", cost_nano=-DOLLAR, line=1)
    called(outcome="failed", error="api_error", cost_nano=DOLLAR)
    called(outcome="failed", error="overloaded_error", cost_nano=0)
    called(outcome="stopped", cost_nano=DOLLAR)
    one = found("failed")
    assert (one.finding.count, one.amount_nano) == (2, 3 * DOLLAR)
    assert adds_up(one)


def test_people_without_calls_for_thirty_days_and_their_own_budgets(owner: User, member: User) -> None:
    User.objects.update(created_at=NOW - timedelta(days=90))
    fresh, gone = (
        accounts_actions.create_user(email=f"{name}@example.org", password=PASSWORD)
        for name in ("fresh", "gone")
    )
    User.objects.filter(pk=gone.pk).update(is_active=False, created_at=NOW - timedelta(days=90))
    assert fresh.created_at > NOW - timedelta(days=1)
    spent(NOW.date() - timedelta(days=31), 5, user=member.pk)
    spent(NOW.date(), 5, user=owner.pk)
    budget(scope="person", scope_id=member.pk, limit=DOLLAR, period="day")
    budget(scope="person", scope_id=member.pk, limit=7 * DOLLAR, period="week", enabled=False)
    one = found("seats")
    assert (one.finding.count, one.amount_nano) == (1, None)
    assert one.facts.sums == {"budgets": 1, "allowed": 30 * DOLLAR}
    text = page(signed_in(owner), "/manage/recommendations/seats/")
    assert "Mo" in text
    assert "20 October 2026" in text  # the day of the last call
    assert "Olga" not in text.partition("<tbody>")[2]


def test_only_the_thirty_full_days_before_today_are_looked_at() -> None:
    for back in (0, 1, 30, 31):
        moment = NOW.replace(hour=1) - timedelta(days=back)
        spent(moment.date(), DOLLAR, outcome="failed", error="api_error", accounted_at=moment)
    one = found("failed")
    assert one.finding.count == 2
    assert [str(day) for day, _, _ in one.days] == ["2026-11-19", "2026-10-21"]


# Pages

PATHS = [
    "/manage/recommendations/",
    "/manage/recommendations/failed/",
    f"/manage/recommendations/failed/{DAY}/",
    "/manage/recommendations/seats/",
]


@pytest.mark.parametrize("path", PATHS)
def test_recommendations_are_for_owners_and_admins_alone(
    owner: User, admin: User, member: User, path: str
) -> None:
    called(outcome="failed", cost_nano=DOLLAR)
    recommendations.measure()
    for person in (owner, admin):
        assert signed_in(person).get(path).status_code == 200
    assert signed_in(member).get(path).status_code == 404
    assert signed_in(member).post(PATHS[0]).status_code == 404
    assert Client(headers={"host": "localhost"}).get(path).status_code == 302


def test_the_page_shows_what_says_something_with_its_amount_and_its_rows(owner: User) -> None:
    hostile = "<script>alert(1)</script>"
    User.objects.filter(pk=owner.pk).update(display_name=hostile)
    for number in range(60):
        called(number, outcome="failed", error="api_error", cost_nano=DOLLAR, user=owner.pk)
    called(outcome="stopped", output_tokens=1_001)  # comes to less than a cent
    client = signed_in(owner)
    assert "Not measured yet" in page(client, PATHS[0])
    assert client.post(PATHS[0]).status_code == 302
    text = page(client, PATHS[0])
    assert "Measured anew" in text
    assert "Failed attempts that were billed" in text
    assert "<b>$60</b>" in text
    assert "The 60 attempts behind it" in text
    assert '<h2 id="stopped">' not in text
    assert "nothing to say: " in text
    one = page(client, PATHS[1])
    assert "17 November 2026" in one
    first = page(client, PATHS[2])
    older = re.findall(r'href="(\?below=[0-9]+)"', first)
    second = page(client, PATHS[2] + older[0])
    shown = [re.findall(r"/manage/usage/calls/([0-9a-f-]{36})/", part) for part in (first, second)]
    assert [len(part) for part in shown] == [50, 10]
    assert len({*shown[0], *shown[1]}) == 60
    assert hostile not in first
    assert html.escape(hostile) in first
    assert client.get(html.unescape(f"/manage/usage/calls/{shown[0][0]}/")).status_code == 200


def test_nothing_found_says_what_was_looked_at(owner: User) -> None:
    called(output_tokens=500)
    recommendations.measure()
    text = page(signed_in(owner), PATHS[0])
    assert "Nothing to recommend" in text
    for title in ("input sent again that a cache could have held", "dormant seats", "answers stopped late"):
        assert title in text
    one = page(signed_in(owner), PATHS[1])
    assert "Nothing found" in one


@pytest.mark.parametrize(
    "path",
    [
        "nothing/",
        "failed/2026-11-18/",
        "failed/yesterday/",
        "seats/2026-11-17/",
        "failed/2026-11-17/?below=x",
    ],
)
def test_what_is_not_there_is_not_found(owner: User, path: str) -> None:
    called(outcome="failed", cost_nano=DOLLAR)
    recommendations.measure()
    assert signed_in(owner).get(PATHS[0] + path).status_code == 404


def test_a_page_asks_as_often_for_many_rows_as_for_few(
    owner: User, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overrides, "clock", lambda: 0.0)  # what models there are is read once
    client = signed_in(owner)
    for count in (1, 30):
        for number in range(count):
            called(number, outcome="failed", cost_nano=DOLLAR, user=uuid7())
        recommendations.measure()
        for path, queries in zip(PATHS, (6, 5, 8, 6), strict=True):
            client.get(path)
            with django_assert_num_queries(queries):
                page(client, path)


def test_measuring_is_a_duty_of_the_night_and_may_be_done_twice(owner: User) -> None:
    assert recommendations.DUTY in DUTIES
    called(outcome="failed", cost_nano=DOLLAR)
    for _ in range(2):
        recommendations.DUTY.do()
    assert Finding.objects.count() == len(recommendations.EVERY)


def test_amounts_have_two_digits() -> None:
    said = {
        0: "less than a cent",
        9_999_999: "less than a cent",
        10_000_000: "$0.01",
        534_000_000: "$0.53",
        999_000_000: "$1.00",
        4_749_000_000: "$4.70",
        9_960_000_000: "$10",
        12_640_000_000: "$13",
        1_284_070_000_000: "$1,300",
    }
    assert {amount: roughly(amount) for amount in said} == said
