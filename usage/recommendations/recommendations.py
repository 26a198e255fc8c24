"""What could be saved, measured from the ledger: computed once a night, kept, and shown with its rows.

Every kind looks at the last DAYS full days. Nothing is extrapolated: what these days say is called a month's.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from accounts.duties import Duty
from usage.catalogue import overrides
from usage.clock import organisation_day
from usage.models import DailyUsage, Finding
from usage.recommendations import findings
from usage.recommendations import seats as finding_seats
from usage.recommendations.caching import Caching
from usage.recommendations.cheaper_models import SHORT_ANSWERS, TITLES
from usage.recommendations.findings import Facts, Kind
from usage.recommendations.waste import CUT, FAILED, STOPPED
from usage.reports.reports import Filters, total

DAYS = 30
CENT = 10_000_000  # nano-dollars; what comes to less is nothing to recommend
SEATS = "seats"
KINDS: Mapping[str, Kind] = {
    kind.slug: kind for kind in (Caching(), SHORT_ANSWERS, TITLES, STOPPED, CUT, FAILED)
}
EVERY = (*KINDS, SEATS)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A finding as it was measured."""

    finding: Finding
    facts: Facts

    @property
    def slug(self) -> str:
        return self.finding.kind

    @property
    def amount_nano(self) -> int | None:
        return self.finding.amount_nano

    @property
    def says_something(self) -> bool:
        if self.amount_nano is None:
            return self.finding.count > 0
        return self.amount_nano >= CENT

    @property
    def share(self) -> float | None:
        """The part of all input that was sent again, from 0 to 1."""
        whole = self.facts.whole_input
        return self.facts.sums.get("resent", 0) / whole if whole > 0 else None

    @property
    def days(self) -> list[tuple[date, int, int]]:
        """The days that have any, newest first."""
        found = [(date.fromisoformat(day), count, nano) for day, count, nano in self.facts.by_day]
        return sorted(found, reverse=True)


def measure() -> None:
    """Measures everything anew. Reads the ledger a day at a time, and writes once, in the end."""
    overrides.known()
    now = timezone.now()
    today = organisation_day(now)
    first, last = today - timedelta(days=DAYS), today - timedelta(days=1)
    whole = Filters(first=first, last=last)
    used = DailyUsage.objects.filter(day__range=(first, last)).order_by()
    models = used.values_list("provider", "model").distinct()
    refs = sorted(f"{provider}/{model}" for provider, model in models)
    days = _near(used.values_list("day", flat=True).distinct(), first, last)
    made = []
    for slug, kind in KINDS.items():
        began = clock.perf_counter()
        plan = kind.plan(refs, now)
        count, amount, facts = findings.measure(kind, plan, days, now)
        if slug == "caching":
            facts = Facts(
                plan=facts.plan,
                by_day=facts.by_day,
                by_model=facts.by_model,
                sums=facts.sums,
                whole_input=total(whole).prompt,
            )
        made.append(_finding(slug, now, began, first, last, count, amount, facts))
    began = clock.perf_counter()
    people = finding_seats.dormant(first)
    budgets, allowed = finding_seats.budgets_of(people)
    seats = Facts(sums={"budgets": budgets, "allowed": allowed})
    made.append(_finding(SEATS, now, began, first, last, people.count(), None, seats))
    with transaction.atomic():
        Finding.objects.all().delete()
        Finding.objects.bulk_create(made)


DUTY = Duty("recommendations", measure, at=time(3, 40))


def stored() -> list[Recommendation]:
    """All kinds as they were measured last, those that save most first; nothing before the first measuring.
    One query.
    """
    found = [
        Recommendation(row, Facts.from_json(row.facts)) for row in Finding.objects.filter(kind__in=EVERY)
    ]
    return sorted(found, key=lambda one: (-(one.amount_nano or 0), EVERY.index(one.slug)))


def one(slug: str) -> Recommendation | None:
    """A kind as it was measured last."""
    row = Finding.objects.filter(kind=slug).first()
    return Recommendation(row, Facts.from_json(row.facts)) if row is not None else None


def first_use() -> date | None:
    """The first day on which anything was used."""
    found: date | None = DailyUsage.objects.aggregate(first=Min("day"))["first"]
    return found


def _near(used: Iterable[date], first: date, last: date) -> list[date]:
    """The days on which lines can be: a moment belongs to a day in the zone of the time when it was
    written.
    """
    near = {day + timedelta(days=away) for day in used for away in (-1, 0, 1)}
    return sorted(day for day in near if first <= day <= last)


def _finding(
    slug: str,
    now: datetime,
    began: float,
    first: date,
    last: date,
    count: int,
    amount: int | None,
    facts: Facts,
) -> Finding:
    return Finding(
        kind=slug,
        measured_at=now,
        took_ms=int((clock.perf_counter() - began) * 1000),
        first=first,
        last=last,
        count=count,
        amount_nano=amount,
        facts=facts.to_json(),
    )
