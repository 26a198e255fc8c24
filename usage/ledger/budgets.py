"""Compares the periods of budgets with the ledger and the open holds, and mends them (see usage.ledger)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from usage import rows
from usage.budgets.periods import LOCK, Window, held, spent
from usage.models import NOBODY, BudgetPeriod
from usage.writer import write_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPeriod:
    """A row of BudgetPeriod whose counters are not what lines and holds say; in the budget's measure."""

    period: BudgetPeriod
    settled: int
    held: int

    @property
    def place(self) -> str:
        period = self.period
        subject = "" if period.subject == NOBODY else f" person {period.subject}"
        return f"budget {period.budget_id} ({period.budget.name}){subject} from {period.begins_at:%Y-%m-%d}"


def wrong_periods() -> Iterator[WrongPeriod]:
    """Every period that does not equal its rows. Nothing is locked: each is read in one state of the
    database.
    """
    for key in _keys():
        with _one_state():
            wrong = _wrong(key)
        if wrong is not None:
            yield wrong


def mend_periods() -> Iterator[WrongPeriod]:
    """Sets each wrong period to what its rows say and yields it, one transaction each.

    Settlements wait meanwhile on PostgreSQL, as they do when a period is opened, and no call is admitted to
    this period.
    """
    for wrong in wrong_periods():
        key = wrong.period.pk
        with write_turn(), transaction.atomic():
            if connection.vendor == "postgresql":
                rows.first("SELECT pg_advisory_xact_lock(%s)", LOCK)
            # Locks the row, and on SQLite the file, before anything is read.
            BudgetPeriod.objects.filter(pk=key).update(settled=F("settled"))
            still = _wrong(key)
            if still is not None:
                BudgetPeriod.objects.filter(pk=key).update(settled=still.settled, held=still.held)
        if still is not None:
            yield still


def _keys() -> list[UUID]:
    return list(BudgetPeriod.objects.order_by("begins_at", "id").values_list("pk", flat=True))


def _wrong(key: UUID) -> WrongPeriod | None:
    period = BudgetPeriod.objects.select_related("budget").get(pk=key)
    settled = spent(period.budget, period.subject, Window(period.begins_at, period.ends_at))
    taken = held(period.pk)
    if (settled, taken) == (period.settled, period.held):
        return None
    return WrongPeriod(period=period, settled=settled, held=taken)


@contextmanager
def _one_state() -> Iterator[None]:
    """All that is read inside is from one moment, and nobody waits for it. Inside another transaction that is
    the caller's concern.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:  # our transactions on SQLite take its write lock at once (config.environment); this one must not
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
