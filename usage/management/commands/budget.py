"""`manage.py budget`: makes and changes limits, and says how full they are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import Team, User
from usage.budgets import actions as budget_actions
from usage.budgets import budgets
from usage.budgets.refusals import whose
from usage.budgets.words import PER, NotAnAmount, limit_words, parsed, places, written
from usage.catalogue import overrides
from usage.models import NOBODY, Budget

CHANGEABLE = ("limit", "mode", "cheaper_model", "admission", "enabled")


class Command(BaseCommand):
    help = "Makes, changes and lists budgets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="say of every budget how full it is and when it resets")
        one = acts.add_parser("set", help="make the budget of this name, or change it")
        one.add_argument("name")
        one.add_argument("--limit", help="dollars such as 40 or 12.50, or a number of requests or tokens")
        one.add_argument(
            "--for",
            dest="scope",
            metavar="WHOM",
            help="organisation, team:NAME, member:TEAM (each member), person:E-MAIL, project:ID or token:ID",
        )
        one.add_argument("--measure", choices=Budget.Measure.values)
        one.add_argument("--period", choices=Budget.Period.values)
        one.add_argument("--timezone", help="such as Europe/Lisbon; UTC if not given")
        one.add_argument("--mode", choices=Budget.Mode.values)
        one.add_argument("--cheaper-model", help="provider/model, for the mode cheaper")
        one.add_argument("--admission", choices=Budget.Admission.values)
        state = one.add_mutually_exclusive_group()
        state.add_argument("--on", dest="enabled", action="store_true", default=None)
        state.add_argument("--off", dest="enabled", action="store_false")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "list":
            self._list()
        else:
            self._set(options)

    def _list(self) -> None:
        seen = set()
        for state in budgets.every_state():
            budget = state.budget
            seen.add(budget.pk)
            self._say(budget)
            used, held = (self._amount(budget, amount) for amount in (state.settled, state.held))
            who = f"{_person(state.subject)}: " if state.subject != NOBODY else ""
            self.stdout.write(f"    {who}{used} spent, {held} held, {state.share:.0%}{_reset(state)}")
        for budget in Budget.objects.exclude(pk__in=seen):
            self._say(budget)
            self.stdout.write("    not used in this period")

    def _say(self, budget: Budget) -> None:
        limit = limit_words(budget.measure, budget.limit)
        how = f"{budget.mode} {budget.cheaper_model}".strip()
        whom = whose(budget, person=_person(budget.scope_id or NOBODY))
        off = "" if budget.enabled else ", off"
        self.stdout.write(
            f"{budget.name}: {limit} {PER[budget.period]} for {whom}, {how}, {budget.admission}{off}"
        )

    def _amount(self, budget: Budget, amount: int) -> str:
        return written(budget.measure, amount, places(budget.measure, budget.limit))

    def _set(self, options: dict[str, Any]) -> None:
        with transaction.atomic():
            found = list(Budget.objects.select_for_update().filter(name=options["name"])[:2])
            if len(found) > 1:
                raise CommandError("There are several budgets of this name. Rename them on their page first.")
            budget = found[0] if found else Budget(name=options["name"])
            was_on = bool(found) and budget.enabled
            _fill(budget, options, is_new=not found)
            starts = budget.enabled and not was_on
            try:
                budget.full_clean(exclude=["created_by"])
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from None
            budget.enabled = was_on if starts else budget.enabled
            budget.save()
        if starts:  # once it is known what was spent in its period
            budget_actions.switch(budget=budget, on=True)
            budget.enabled = True
        self._say(budget)
        self.stdout.write("In force from the next call on.")


def _fill(budget: Budget, options: dict[str, Any], *, is_new: bool) -> None:
    """Raises CommandError where the options do not go together, or name what is not there."""
    given = {name: options[name] for name in (*Budget.FIXED, *CHANGEABLE) if options.get(name) is not None}
    if is_new and ("scope" not in given or "limit" not in given):
        raise CommandError("There is no such budget. To make it, say --for whom and with which --limit.")
    if "scope" in given:
        given["scope"], given["scope_id"] = _scope(given["scope"])
    if not is_new:
        changed = [name for name in Budget.FIXED if name in given and given[name] != getattr(budget, name)]
        if changed:
            raise CommandError(
                f"What a budget counts cannot be changed ({', '.join(changed)}). Make another one."
            )
    for name in Budget.FIXED:
        if name in given:
            setattr(budget, name, given[name])
    if "limit" in given:
        try:
            given["limit"] = parsed(budget.measure, given["limit"])
        except NotAnAmount as error:
            raise CommandError(str(error)) from None
    for name in CHANGEABLE:
        if name in given:
            setattr(budget, name, given[name])
    if budget.mode == Budget.Mode.CHEAPER and overrides.spec(budget.cheaper_model) is None:
        raise CommandError("Name the model that answers instead: --cheaper-model provider/model.")


def _scope(words: str) -> tuple[str, UUID | None]:
    kind, _, name = words.partition(":")
    if kind not in Budget.Scope.values or (kind == Budget.Scope.ORGANISATION) == bool(name):
        raise CommandError(
            "--for takes organisation, team:NAME, member:TEAM, person:E-MAIL, project:ID or token:ID."
        )
    match kind:
        case Budget.Scope.ORGANISATION:
            return kind, None
        case Budget.Scope.TEAM | Budget.Scope.MEMBER:
            found = Team.objects.filter(name__iexact=name).values_list("pk", flat=True).first()
        case Budget.Scope.PERSON:
            found = User.objects.filter(email__iexact=name).values_list("pk", flat=True).first()
        case _:
            try:
                return kind, UUID(name)
            except ValueError:
                raise CommandError(f"{name!r} is no id.") from None
    if found is None:
        raise CommandError(f"There is no {'person' if kind == 'person' else 'team'} {name!r}.")
    return kind, found


def _person(user_id: UUID) -> str:
    found = User.objects.filter(pk=user_id).first()
    return found.email if found is not None else str(user_id)


def _reset(state: budgets.BudgetState) -> str:
    if state.resets_at is None:
        return ""
    there = state.resets_at.astimezone(ZoneInfo(state.budget.timezone))
    return f", resets {there:%Y-%m-%d %H:%M} ({state.budget.timezone})"
