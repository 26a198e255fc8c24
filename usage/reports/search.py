"""Where the lines are that a list shows: for filters that leave few lines of many, by the days that have any.

No index of the ledger serves every filter, and a list of what is rare would read its way through months of
lines. DailyUsage knows who has calls of that kind on which day. So the list reads the newest of those days:
all lines of a day, where such calls are close together, else those of the people who called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from usage.ledger.ledger import EAST, WEST
from usage.models import LedgerLine, Outcome
from usage.reports.sources import Filters, days, lines, narrowed, unfinished

LOOK = 2_000  # rows of DailyUsage
MOST_PEOPLE = 150  # people on a day, counted for each day: where there are more, calls are close together
ONE_DAY = timedelta(days=1)


class Part(NamedTuple):
    """Some of the lines of the filters: all but those from before `since`; None: all of them."""

    lines: QuerySet[LedgerLine]
    since: datetime | None


class _Called(NamedTuple):
    day: date
    user: UUID
    calls: int


def parts(filters: Filters, wanted: int, before: datetime | None = None) -> Iterator[Part]:
    """Ever more of the lines of the filters, the newest first, until it is all of them. In the first part
    there are likely as many as wanted, `before` a moment if one is given.
    """
    if filters.outcome not in ("", Outcome.COMPLETED):
        yield Part(unfinished(filters), None)
        return
    if not narrowed(filters, "model"):
        yield Part(lines(filters), None)
        return
    last = filters.last if before is None else min(filters.last, (before + EAST).date())
    if last < filters.first:
        yield Part(LedgerLine.objects.none(), None)
        return
    filters = replace(filters, last=last)
    newest = days(filters).order_by("-day").values_list("day", "user", "calls")[:LOOK]
    called = [_Called(*row) for row in newest]
    is_all, some = len(called) < LOOK, 2 * wanted
    # Of the day on which somebody has read already, nobody knows how many calls are left.
    unread = called if before is None else [one for one in called if one.day < (before - WEST).date()]
    while unread:
        first = _reach(unread, some)
        if first == called[-1].day:  # the last one may be there in part alone
            break
        yield Part(_of(filters, [one for one in called if one.day >= first], first), _after(first))
        some *= 8
    if is_all:
        yield Part(_of(filters, called, called[-1].day) if called else LedgerLine.objects.none(), None)
    else:
        yield Part(lines(filters), None)


def _reach(called: Sequence[_Called], some: int) -> date:
    """The day back to which there are so many calls, or the oldest."""
    for one in called:
        some -= one.calls
        if some <= 0:
            return one.day
    return called[-1].day


def _of(filters: Filters, called: Sequence[_Called], first: date) -> QuerySet[LedgerLine]:
    """The lines from the first day on, of those who called."""
    found = lines(replace(filters, first=first))
    theirs = {(one.user, one.day) for one in called}
    if len({one.day for one in called}) == 1 or len(theirs) > MOST_PEOPLE:
        return found
    # One look into the index of people's lines for each.
    return found.filter(reduce(or_, (_of_one(user, day) for user, day in sorted(theirs, key=str))))


def _of_one(user: UUID, day: date) -> Q:
    midnight = datetime.combine(day, time(), UTC)
    moments = (midnight - EAST, midnight + ONE_DAY + WEST)
    return Q(user=user, day=day, accounted_at__range=moments)


def _after(first: date) -> datetime:
    """No line of an earlier day is of this moment or later, in whatever zone its day was."""
    return datetime.combine(first, time(), UTC) + WEST
