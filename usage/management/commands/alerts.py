"""`manage.py alerts`: what Parley has told."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from usage.alerts import view as alert_view

LISTED = 50


class Command(BaseCommand):
    help = "Lists alerts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        listing = acts.add_parser("list", help=f"say the newest {LISTED}, and who was told of them")
        listing.add_argument("--unseen", action="store_true", help="only those that no admin has seen")

    def handle(self, *args: Any, **options: Any) -> None:
        alerts = alert_view.listed("", unseen=options["unseen"])[:LISTED]
        rows = alert_view.rows(alerts, timezone.now())
        for row in rows:
            alert = row.alert
            seen = f"seen by {row.seen_by}" if alert.seen_at else "not seen"
            self.stdout.write(f"{alert.created_at:%Y-%m-%d %H:%M} UTC  {alert.kind}: {alert.title}")
            self.stdout.write(f"    {alert.body}")
            self.stdout.write(f"    {row.told_words.lower()}; {seen}")
        if not rows:
            self.stdout.write("No alerts." if not options["unseen"] else "All alerts were seen.")
