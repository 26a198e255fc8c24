"""Looks by the clock at what is spent, and raises alerts. Each watch may run again at any time.

*Budgets*: the period in force of a budget whose settled amount has reached a threshold (alert_settings). Of
several that were passed at once only the highest is told, and then no lower one any more: a threshold is told
once in a period, whatever becomes of the limit.

*Spend*: today's spend until now is FACTOR times the usual one or more, and more by FLOOR at least. Usual is
the median of the same weekday until the same time of day, of those of the last WEEKS weeks on which something
was spent by then; there must be LEAST_WEEKDAYS of them. Told once a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, Q, Sum
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from usage.alerts.alerts import raise_alert
from usage.alerts.delivery import deliver
from usage.alerts.settings import wishes
from usage.budgets.refusals import whose
from usage.budgets.words import NANO, PER, limit_words, places, written
from usage.clock import database_now, organisation_day
from usage.models import NOBODY, Alert, Budget, BudgetPeriod, LedgerLine

WEEKS = 4
LEAST_WEEKDAYS = 2
FACTOR = 2
FLOOR = 5 * NANO  # nano-dollars
FULL = 100  # percent
AT_THE_LIMIT = {
    "block": "New calls are refused",
    "warn": "Calls go on, with a warning",
    "cheaper": "Calls go on with a cheaper model",
}


def budgets() -> None:
    """Every budget that limits something now."""
    thresholds = wishes().thresholds
    if not thresholds:
        return
    now = database_now()
    in_force = BudgetPeriod.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), begins_at__lte=now)
    # Divided first: a hundred times a limit may be more than the database can count.
    near = in_force.filter(budget__enabled=True, settled__gte=F("budget__limit") / FULL * thresholds[0])
    rows = list(near.select_related("budget"))
    told = _told(rows)
    raised = False
    for row in rows:
        reached = max((mark for mark in thresholds if _has_reached(row, mark)), default=0)
        if reached > told.get(str(row.pk), 0):
            raised |= _tell_budget(row, reached)
    if raised:
        deliver()


def spend() -> None:
    """The whole organisation's day so far."""
    now = database_now()
    today, zone = organisation_day(now), timezone.get_default_timezone()
    clock = now.astimezone(zone).time()
    spent = _spent(today, clock)
    if spent < FLOOR:
        return
    before = [_spent(today - week * timedelta(weeks=1), clock) for week in range(1, WEEKS + 1)]
    known = [amount for amount in before if amount > 0]
    if len(known) < LEAST_WEEKDAYS:
        return
    usual = median(known)
    if spent < FACTOR * usual or spent - usual < FLOOR:
        return
    alert = raise_alert(
        kind=Alert.Kind.SPEND,
        subject="organisation",
        period=f"{today}",
        title=f"Unusual spend today: {_dollars(spent)}",
        body=(
            f"Usual on a {today:%A} until {clock:%H:%M} ({zone}) is {_dollars(usual)}, the median of "
            f"{len(known)} of the last {WEEKS} weeks: {', '.join(map(_dollars, known))}, the latest first."
        ),
        link=f"{reverse('usage:usage')}?{urlencode({'period': 'own', 'from': today, 'to': today})}",
    )
    if alert is not None:
        deliver()


def median(amounts: Iterable[int]) -> int:
    """The middle one; of an even number the mean of the two in the middle, rounded down."""
    ordered = sorted(amounts)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2


def _has_reached(row: BudgetPeriod, percent: int) -> bool:
    return row.settled * FULL >= row.budget.limit * percent


def _told(rows: Iterable[BudgetPeriod]) -> dict[str, int]:
    """The highest threshold that was told of each of these periods."""
    found: dict[str, int] = {}
    alerts = Alert.objects.filter(kind=Alert.Kind.BUDGET, subject__in=[str(row.pk) for row in rows])
    for subject, period in alerts.values_list("subject", "period"):
        found[subject] = max(found.get(subject, 0), int(period))
    return found


def _tell_budget(row: BudgetPeriod, threshold: int) -> bool:
    budget = row.budget
    used = written(budget.measure, row.settled, places(budget.measure, budget.limit))
    limit = f"{limit_words(budget.measure, budget.limit)} {PER[budget.period]}"
    percent = row.settled * FULL // max(1, budget.limit)
    title = f"{threshold} % of the limit is used"
    if row.subject != NOBODY:
        title = f"{_name(row.subject)} has used {threshold} % of the limit"
    alert = raise_alert(
        kind=Alert.Kind.BUDGET,
        subject=str(row.pk),
        period=str(threshold),
        title=f"{budget.name}: {title}",
        body=(
            f"Used: {used} of {limit} ({percent} %). {_at_the_limit(row)} "
            f"The limit applies to {_whose(budget)}. {_resets(row)}"
        ),
        link=reverse("usage:budget", args=[budget.pk]),
    )
    return alert is not None


def _at_the_limit(row: BudgetPeriod) -> str:
    what = AT_THE_LIMIT[row.budget.mode]
    return f"{what}." if row.settled >= row.budget.limit else f"At the limit {what[0].lower()}{what[1:]}."


def _whose(budget: Budget) -> str:
    is_person = budget.scope == Budget.Scope.PERSON
    return whose(budget, person=_name(budget.scope_id or NOBODY) if is_person else "")


def _resets(row: BudgetPeriod) -> str:
    if row.ends_at is None:
        return "It is a total and does not begin anew."
    there = row.ends_at.astimezone(ZoneInfo(row.budget.timezone))
    return f"It begins anew on {there.day} {there:%B} at {there:%H:%M} ({row.budget.timezone})."


def _name(person: UUID) -> str:
    found = User.objects.filter(pk=person).first()
    return found.display if found is not None else "Somebody who left"


def _spent(day: date, until: time) -> int:
    """Nano-dollars of this day of the organisation, from midnight to before this time."""
    zone = timezone.get_default_timezone()
    begin, end = (datetime.combine(day, moment, zone) for moment in (time(), until))
    lines = LedgerLine.objects.filter(accounted_at__gte=begin, accounted_at__lt=end)
    return int(lines.aggregate(total=Sum("cost_nano"))["total"] or 0)


def _dollars(nano: int) -> str:
    return written("money", nano, 2)
