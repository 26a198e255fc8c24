"""People with an account who have not called any model for a while."""

from __future__ import annotations

from datetime import date, datetime

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from accounts.models import User
from usage.models import Budget, LedgerLine
from usage.recommendations.sql import day_span

A_MONTH = {
    "day": (30, 1),
    "week": (30, 7),
    "month": (1, 1),
}  # how many of a period are in a month, as a fraction


def dormant(first: date) -> QuerySet[User]:
    """Active people who were here before this day and have called nothing since; who was never seen first,
    then those not seen for longest. `last_call` is the moment of their last call, None without any.
    """
    since = day_span(first).begin
    own = LedgerLine.objects.filter(user=OuterRef("pk"))
    last = Subquery(own.order_by("-accounted_at").values("accounted_at")[:1])
    people = User.objects.active().filter(created_at__lt=since)
    silent = people.filter(~Exists(own.filter(accounted_at__gte=since)))
    found: QuerySet[User] = silent.annotate(last_call=last)
    return found.order_by(F("last_call").asc(nulls_first=True), "email")


def last_seen(person: User) -> datetime | None:
    """The later of the last call and the last time they signed in."""
    moments = [one for one in (getattr(person, "last_call", None), person.last_login) if one is not None]
    return max(moments, default=None)


def budgets_of(people: QuerySet[User]) -> tuple[int, int]:
    """How many money budgets these people have for themselves, and what these allow a month, in nano-dollars.

    Those without an end are counted, and allow nothing a month.
    """
    own = Budget.objects.filter(
        scope=Budget.Scope.PERSON,
        measure=Budget.Measure.MONEY,
        enabled=True,
        scope_id__in=people.order_by().values("pk"),
    )
    count, allowed = 0, 0
    for period, limit in own.order_by().values_list("period", "limit"):
        times, parts = A_MONTH.get(period, (0, 1))
        count, allowed = count + 1, allowed + limit * times // parts
    return count, allowed
