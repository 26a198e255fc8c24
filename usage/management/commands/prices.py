"""`manage.py prices import FILE`: shows what would cost what, and stores it after a yes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from providers.models_dev import BadForm
from usage.catalogue import overrides
from usage.catalogue.known_models import today
from usage.prices import imports as price_imports


class Command(BaseCommand):
    help = "Imports prices, which win over the catalogue's from their moment on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        take = acts.add_parser("import", help="take over the prices of a file (docs/money.md, or models.dev)")
        take.add_argument("file", type=Path)
        take.add_argument("--yes", action="store_true", help="do not ask before it is stored")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        overrides.known()  # the endpoints are providers too
        try:
            text = file.read_bytes()
            source = f"import {file.name}, {today()}"
            plan = price_imports.plan(text, source=source, at=timezone.now())
            self._describe(plan)
            if plan.is_empty:
                return
            if not options["yes"] and not self._agreed():
                raise CommandError("Nothing was changed.")
            price_imports.carry_out(plan)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except BadForm as error:
            raise CommandError(f"{file} cannot be used: {error}. Nothing was changed.") from None
        self.stdout.write("Stored. Servers that run know it within seconds.")

    def _describe(self, plan: price_imports.Plan) -> None:
        for one, changes in plan.new:
            until = f" until {one.valid_until:%Y-%m-%d %H:%M}" if one.valid_until else ""
            known = "" if overrides.spec(one.ref) else "  (not in the catalogue)"
            self.stdout.write(f"~ {one.ref} from {one.valid_from:%Y-%m-%d %H:%M}{until} UTC{known}")
            for field, old, new in changes:
                self.stdout.write(f"    {field}: {old} -> {new}")
        self.stdout.write(f"{len(plan.new)} new prices, {plan.unchanged} unchanged.")

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("There is nobody to ask: give --yes to store this. Nothing was changed.")
        self.stdout.write("Store this? [yes/no] ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
