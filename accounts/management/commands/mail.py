"""`manage.py mail test ADDRESS`: sends a letter through the mail server that is in force, or says why not."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts.mail import stored, trial
from accounts.names import clean_email


class Command(BaseCommand):
    help = "Shows whether this installation can send mail."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        test = acts.add_parser("test", help="send a letter to this address; fails if it is not taken")
        test.add_argument("address")

    def handle(self, *args: Any, **options: Any) -> None:
        address = clean_email(options["address"])
        try:
            validate_email(address)
        except ValidationError:
            raise CommandError(f"{address} is no e-mail address.") from None
        if why := trial.in_force(address):
            raise CommandError(why)
        by = "EMAIL_URL" if stored.by_environment() else "Manage, Settings"
        self.stdout.write(f"The server of {by} took the letter to {address}. Look whether it arrives.")
