"""`manage.py audit`: proves that the audit log is what was written, and prints it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import append_only
from accounts.audit import chain as audit_chain
from accounts.audit import triggers as audit_triggers
from accounts.models import AuditEvent, AuditHead


class Command(BaseCommand):
    help = "Verifies the chain of the audit log, or prints its newest events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser(
            "verify", help="name every place where the log is not as written; fails if there is one"
        )
        listing = acts.add_parser("list", help="print events, the newest first")
        listing.add_argument("--from", dest="since", type=date.fromisoformat, help="first day, YYYY-MM-DD")
        listing.add_argument(
            "--verb", help="only what begins with this, such as credential or person.invited"
        )
        listing.add_argument("--most", type=int, default=50, help="how many (50)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "verify":
            self._verify()
        else:
            self._list(options)

    def _verify(self) -> None:
        try:
            audit_triggers.check()
        except append_only.Unprotected as error:
            raise CommandError(str(error)) from None
        flaws = 0
        for flaw in audit_chain.verify():
            flaws += 1
            self.stdout.write(f"Event {flaw.number}: {flaw.words}")
        if flaws:
            raise CommandError(f"The audit log is not as it was written: {flaws} places.")
        head = AuditHead.objects.first() or AuditHead()
        gone = f", {head.pruned} of them removed after their time" if head.pruned else ""
        self.stdout.write(f"All {head.number} events{gone} are as they were written.")

    def _list(self, options: dict[str, Any]) -> None:
        events = AuditEvent.objects.newest_first()
        if options["since"]:
            events = events.filter(at__date__gte=options["since"])
        if options["verb"]:
            events = events.filter(verb__startswith=options["verb"])
        for event in events[: max(0, options["most"])]:
            who = event.actor or event.via or "nobody"
            what = " ".join(part for part in (event.kind, event.name or event.object) if part)
            self.stdout.write(
                f"{event.number}  {timezone.localtime(event.at):%Y-%m-%d %H:%M}  {who}  {event.verb}  {what}"
            )
