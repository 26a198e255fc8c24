"""`manage.py usage report`: what was used and what it cost, by any of the groupings of the pages."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.catalogue import overrides
from usage.clock import database_now, organisation_day
from usage.reports import reports
from usage.reports.names import HEADINGS, Names
from usage.reports.reports import GROUPINGS, Filters, Key, Sums

DAYS = 30  # without --from
NANO = 1_000_000_000
COLUMNS = ("calls", "failed", "estimated", "input", "cached", "written", "output")


class Command(BaseCommand):
    help = "Reports usage and cost from the ledger's daily sums."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        report = acts.add_parser("report", help="the sums of a span of days, the dearest first")
        report.add_argument("--from", dest="first", type=date.fromisoformat, help="first day, YYYY-MM-DD")
        report.add_argument("--to", dest="last", type=date.fromisoformat, help="last day, counted too")
        report.add_argument(
            "--by", action="append", choices=list(GROUPINGS), help="may be given twice; without: the total"
        )
        report.add_argument(
            "--json", action="store_true", help="one JSON object a line, money in nano-dollars"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        last = options["last"] or organisation_day(database_now())
        first = options["first"] or last - timedelta(days=DAYS - 1)
        if first > last:
            raise CommandError(f"The span ends ({last}) before it begins ({first}).")
        by = tuple(dict.fromkeys(options["by"] or ()))
        overrides.known()  # models of endpoints have names too
        found = reports.sums(Filters(first=first, last=last), by)
        ordered = sorted(found.items(), key=lambda one: str(one[0]) if "day" in by else (-one[1].cost_nano))
        if options["json"]:
            self._objects(by, ordered)
        else:
            self.stdout.write(f"Usage from {first} to {last}, days of the organisation")
            self._table(by, ordered, reports.total(Filters(first=first, last=last)))

    def _objects(self, by: tuple[str, ...], ordered: list[tuple[Key, Sums]]) -> None:
        for key, sums in ordered:
            row = dict(zip(by, map(str, key), strict=True))
            row |= {name: getattr(sums, name) for name in (*COLUMNS, "cost_nano")}
            self.stdout.write(json.dumps(row))

    def _table(self, by: tuple[str, ...], ordered: list[tuple[Key, Sums]], total: Sums) -> None:
        names = Names.of(by, [key for key, _ in ordered])

        def named(of: str, value: Any) -> str:
            return str(value) if of == "day" else names.name(of, value).whole

        rows = [
            [*(named(of, value) for of, value in zip(by, key, strict=True)), *_figures(sums)]
            for key, sums in ordered
        ]
        if by:
            rows.append(["Total", *[""] * (len(by) - 1), *_figures(total)])
        heads = [*(HEADINGS[of] for of in by), *(name.capitalize() for name in COLUMNS), "Dollars"]
        if not rows:
            rows = [_figures(total)]
        widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
        for row in [heads, *rows]:
            cells = [
                _plain(text).ljust(width) if at < len(by) else text.rjust(width)
                for at, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.stdout.write("  ".join(cells).rstrip())


def _figures(sums: Sums) -> list[str]:
    return [f"{getattr(sums, name):,}" for name in COLUMNS] + [_dollars(sums.cost_nano)]


def _dollars(nano: int) -> str:
    """Exactly, so that rows add up to the total."""
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    return f"{sign}{nano // NANO:,}.{nano % NANO:09d}"


def _plain(text: str) -> str:
    """A name on a terminal: no control character of it gets there."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
