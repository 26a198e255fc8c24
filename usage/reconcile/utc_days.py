"""What the ledger says of one day of UTC, as a vendor counts: by model, of the credentials of one account.

The ledger's own days are those of the organisation; a vendor's are those of UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, NullIf

from accounts.models import Credential
from usage.catalogue import overrides
from usage.models import ComparedUsage, DailyUsage, LedgerLine, Source

SNAPSHOT = 9  # characters of "-20260928", by which a vendor names one state of a model
# What a vendor has sold in advance costs nothing in its reports (Anthropic's Priority Tier).
SOLD_BEFORE = Q(service_tier__startswith="priority")
_AMOUNTS: dict[str, Any] = {
    **{f"sum_{name}": Sum(name) for name in ComparedUsage.COUNTS},
    "sum_cost": Sum("cost_nano", filter=~SOLD_BEFORE),
    "sum_estimated": Sum("cost_nano", filter=Q(source=Source.ESTIMATED) & ~SOLD_BEFORE),
    "sum_lines": Count("id"),
}


@dataclass(frozen=True, slots=True)
class LedgerFigures:
    """Sums of some lines: `counts` by the names of ComparedUsage.COUNTS, amounts in nano-dollars."""

    counts: dict[str, int]
    cost_nano: int
    estimated_nano: int
    lines: int

    def __add__(self, other: LedgerFigures) -> LedgerFigures:
        return LedgerFigures(
            {name: self.counts[name] + other.counts[name] for name in self.counts},
            self.cost_nano + other.cost_nano,
            self.estimated_nano + other.estimated_nano,
            self.lines + other.lines,
        )


NOTHING = LedgerFigures(dict.fromkeys(ComparedUsage.COUNTS, 0), 0, 0, 0)


def figures(provider: str, vendor_account: str, day: date) -> dict[str, LedgerFigures]:
    """The day's sums by model, named as in `model_named`. Two queries."""
    found: dict[str, LedgerFigures] = {}
    rows = _served(provider, vendor_account, day).values("name").annotate(**_AMOUNTS)
    for row in rows.order_by():
        model = model_named(provider, row["name"])
        own = LedgerFigures(
            {name: int(row[f"sum_{name}"] or 0) for name in ComparedUsage.COUNTS},
            int(row["sum_cost"] or 0),
            int(row["sum_estimated"] or 0),
            row["sum_lines"],
        )
        found[model] = found.get(model, NOTHING) + own
    return found


def lines(provider: str, vendor_account: str, day: date, model: str) -> QuerySet[LedgerLine]:
    """The lines behind the figures of one model; of every model for ""."""
    served = _served(provider, vendor_account, day)
    if not model:
        return served
    names = set(served.order_by().values_list("name", flat=True).distinct())
    return served.filter(name__in=[name for name in names if model_named(provider, name) == model])


def model_named(provider: str, name: str) -> str:
    """Our id of a model that a vendor names by its id, an alias or one of its snapshots; any other name as it
    is.
    """
    spec = overrides.spec(f"{provider}/{name}")
    if spec is None and name[-SNAPSHOT : -SNAPSHOT + 1] == "-" and name[-SNAPSHOT + 1 :].isdecimal():
        spec = overrides.spec(f"{provider}/{name[:-SNAPSHOT]}")
    return spec.id if spec is not None else name


def first_day(provider: str) -> date | None:
    """The first day with a line of this provider, None where there is none."""
    ours: date | None = DailyUsage.objects.filter(provider=provider).aggregate(first=Min("day"))["first"]
    if ours is None:
        return None
    # The organisation's day may begin on another one of UTC, and its first call is near.
    near = _between(begin(ours) - _DAY, begin(ours) + 2 * _DAY, provider).aggregate(first=Min("accounted_at"))
    moment: datetime | None = near["first"]
    return moment.astimezone(UTC).date() if moment is not None else ours


def begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _served(provider: str, vendor_account: str, day: date) -> QuerySet[Any]:
    """The lines of the day and the account; `name` is the model that answered, else the one asked for."""
    found = _between(begin(day), begin(day) + _DAY, provider)
    if foreign := _of_other_accounts(provider, vendor_account):
        found = found.exclude(credential__in=foreign)
    return found.annotate(name=Coalesce(NullIf("model_served", Value("")), F("model_asked")))


def _between(begin: datetime, end: datetime, provider: str) -> QuerySet[LedgerLine]:
    """The lines from one moment to before another.

    The provider looks as if no index could serve it: only that of the moments finds a few days alone.
    """
    found = LedgerLine.objects.filter(accounted_at__gte=begin, accounted_at__lt=end)
    return found.alias(of_provider=Coalesce("provider", "provider")).filter(of_provider=provider)


def _of_other_accounts(provider: str, vendor_account: str) -> list[Any]:
    """The credentials of which it is known that the vendor counts them elsewhere; logins of unknown accounts
    too, for a subscription is in no report.
    """
    own = Q(vendor_account=vendor_account) | Q(
        vendor_account="", kind__in=[Credential.Kind.API_KEY, Credential.Kind.CLIENT]
    )
    return list(Credential.objects.filter(provider=provider).exclude(own).values_list("pk", flat=True))


_DAY = timedelta(days=1)
