"""Seals everything under newer keys, while the servers run (accounts.sealing.rotation, docs/keys.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.sealing import rotation
from accounts.sealing.rotation import Report
from accounts.sealing.sealing import KeysMissing


class Command(BaseCommand):
    help = (
        "Wraps the data keys by the newest master key (--master), or seals everything with a new data key "
        "(--data). Both may run while people work, be killed, and be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--master", action="store_true", help="after a new master key was put in front")
        parser.add_argument("--data", action="store_true", help="a new data key for every sealed value")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["master"] or options["data"]):
            raise CommandError("Say what to rotate: --master, --data, or both.")
        try:
            if options["master"]:
                self._say_master(rotation.rotate_master())
            if options["data"]:
                self._say_data(rotation.rotate_data())
        except KeysMissing as error:
            raise CommandError(str(error)) from None

    def _say_master(self, report: Report) -> None:
        if report.wrapped:
            self.stdout.write(f"Wrapped {_number(report.wrapped, 'data key')} by the first master key.")
        else:
            self.stdout.write("The first master key wraps every data key already.")
        self.stdout.write(
            "No other master key is needed any more, once every server has been given the first one."
        )

    def _say_data(self, report: Report) -> None:
        if report.finished_earlier:
            self.stdout.write(
                f"Finished a rotation that was cut short: {_number(report.resealed, 'value')}. "
                "For another new data key, run it again."
            )
        else:
            self.stdout.write(f"Sealed {_number(report.resealed, 'value')} with a new data key.")
        if report.unopened:
            self.stdout.write(
                f"These values do not open and keep the old data key: {', '.join(report.unopened)}. "
                "They have to be entered again, or revoked."
            )
        if report.waiting:
            self.stdout.write(
                "The old data key is removed by a serving process, or by a later run, in ten minutes."
            )


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
