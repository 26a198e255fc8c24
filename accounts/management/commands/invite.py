"""`manage.py invite`: a link with which somebody makes an account."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Membership, Organisation, Team, User
from accounts.people import invitations


class Command(BaseCommand):
    help = "Invites a person and prints the link, which works once and for a week."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", default=User.Role.MEMBER, choices=User.Role.values)
        parser.add_argument("--team", help="the name of a team")
        parser.add_argument("--manager", action="store_true", help="as manager of that team")

    def handle(self, *args: Any, **options: Any) -> None:
        if Organisation.current() is None:
            raise CommandError("There is no organisation yet: open the set-up page, or use createuser.")
        team = None
        if options["team"]:
            team = Team.objects.filter(name__iexact=options["team"]).first()
            if team is None:
                raise CommandError(f"There is no team {options['team']!r}: see manage.py team list.")
        try:
            invited = invitations.invite(
                by=None,
                email=options["email"],
                role=options["role"],
                team=team,
                team_role=Membership.Role.MANAGER if options["manager"] else Membership.Role.MEMBER,
                via="command",
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(invited.link)
        if not settings.PUBLIC_URL:
            self.stderr.write(
                "Put the address of this server before it; PARLEY_PUBLIC_URL does so by itself."
            )
        if invited.invitation.sent_at:
            self.stderr.write("It was sent by mail as well.")
