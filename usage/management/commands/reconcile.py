"""`manage.py reconcile`: compares the ledger with the vendors' own reports, and says where they differ."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.keys import admin_keys
from providers import registry
from usage.models import ComparedUsage
from usage.reconcile import drift
from usage.reconcile.reconciling import DAYS, MOST_DAYS, reconcile
from usage.reports.csv_file import exact

HEADS = ("Day (UTC)", "Model", "Vendor, dollars", "Ledger, dollars", "Cost", "Furthest count", "")


class Command(BaseCommand):
    help = (
        "Compares the ledger with what vendors say was used and charged. Exit status 1 when they differ by"
        f" more than {drift.limit_words()}, or could not be compared."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=int, default=DAYS, help=f"so many days up to yesterday, at most {MOST_DAYS}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days must be from 1 to {MOST_DAYS}.")
        keyed = [slug for slug in registry.reporting() if admin_keys.in_force(slug) is not None]
        if not keyed:
            names = [row.reports.key_variable for row in registry.reporting().values() if row.reports]
            raise CommandError(
                f"There is no admin key. Enter one under Manage, Usage, Reconcile, or set {', '.join(names)}."
            )
        troubles = []
        for provider in keyed:
            label = registry.providers()[provider].label
            found = reconcile(provider, days=options["days"])
            if found.problem:
                troubles.append(f"{label}: {found.problem}")
            elif not found.rows:
                self.stdout.write(f"{label}: nothing was used in these days.")
            else:
                self._table(found.rows)
            if found.beyond:
                many, limit = f"{len(found.beyond)} of {len(found.rows)}", drift.limit_words()
                troubles.append(f"{label}: {many} rows differ by more than {limit}.")
        if troubles:
            raise CommandError("\n".join(troubles))

    def _table(self, rows: Any) -> None:
        lines = [HEADS, *map(_cells, rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(HEADS))]
        for line in lines:
            cells = [
                text.ljust(width) if at in (0, 1, 6) else text.rjust(width)
                for at, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            self.stdout.write("  ".join(cells).rstrip())


def _cells(row: ComparedUsage) -> tuple[str, ...]:
    money, off = drift.money(row), drift.furthest(drift.counts(row))
    mark = "no figures yet" if row.is_pending else "beyond the limit" if drift.is_beyond(row) else ""
    return (
        row.day.isoformat(),
        _plain(row.model or row.kind.replace("_", " ")),
        "none yet" if money.vendor is None else exact(money.vendor),
        exact(money.ledger),
        money.words,
        "–" if row.is_pending else f"{off.name} {off.words}" if off is not None else "equal",
        mark,
    )


def _plain(text: str) -> str:
    """A vendor's name on a terminal: no control character of it gets there."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
