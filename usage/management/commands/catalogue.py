"""`manage.py catalogue`: what is known of models, what is wrong with it, and taking over a file of facts."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from providers import registry
from providers.catalogue import ModelSpec
from providers.model_changes import dollars
from providers.models_dev import SLUGS, BadForm
from usage.catalogue import imports, overrides
from usage.catalogue.known_models import today
from usage.prices import prices

SOON = timedelta(days=60)


class Command(BaseCommand):
    help = "Shows, checks and imports what is known of the models."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        take = acts.add_parser("import", help="take over the facts of a file in the JSON form of models.dev")
        take.add_argument("file", type=Path)
        take.add_argument("--yes", action="store_true", help="do not ask before it is stored")
        take.add_argument("--provider", action="append", help="only this provider; may be given again")
        show = acts.add_parser("show", help="list the models, or say all about one")
        show.add_argument("ref", nargs="?", help="provider/model, or a provider")
        acts.add_parser("check", help="say what is wrong or soon will be; fails when something is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "import":
                self._import(options["file"], options["provider"], sure=options["yes"])
            case "show":
                self._show(options["ref"])
            case _:
                self._check()

    def _import(self, file: Path, providers: list[str] | None, *, sure: bool) -> None:
        overrides.known()  # the endpoints are providers too
        wanted = [SLUGS.get(name, name) for name in providers] if providers is not None else None
        if unknown := [name for name in wanted or () if registry.provider(name) is None]:
            raise CommandError(
                f"There is no provider {unknown[0]!r}. Known: {', '.join(registry.providers())}."
            )
        source = f"models.dev, {file.name}, {today()}"
        try:
            plan = imports.plan(file.read_bytes(), source=source, providers=wanted)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except BadForm as error:
            raise CommandError(f"{file} cannot be used: {error}. Nothing was changed.") from None
        self._describe(plan)
        if plan.is_empty:
            return
        if not sure and not self._agreed():
            raise CommandError("Nothing was changed.")
        imports.carry_out(plan)
        self.stdout.write("Stored. Servers that run know it within seconds.")

    def _describe(self, plan: imports.Plan) -> None:
        write = self.stdout.write
        for spec in plan.added:
            write(f"+ {spec.ref}  {spec.context:,} tokens, {_price(spec)}")
        for spec, changes in plan.changed:
            write(f"~ {spec.ref}")
            for field, old, new in changes:
                write(f"    {field}: {f'{old} -> ' if old else ''}{new}")
        for ref in plan.gone:
            write(f"- {ref}  no longer in the file")
        write(
            f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.gone)} gone, "
            f"{plan.unchanged} unchanged."
        )

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("There is nobody to ask: give --yes to store this. Nothing was changed.")
        self.stdout.write("Store this? [yes/no] ", ending="")
        self.stdout.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _show(self, ref: str | None) -> None:
        known = overrides.known()
        if ref is not None and "/" in ref:
            spec = overrides.spec(ref)
            if spec is None:
                raise CommandError(f"There is no model {ref!r}.")
            self._say_all(spec)
            return
        if ref is not None and ref not in known.specs:
            raise CommandError(f"There is no provider {ref!r}.")
        for provider, specs in known.specs.items():
            for spec in specs if ref in (None, provider) else ():
                enabled = known.override(spec.ref).enabled
                state = {None: spec.status, True: "on", False: "off"}[enabled]
                self.stdout.write(f"{spec.ref:50} {state:10} {spec.context:>10,} {_price(spec)}")

    def _say_all(self, spec: ModelSpec) -> None:
        write = self.stdout.write
        write(f"{spec.ref}  {spec.display_name}")
        for alias in spec.aliases:
            write(f"also {spec.provider}/{alias}")
        write(f"api {spec.api}, {spec.status}, known up to {spec.knowledge or 'an unknown day'}")
        write(f"context {spec.context:,}, answer {spec.max_output:,} tokens")
        write(f"can: {', '.join(sorted(spec.capabilities)) or 'text only'}")
        write(f"thinking: {', '.join(spec.thinking.kinds) or 'none'}")
        write(f"efforts: {', '.join(spec.efforts) or 'none'}")
        for price in spec.prices:
            rates = f"in {dollars(price.input)}, out {dollars(price.output)}"
            write(f"from {price.valid_from}: {rates} ({price.source})")
        row = prices.overridden(timezone.now()).get(spec.ref)
        if row is not None:
            write(f"in force: in {dollars(row.input)}, out {dollars(row.output)} ({row.source})")

    def _check(self) -> None:
        known, day = overrides.known(), today()
        own_prices = prices.overridden(timezone.now())
        wrong = overrides.troubles()
        for ref, chain in known.chains.items():
            wrong += [
                f"{ref}: its chain names {other}, which is not known"
                for other in chain
                if not _is_known(other)
            ]
        if known.default and not _is_known(known.default):
            wrong.append(f"{known.default}: the default model is not known")
        for spec in {id(spec): spec for spec in known.by_ref.values()}.values():
            if not spec.prices and spec.ref not in own_prices:
                self.stdout.write(f"{spec.ref}: no price is known")
            if spec.is_retired(day):
                self.stdout.write(f"{spec.ref}: is retired")
            elif spec.retires_on is not None and spec.retires_on <= day + SOON:
                self.stdout.write(f"{spec.ref}: retires on {spec.retires_on}")
        for trouble in wrong:
            self.stderr.write(trouble)
        if wrong:
            raise CommandError(f"{len(wrong)} things are wrong.")
        self.stdout.write("Nothing is wrong.")


def _is_known(ref: str) -> bool:
    """Models of endpoints may be known to their servers alone."""
    provider = ref.partition("/")[0]
    known = overrides.known()
    return (
        ref in known.by_ref
        or provider in known.wires
        or (registry.provider(provider) is not None and provider not in known.specs)
    )


def _price(spec: ModelSpec) -> str:
    price = spec.price_on(today())
    return f"in {dollars(price.input)}, out {dollars(price.output)}" if price else "no price"
