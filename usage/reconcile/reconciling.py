"""Compares the ledger with what the vendor itself says was used and charged, day by day and model by model.

The vendor is asked first, outside any transaction; then what it said, and what the ledger says of the same
days of UTC, takes the place of earlier comparisons of those days. A vendor revises its report for some hours,
so each night compares the days before yesterday once more. What goes wrong is stored beside the last
comparison, which stays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.keys import admin_keys
from accounts.keys.admin_keys import AdminKey, KeyUnusable
from providers import registry
from providers.errors import ProviderError
from providers.usage_reports import LONGEST_REPORT, Report, VendorAccount
from providers.usage_reports import VendorKey as ListedKey
from usage.alerts.alerts import raise_alert
from usage.catalogue import overrides
from usage.models import ComparedUsage, Reconciliation, VendorKey
from usage.models.reconciliation import PROBLEM_LENGTH
from usage.reconcile import drift, utc_days, vendor_figures
from usage.reports.names import day_text, model_name

DAYS = 4  # yesterday, and three days that the vendor may have revised
MOST_DAYS = LONGEST_REPORT
PATIENCE = timedelta(
    days=2
)  # a day that ended so long ago and of which the vendor has nothing, it never used
NO_KEY = "There is no admin key."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What became of one try. `problem` says why there are no rows, "" when it went well; `is_passing` that
    the same may succeed later.
    """

    provider: str
    rows: Sequence[ComparedUsage] = ()
    problem: str = ""
    is_passing: bool = False
    beyond: Sequence[ComparedUsage] = field(default_factory=tuple)


class NotCompared(Exception):
    """A vendor gave no report now, and may give it later. The reason stands in its Reconciliation."""


def nightly() -> None:
    """Compares the last days with every vendor to which an admin key was given.

    Raises NotCompared, after all of them were tried, when it is worth trying again soon.
    """
    passing = []
    for provider in registry.reporting():
        if admin_keys.in_force(provider) is not None and reconcile(provider).is_passing:
            passing.append(provider)
    if passing:
        raise NotCompared(", ".join(passing))


def count(*, by: UUID, state: Reconciliation, keys: Iterable[VendorKey]) -> None:
    """From the next comparison on exactly these of the vendor's keys count."""
    ids = [key.pk for key in keys]
    rows = VendorKey.objects.filter(provider=state.provider, vendor_account=state.vendor_account)
    with transaction.atomic():
        before = _counted(rows)
        rows.filter(pk__in=ids).update(counted=True)
        rows.exclude(pk__in=ids).update(counted=False)
        if (after := _counted(rows)) != before:
            old, new = {"counted_keys": before}, {"counted_keys": after}
            audit.record(Verb.RECONCILE_CHANGED, actor=by, kind="reconcile", before=old, after=new)


def _counted(rows: QuerySet[VendorKey]) -> list[str]:
    return [key.name or key.key_id for key in rows.filter(counted=True).order_by("pk")]


def reconcile(provider: str, *, days: int = DAYS, now: datetime | None = None) -> Compared:
    """Compares so many days (at most MOST_DAYS) up to yesterday, but none before the ledger's first call to
    this vendor. Raises nothing of the vendor's.
    """
    now = now or timezone.now()
    last = now.astimezone(UTC).date() - timedelta(days=1)
    begun = utc_days.first_day(provider) or last + timedelta(days=1)
    first = max(last - timedelta(days=min(days, MOST_DAYS) - 1), begun)
    key = admin_keys.in_force(provider)
    if key is None:
        return Compared(provider=provider, problem=NO_KEY)
    try:
        account, report, listed = _asked(key, first, last)
    except KeyUnusable as error:
        return _failed(provider, now, str(error))
    except ProviderError as error:
        admin_keys.refused(key, error)
        log.warning("The reports of %s could not be read: %s", provider, error.safe_message)
        return _failed(provider, now, admin_keys.advice(error, provider), is_passing=error.retryable)
    admin_keys.taken(key, account.id)
    overrides.known()
    _note_keys(provider, account.id, report, listed)
    rows = _rows(provider, account.id, report, first, last, now)
    _store(provider, account, rows, first, last, now)
    beyond = [row for row in rows if drift.is_beyond(row)]
    _alarm(provider, beyond)
    return Compared(provider=provider, rows=rows, beyond=beyond)


def _asked(key: AdminKey, first: date, last: date) -> tuple[VendorAccount, Report, list[ListedKey]]:
    """What the vendor says. Raises KeyUnusable, ProviderError."""
    reporter, access = registry.reporter(key.provider), admin_keys.access(key)

    async def asked() -> tuple[VendorAccount, Report, list[ListedKey]]:
        account = await reporter.account(access)
        report = await reporter.report(access, first, last) if first <= last else Report([], [])
        try:
            return account, report, await reporter.keys(access)
        except ProviderError as error:  # only their names would be missing
            log.warning("The keys of %s could not be listed: %s", key.provider, error.safe_message)
            return account, report, []

    found: tuple[VendorAccount, Report, list[ListedKey]] = async_to_sync(asked)()
    return found


