"""`manage.py duties`: what goes by the clock, when it is due, and how it went last."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.duties import do_now
from accounts.models import DutyRun
from config.duties import DUTIES


class Command(BaseCommand):
    help = "Lists the duties that serving processes do by the clock; --run does one now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--run", metavar="NAME", choices=[duty.name for duty in DUTIES])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["run"]:
            self._run(options["run"])
            return
        known = {row.name: row for row in DutyRun.objects.all()}
        for duty in DUTIES:
            self.stdout.write(f"{duty.name}: {_state(known.get(duty.name))}")

    def _run(self, name: str) -> None:
        if not do_now(next(duty for duty in DUTIES if duty.name == name)):
            row = DutyRun.objects.get(name=name)
            reason = f"failed with {row.last_error}" if row.last_error else "is being done by another process"
            raise CommandError(f"{name} {reason}.")
        self.stdout.write(f"{name} is done.")


def _state(row: DutyRun | None) -> str:
    if row is None:
        return "not seen by a serving process yet"
    words = [f"due {timezone.localtime(row.due_at):%Y-%m-%d %H:%M}"]
    if row.ended_at:
        words.append(f"last done {timezone.localtime(row.ended_at):%Y-%m-%d %H:%M}")
    if row.last_error:
        words.append(f"failed with {row.last_error}, see the log")
    if row.claimed_until and row.claimed_until > timezone.now():
        words.append(f"being done by {row.claimed_by}")
    return ", ".join(words)
