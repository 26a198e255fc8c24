"""What the organisation spends, seen from above: now, to the month's end, on whom, and what went wrong.

The forecast is simple and says so: every day to come costs what its weekday cost on average in the last 14
full days (without the days before the first usage); today comes to at least what was spent already. Where no
such weekday was seen, the average of all those days stands in. Amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Count, Min

from usage.models import DailyUsage, LedgerLine, Outcome
from usage.reports.changes import Comparison, earliest, of_days
from usage.reports.forms import Period, period
from usage.reports.reports import Filters, Key, Sums, sums
from usage.reports.sources import Ready, unfinished

LOOK_BACK = 14  # full days
LATELY = timedelta(hours=24)
TOP = 5


@dataclass(frozen=True, slots=True)
class FirstToken:
    """Milliseconds to the first content; None without calls that had any. Percentiles are nearest-rank."""

    p50: int | None
    p95: int | None


@dataclass(frozen=True, slots=True)
class Concentration:
    """How much of the spend comes from few people. Shares are from 0 to 1."""

    people: int
    top: float
    tenth_people: int
    tenth: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of error, and how many attempts ended with it."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All that the page shows. `ahead` is the forecast of each day to come, and of today as a whole;
    `forecast_nano` that of the whole month, None while no full day has passed since the first usage.
    """

    month: Period
    week: Period
    by_day: Mapping[date, Sums]
    ahead: Mapping[date, int]
    forecast_nano: int | None
    looked_at: int
    by_person: Sequence[tuple[Key, Sums]]
    by_team: Sequence[tuple[Key, Sums]]
    by_model: Sequence[tuple[Key, Sums]]
    of_models: Mapping[Key, Sums]
    concentration: Concentration | None
    first_token: FirstToken
    faults: Sequence[Fault]
    is_new: bool

    def of(self, period: Period) -> Sums:
        """The sum of a period's days up to today."""
        return sum((self.by_day.get(day, Sums()) for day in period.days), Sums())

    @property
    def today(self) -> Sums:
        return self.by_day.get(self.month.today, Sums())

    @property
    def yesterday(self) -> Sums:
        return self.by_day.get(self.month.today - timedelta(days=1), Sums())

    @property
    def month_change(self) -> Comparison | None:
        return of_days("month", self.month, self.by_day)

    @property
    def week_change(self) -> Comparison | None:
        return of_days("week", self.week, self.by_day)


def overview(today: date, now: datetime) -> Overview:
    """Everything at once; a fixed number of queries, whatever there is."""
    month, week = period("month", today), period("week", today)
    back = earliest(("month", month), ("week", week))
    begin = min(month.first, week.first, back, today - timedelta(days=LOOK_BACK))
    ready = Ready(begin, month.end)
    looked_at = Filters(first=begin, last=today, ready=ready)
    by_day = {key[0]: found for key, found in sums(looked_at, ("day",)).items()}
    first_ever = DailyUsage.objects.aggregate(first=Min("day"))["first"]
    full = _full_days(today, first_ever)
    spent = {day: by_day.get(day, Sums()).cost_nano for day in full}
    ahead = forecast(month, spent, by_day.get(today, Sums()).cost_nano)
    so_far = sum(by_day.get(day, Sums()).cost_nano for day in month.days if day < today)
    of_month = Filters(first=month.first, last=month.end, ready=ready)
    of_models = sums(of_month, ("day", "model"))
    by_model: dict[Key, Sums] = {}
    for key, found in of_models.items():
        by_model[key[1:]] = by_model.get(key[1:], Sums()) + found
    by_person = dearest(sums(of_month, ("person",)))
    return Overview(
        month=month,
        week=week,
        by_day=by_day,
        ahead=ahead,
        forecast_nano=so_far + sum(ahead.values()) if ahead else None,
        looked_at=len(full),
        by_person=by_person[:TOP],
        by_team=dearest(sums(of_month, ("team",)))[:TOP],
        by_model=dearest(by_model)[:TOP],
        of_models=of_models,
        concentration=concentration([found.cost_nano for _, found in by_person]),
        first_token=first_token(now),
        faults=faults(of_month),
        is_new=first_ever is None,
    )


def forecast(month: Period, full_days: Mapping[date, int], spent_today: int) -> dict[date, int]:
    """What today and each later day of the month comes to, by what the full days before cost, rounded half
    up; nothing without a full day.
    """
    if not full_days:
        return {}
    usual = _mean(list(full_days.values()))
    by_weekday: dict[int, list[int]] = {}
    for day, cost in full_days.items():
        by_weekday.setdefault(day.weekday(), []).append(cost)
    ahead = {}
    for day in month.days:
        if day >= month.today:
            seen = by_weekday.get(day.weekday())
            ahead[day] = _mean(seen) if seen else usual
    ahead[month.today] = max(ahead[month.today], spent_today)
    return ahead


def concentration(costs: Sequence[int]) -> Concentration | None:
    """Of what each person's calls cost. A tenth of the people is rounded up. None: nothing cost anything."""
    costs = sorted((cost for cost in costs if cost > 0), reverse=True)
    if not costs:
        return None
    tenth = -(-len(costs) // 10)
    whole = sum(costs)
    return Concentration(len(costs), costs[0] / whole, tenth, sum(costs[:tenth]) / whole)


def dearest(groups: Mapping[Key, Sums]) -> list[tuple[Key, Sums]]:
    """The groups, dearest first."""
    return sorted(groups.items(), key=lambda item: (-item[1].cost_nano, -item[1].calls, str(item[0])))


def first_token(now: datetime) -> FirstToken:
    """How long calls of the last 24 hours took to their first content. One query."""
    begun = LedgerLine.objects.filter(accounted_at__gte=now - LATELY, line=0, ttft_ms__isnull=False)
    statement, values = begun.order_by().values("ttft_ms").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_PERCENTILES.format(lines=statement), values)
        p50, p95 = cursor.fetchone()
    return FirstToken(p50, p95)


def faults(of: Filters) -> list[Fault]:
    """Why attempts failed, the most frequent reasons first. One query."""
    failed = unfinished(replace(of, outcome=Outcome.FAILED)).filter(line=0)
    kinds = failed.order_by().values("error").annotate(count=Count("line")).order_by("-count", "error")
    return [Fault(row["error"], row["count"]) for row in kinds[:TOP]]


def _full_days(today: date, first_ever: date | None) -> list[date]:
    if first_ever is None:
        return []
    days = [today - timedelta(days=back) for back in range(LOOK_BACK, 0, -1)]
    return [day for day in days if day >= first_ever]


def _mean(costs: Sequence[int]) -> int:
    return (2 * sum(costs) + len(costs)) // (2 * len(costs))


# {lines} is a query of ours whose values are parameters.
_PERCENTILES = """
SELECT MIN(CASE WHEN place * 100 >= timed * 50 THEN ttft_ms END),
    MIN(CASE WHEN place * 100 >= timed * 95 THEN ttft_ms END)
FROM (
    SELECT ttft_ms, COUNT(*) OVER () AS timed, ROW_NUMBER() OVER (ORDER BY ttft_ms) AS place
    FROM ({lines}) begun
) ranked
"""