def _rows(
    provider: str, account: str, report: Report, first: date, last: date, now: datetime
) -> list[ComparedUsage]:
    """A row for every model of every day on which either side has anything."""
    left_out = set(
        VendorKey.objects.filter(provider=provider, vendor_account=account, counted=False).values_list(
            "key_id", flat=True
        )
    )
    theirs = vendor_figures.figures(
        report,
        lambda key_id: key_id not in left_out,
        lambda name: utc_days.model_named(provider, name),
    )
    told, charged = vendor_figures.days_with_figures(report), vendor_figures.days_charged(report)
    rows = []
    for day in (first + timedelta(days=at) for at in range((last - first).days + 1)):
        ours = utc_days.figures(provider, account, day)
        places = {place for place in theirs if place[0] == day} | {(day, model, "") for model in ours}
        is_late = utc_days.begin(day) + timedelta(days=1) + PATIENCE <= now
        for place in sorted(places):
            vendor = theirs.get(place, vendor_figures.VendorFigures())
            ledger = ours.get(place[1], utc_days.NOTHING) if not place[2] else utc_days.NOTHING
            cost = vendor.cost_nano
            if cost is None and (day in charged or is_late):
                cost = 0
            rows.append(
                ComparedUsage(
                    provider=provider,
                    vendor_account=account,
                    day=day,
                    model=place[1],
                    kind=place[2],
                    is_pending=day not in told and not is_late,
                    **{f"vendor_{name}": count for name, count in vendor.counts.items()},
                    vendor_cost_nano=cost,
                    **{f"ledger_{name}": count for name, count in ledger.counts.items()},
                    ledger_cost_nano=ledger.cost_nano,
                    lines=ledger.lines,
                    estimated_nano=ledger.estimated_nano,
                    compared_at=now,
                )
            )
    return rows


def _store(
    provider: str,
    account: VendorAccount,
    rows: Iterable[ComparedUsage],
    first: date,
    last: date,
    now: datetime,
) -> None:
    Reconciliation.objects.get_or_create(provider=provider)
    with transaction.atomic():
        state = Reconciliation.objects.select_for_update().get(provider=provider)  # of two, one comes second
        ComparedUsage.objects.filter(
            provider=provider, vendor_account=account.id, day__range=(first, last)
        ).delete()
        ComparedUsage.objects.bulk_create(rows)
        state.vendor_account, state.vendor_name = account.id, account.name
        state.tried_at = state.compared_at = now
        state.problem = ""
        state.save()


def _failed(provider: str, now: datetime, problem: str, *, is_passing: bool = False) -> Compared:
    """Notes it beside the last comparison."""
    values = {"tried_at": now, "problem": problem[:PROBLEM_LENGTH]}
    Reconciliation.objects.update_or_create(provider=provider, defaults=values)
    return Compared(provider=provider, problem=problem, is_passing=is_passing)


def _note_keys(provider: str, account: str, report: Report, listed: Iterable[ListedKey]) -> None:
    """Every key that was used is known, by its name where the vendor tells it. Which ones count stays."""
    names = {key.id: key for key in listed}
    rows = [
        VendorKey(
            provider=provider,
            vendor_account=account,
            key_id=key_id,
            name=names[key_id].name if key_id in names else "",
            ending=names[key_id].ending if key_id in names else "",
        )
        for key_id in sorted({row.key_id for row in report.used})
    ]
    VendorKey.objects.bulk_create(
        rows,
        update_conflicts=bool(names),
        ignore_conflicts=not names,
        unique_fields=["provider", "vendor_account", "key_id"] if names else None,
        update_fields=["name", "ending"] if names else None,
    )


def _alarm(provider: str, beyond: Sequence[ComparedUsage]) -> None:
    """Once for each day, however often it is compared."""
    label = registry.providers()[provider].label
    for day in sorted({row.day for row in beyond}):
        rows = [row for row in beyond if row.day == day]
        raise_alert(
            kind="drift",
            subject=provider,
            period=day.isoformat(),
            title=f"The ledger and {label}'s report differ on {day_text(day)}",
            body="\n".join(_sentence(provider, row) for row in rows),
            link=reverse("usage:reconcile_day", args=[day]),
        )


def _sentence(provider: str, row: ComparedUsage) -> str:
    """What is furthest off in a row that is beyond the limit."""
    off = drift.money(row)
    if not off.is_beyond:
        off = drift.furthest(one for one in drift.counts(row) if one.is_beyond) or off
    what = model_name(f"{provider}/{row.model}").text if row.model else row.kind.replace("_", " ")
    return f"{what}: {off.name.lower()} {off.words}."
