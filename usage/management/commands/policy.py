"""`manage.py policy`: which models and features may be used, and why somebody may or may not."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Lower

from accounts.models import Team, User
from accounts.names import clean_email
from accounts.policies import store
from accounts.policies.features import ABOUT, OFFERED, Feature
from usage.policies import explaining, words


class Command(BaseCommand):
    help = "Shows the rules of models and features, and explains what they come to for one person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="every rule, in sentences")
        explain = acts.add_parser("explain", help="every rule that decides about one person and one model")
        explain.add_argument("--user", required=True, metavar="E-MAIL")
        explain.add_argument("--model", required=True, metavar="REF", help="provider/model")
        explain.add_argument(
            "--feature",
            action="append",
            default=[],
            choices=[feature.value for feature in OFFERED],
            help="; ".join(f"{feature.value}: {ABOUT[feature].name}" for feature in OFFERED),
        )
        explain.add_argument("--team", metavar="NAME", help="the team that pays")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['act']}")(**options)

    def _list(self, **_: Any) -> None:
        rules = store.current()
        teams = dict(Team.objects.order_by(Lower("name")).values_list("pk", "name"))
        named = [("The organisation", rules.organisation), ("Everyone else", rules.others)]
        for name, rule in [*named, *((name, rules.teams.get(team)) for team, name in teams.items())]:
            says = "No rule." if rule is None else f"{words.models_of(rule)} {words.features_of(rule)}"
            self.stdout.write(f"{name}: {says}")

    def _explain(self, *, user: str, model: str, feature: list[str], team: str | None, **_: Any) -> None:
        person = User.objects.filter(email=clean_email(user)).first()
        if person is None:
            raise CommandError(f"There is no account with the e-mail {user}.")
        paying = Team.objects.filter(name__iexact=team).first() if team else None
        if team and paying is None:
            raise CommandError(f"There is no team {team}.")
        found = explaining.explain(person, model, [Feature(name) for name in feature], paying)
        if found is None:
            raise CommandError(f"Nothing is known of the model {model}. Name it as provider/model.")
        for line in found.lines:
            says = {None: "  ", True: "ok", False: "NO"}[line.allows]
            self.stdout.write(f"{says}  {line.about}: {line.says}")
        self.stdout.write(found.sentence)
