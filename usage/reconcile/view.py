"""What the page of the comparison shows: days with their models, and the keys that count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.db.models import F, QuerySet

from accounts.keys import credentials
from accounts.models import Credential
from usage.models import ComparedUsage, Reconciliation, VendorKey
from usage.reconcile import drift
from usage.reconcile.drift import Drift
from usage.reports.names import Name, model_name

AT_ONCE = 14  # days on a page
KINDS = {
    "web_search": "Web searches",
    "code_execution": "Code execution",
    "session_usage": "Sessions of agents",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One row: its money, and of its counts the one that is furthest off."""

    row: ComparedUsage
    name: Name
    money: Drift
    counts: list[Drift]

    @property
    def furthest(self) -> Drift | None:
        return drift.furthest(self.counts)

    @property
    def is_beyond(self) -> bool:
        return drift.is_beyond(self.row)

    @property
    def is_estimated(self) -> bool:
        return self.row.estimated_nano != 0


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    rows: list[Shown]
    money: Drift

    @property
    def is_beyond(self) -> bool:
        return any(one.is_beyond for one in self.rows)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the vendor's. `is_ours`: its end is that of a key which Parley makes calls with."""

    row: VendorKey
    is_ours: bool

    @property
    def name(self) -> str:
        return self.row.name or self.row.key_id or "Without a key: the vendor's own console"


def days(state: Reconciliation, before: date | None = None) -> tuple[list[Day], date | None]:
    """The newest compared days, or those before one, the newest first; and where there are older ones, the
    first day of these.
    """
    rows = _rows(state)
    if before is not None:
        rows = rows.filter(day__lt=before)
    newest = rows.order_by("-day").values_list("day", flat=True).first()
    if newest is None:
        return [], None
    first = newest - timedelta(days=AT_ONCE - 1)
    found = _days(rows.filter(day__gte=first))
    return found, first if rows.filter(day__lt=first).exists() else None


def day(state: Reconciliation, when: date) -> Day | None:
    """One day; None where it was not compared."""
    return next(iter(_days(_rows(state).filter(day=when))), None)


def whole(found: Iterable[Day]) -> Drift:
    return drift.whole_money(one.row for each in found for one in each.rows)


def keys(state: Reconciliation) -> list[Key]:
    """Those that were used, ours first."""
    rows = VendorKey.objects.filter(provider=state.provider, vendor_account=state.vendor_account)
    ours = set(Credential.objects.for_calls().filter(provider=state.provider).values_list("hint", flat=True))
    if (hint := credentials.environment_hint(state.provider)) is not None:
        ours.add(hint)
    found = [Key(row, len(row.ending) >= 4 and row.ending[-4:] in ours) for row in rows]
    return sorted(found, key=lambda key: (not key.is_ours, key.row.name, key.row.key_id))


def _rows(state: Reconciliation) -> QuerySet[ComparedUsage]:
    return ComparedUsage.objects.filter(provider=state.provider, vendor_account=state.vendor_account)


def _days(rows: QuerySet[ComparedUsage]) -> list[Day]:
    """The dearest model of a day first, what is charged without a model last."""
    ordered = rows.order_by(
        "-day", "kind", F("vendor_cost_nano").desc(nulls_last=True), "-ledger_cost_nano", "model"
    )
    return [
        Day(when, shown := [_shown(row) for row in own], drift.whole_money(one.row for one in shown))
        for when, own in groupby(ordered, key=lambda row: row.day)
    ]


def _shown(row: ComparedUsage) -> Shown:
    if row.model:
        name = model_name(f"{row.provider}/{row.model}")
        known = name.text != row.model
        name = Name(name.text, "" if known else "not in the catalogue")
    else:
        name = Name(KINDS.get(row.kind, row.kind.replace("_", " ").capitalize()), "charged without a model")
    return Shown(row, name, drift.money(row), drift.counts(row))
