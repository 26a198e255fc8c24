"""`manage.py anonymise EMAIL`: says what of a person would go and what stays, and does it after a yes."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.names import clean_email
from accounts.people.anonymising import NotPossible, anonymise, is_former, outlook


class Command(BaseCommand):
    help = "Takes a person's name and address out of the installation, for good; every sum stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="what the person signs in with")
        parser.add_argument("--yes", action="store_true", help="do not ask before it is done")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email=clean_email(options["email"])).first()
        if person is None:
            raise CommandError(f"There is no person with the address {options['email']}.")
        if is_former(person):
            raise CommandError("This person was anonymised before.")
        self._describe(person)
        if not options["yes"] and not self._agreed():
            raise CommandError("Nothing was changed.")
        try:
            anonymise(person=person, by=None)
        except NotPossible as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        person.refresh_from_db()
        self.stdout.write(f"Done. What they did stands under the name {person.display_name}.")

    def _describe(self, person: User) -> None:
        ends = outlook(person)
        self.stdout.write(
            f"{person.display} <{person.email}>, {person.role}, "
            f"{'active' if person.is_active else 'deactivated'}:\n"
            "  goes: name, address, password, time zone and language; the account is deactivated for good\n"
            f"  goes: {_count(ends.sessions, 'session')}, {_count(ends.credentials, 'key')} of their own, "
            f"{_count(ends.tokens, 'access token')}, their place in {_count(ends.teams, 'team')}\n"
            "  goes: what they wrote when they asked for more of a budget, and what was answered\n"
            "  stays: every ledger line, daily sum and budget, under a name that says nothing\n"
            "  stays: their conversations, whatever is written in them: they are the organisation's\n"
            "Copies in backups, logs and mail are not touched. This cannot be undone."
        )

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("There is nobody to ask: give --yes to do this. Nothing was changed.")
        self.stdout.write("Do this? [yes/no] ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
