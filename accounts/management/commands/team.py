"""`manage.py team`: teams and who is in them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Membership, Team, User
from accounts.names import clean_email
from accounts.people import people
from accounts.people.rules import NotAllowed


class Command(BaseCommand):
    help = "Lists, makes and renames teams, and puts people into them or takes them out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="every team with its people")
        acts.add_parser("create", help="a new team").add_argument("name")
        rename = acts.add_parser("rename", help="another name for a team")
        rename.add_argument("name")
        rename.add_argument("new_name")
        add = acts.add_parser("add", help="put a person into a team, or give them another role there")
        add.add_argument("name")
        add.add_argument("email")
        add.add_argument("--manager", action="store_true")
        remove = acts.add_parser("remove", help="take a person out of a team")
        remove.add_argument("name")
        remove.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['act']}")(**options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except NotAllowed as error:
            raise CommandError(str(error)) from None

    def _list(self, **_: Any) -> None:
        rows = Membership.objects.select_related("user", "team").order_by("team__name", "user__email")
        names: dict[str, list[str]] = {
            name: [] for name in Team.objects.order_by("name").values_list("name", flat=True)
        }
        for row in rows:
            names[row.team.name].append(f"{row.user.email}{' (manager)' if row.role == 'manager' else ''}")
        for name, members in names.items():
            self.stdout.write(f"{name}: {', '.join(members) or 'nobody'}")

    def _create(self, *, name: str, **_: Any) -> None:
        self.stdout.write(f"{people.create_team(by=None, name=name, via='command').name} is there.")

    def _rename(self, *, name: str, new_name: str, **_: Any) -> None:
        people.rename_team(by=None, team=_team(name), name=new_name, via="command")
        self.stdout.write("Renamed.")

    def _add(self, *, name: str, email: str, manager: bool, **_: Any) -> None:
        role = Membership.Role.MANAGER if manager else Membership.Role.MEMBER
        people.put_in_team(by=None, person=_person(email), team=_team(name), role=role, via="command")
        self.stdout.write(f"{email} is {role} of {name}.")

    def _remove(self, *, name: str, email: str, **_: Any) -> None:
        people.take_out_of_team(by=None, person=_person(email), team=_team(name), via="command")
        self.stdout.write(f"{email} is not in {name}.")


def _team(name: str) -> Team:
    team = Team.objects.filter(name__iexact=name).first()
    if team is None:
        raise CommandError(f"There is no team {name!r}.")
    return team


def _person(email: str) -> User:
    person: User | None = User.objects.filter(email=clean_email(email)).first()
    if person is None:
        raise CommandError(f"Nobody has the address {email}.")
    return person
