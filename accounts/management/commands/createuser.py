"""Makes an account from the server's terminal."""

from __future__ import annotations

import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from accounts import actions
from accounts.models import User

FROM_STANDARD_INPUT = "-"


class Command(BaseCommand):
    help = "Makes an account. Makes the organisation too, where this is the first account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="what the person signs in with")
        parser.add_argument(
            "--password", required=True, help="the password, or - to read one line from standard input"
        )
        parser.add_argument(
            "--role", default=User.Role.MEMBER, choices=User.Role.values, help="default: member"
        )
        parser.add_argument(
            "--name", default="", help="the name that others see; default: the first part of the e-mail"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["password"]
        password = sys.stdin.readline().rstrip("\r\n") if given == FROM_STANDARD_INPUT else given
        if not password:
            raise CommandError("The password is empty.")
        try:
            person = actions.create_user(
                email=options["email"], password=password, role=options["role"], display_name=options["name"]
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except IntegrityError:
            raise CommandError(f"{options['email']} has an account already.") from None
        self.stdout.write(f"Made the {person.role} {person.email}.")
        if not User.objects.active().filter(role=User.Role.OWNER).exists():
            self.stdout.write("There is no owner yet. Make one with --role owner.")
