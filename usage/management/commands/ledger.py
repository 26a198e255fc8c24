"""`manage.py ledger`: proves that the sums beside the ledger equal its rows, and mends them."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.ledger import ledger
from usage.reports import digests


class Command(BaseCommand):
    help = "Compares the daily sums, their digests and the budgets' periods with the ledger, or mends them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        for name, help_text in {
            "verify": "list every difference; fails (exit status 1) when there is one",
            "rebuild": "set what differs to the sum of its rows, while calls go on; may be begun again",
        }.items():
            act = acts.add_parser(name, help=help_text)
            act.add_argument("--from", dest="since", type=date.fromisoformat, help="first day, YYYY-MM-DD")
            act.add_argument("--to", dest="until", type=date.fromisoformat, help="last day, YYYY-MM-DD")

    def handle(self, *args: Any, **options: Any) -> None:
        span = {"since": options["since"], "until": options["until"]}
        if options["act"] == "rebuild":
            mended = self._listed(chain(ledger.rebuild(**span), digests.rebuild(**span)), "was")
            self.stdout.write(f"{mended} numbers mended." if mended else "Nothing had to be mended.")
        if wrong := self._listed(chain(ledger.verify(**span), digests.verify(**span)), "is"):
            raise CommandError(f"{wrong} numbers differ from the ledger's rows.")
        self.stdout.write("Everything equals the ledger's rows.")

    def _listed(self, differences: Iterator[ledger.Difference], word: str) -> int:
        count = 0
        for one in differences:
            count += 1
            self.stdout.write(f"{one.place}: {one.name} {word} {one.stored}, the ledger has {one.truth}")
        return count
