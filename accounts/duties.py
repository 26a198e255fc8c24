"""Duties: what the installation does by the clock, in one of its processes at a time.

The database says when a duty is due and who does it, so that any number of processes share them. What was due
while nothing ran is done once, at the next start. A duty is done again after a crash in its midst, and
while it takes longer than CLAIM: it must not mind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from accounts.clock import database_now
from accounts.models import DutyRun

CLAIM = timedelta(minutes=15)
TRY_AGAIN = timedelta(minutes=5)  # after a failure, or sooner where the duty comes round sooner

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Duty:
    """`do` is called `every` so often, or once a day `at` this time of the organisation's day. It is called
    outside any transaction, in a thread that belongs to duties; what it raises is logged and stored.
    """

    name: str
    do: Callable[[], object]
    every: timedelta | None = None
    at: time | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.at is None):
            raise ValueError(f"The duty {self.name} needs either a span or a time of the day.")

    def after(self, moment: datetime) -> datetime:
        """When it is due next, seen from this moment."""
        if self.every is not None:
            return moment + self.every
        at = self.at or time()
        local = moment.astimezone(timezone.get_default_timezone())
        today = datetime.combine(local.date(), at, local.tzinfo)
        return today if today > local else datetime.combine(today.date() + _DAY, at, local.tzinfo)

    def after_failure(self, moment: datetime) -> datetime:
        return min(self.after(moment), moment + TRY_AGAIN)


def do_due(duties: Sequence[Duty]) -> list[str]:
    """Does every duty that is due and that no other process does; returns their names.

    A duty is first due one span after it was first seen. Raises OperationalError or InterfaceError while the
    database is away.
    """
    now = database_now()
    known = dict(DutyRun.objects.values_list("name", "due_at"))
    new = [DutyRun(name=duty.name, due_at=duty.after(now)) for duty in duties if duty.name not in known]
    if new:
        DutyRun.objects.bulk_create(new, ignore_conflicts=True)
    return [
        duty.name
        for duty in duties
        if duty.name in known and known[duty.name] <= now and _claim(duty, Q(due_at__lte=now)) and _do(duty)
    ]


def do_now(duty: Duty) -> bool:
    """Does it whether it is due or not; False, with the reason stored, where it failed or another process is
    at it.
    """
    DutyRun.objects.get_or_create(name=duty.name, defaults={"due_at": duty.after(database_now())})
    return _claim(duty, Q()) and _do(duty)


def _claim(duty: Duty, condition: Q) -> bool:
    now = database_now()
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    rows = DutyRun.objects.filter(free, condition, name=duty.name)
    return rows.update(claimed_by=settings.PROCESS_NAME, claimed_until=now + CLAIM) == 1


def _do(duty: Duty) -> bool:
    """Whether it went well. Its claim is given back either way."""
    error = ""
    try:
        duty.do()
    except Exception as raised:  # a duty that fails must not end the others
        log.exception("The duty %s failed", duty.name)
        # A message may carry what a vendor or a mail server said; the log masks secrets, a page does not.
        error = type(raised).__name__
        if isinstance(raised, OperationalError | InterfaceError):
            raise
    finally:
        now = database_now()
        DutyRun.objects.filter(name=duty.name, claimed_by=settings.PROCESS_NAME).update(
            due_at=duty.after_failure(now) if error else duty.after(now),
            claimed_by="",
            claimed_until=None,
            ended_at=now,
            last_error=error,
        )
    return not error


_DAY = timedelta(days=1)
