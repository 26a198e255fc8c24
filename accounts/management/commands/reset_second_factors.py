"""`manage.py reset_second_factors`: for somebody who has lost phone, passkey and codes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.names import clean_email
from accounts.sign_in import second_factors


class Command(BaseCommand):
    help = "Takes a person's second factors away and signs them out: then their password alone lets them in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email=clean_email(options["email"])).first()
        if person is None:
            raise CommandError("There is no account with this e-mail.")
        gone = second_factors.reset(person=person, by=None, via="command")
        self.stdout.write(f"{person.email}: {'removed' if gone else 'there were none'}.")
