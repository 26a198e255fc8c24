"""Keys from the server's terminal: `credential set` stores one, `check` asks the vendor, `list` shows them.

Here and not in accounts, for some of the providers that take keys are endpoints, which usage knows.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.keys import actions as key_actions
from accounts.keys import checking, credentials
from accounts.keys import forms as key_forms
from accounts.keys import lines as key_lines
from accounts.keys.forms import AccessForm
from accounts.keys.owners import Owner
from accounts.keys.policy import KeyPolicy
from accounts.models import Credential, Organisation, Team, User
from accounts.names import clean_email
from providers.access import Access, AccessKind
from providers.errors import ProviderError
from usage.catalogue import overrides


class Command(BaseCommand):
    help = (
        "Stores, checks and lists the keys with which models are called. A secret comes from standard input."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        doing = parser.add_subparsers(dest="what", required=True)
        entering = doing.add_parser(
            "set", help="stores a key, read from standard input, once the vendor takes it"
        )
        entering.add_argument("provider", help="such as anthropic")
        entering.add_argument("--kind", default="api_key", help="api_key (default), client or device")
        entering.add_argument("--label", default="", help="a name, to tell it from others")
        entering.add_argument(
            "--base-url", default="", help="for providers whose address is each customer's own"
        )
        entering.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
        entering.add_argument(
            "--rotate-by", default="", metavar="YYYY-MM-DD", help="when it is to be replaced"
        )
        entering.add_argument(
            "--replace", action="store_true", help="revoke the owner's other keys for this provider"
        )
        checked = doing.add_parser("check", help="asks the vendors whether stored keys work")
        checked.add_argument("provider", nargs="?", default="", help="only those for this provider")
        listed = doing.add_parser("list", help="shows stored keys, without their secrets")
        listed.add_argument("--all", action="store_true", help="those of every owner")
        for one in (entering, checked, listed):
            owner = one.add_mutually_exclusive_group()
            owner.add_argument("--team", default="", help="of this team, by its name")
            owner.add_argument("--person", default="", help="of this person, by their e-mail")

    def handle(self, *args: Any, **options: Any) -> None:
        overrides.known()
        match options["what"]:
            case "set":
                self._set(options)
            case "check":
                self._check(options)
            case _:
                self._list(options)

    def _set(self, options: dict[str, Any]) -> None:
        provider, kind, owner = options["provider"], options["kind"], _owner(options)
        known = [way for way in key_forms.ways() if way.provider == provider and not way.by_login]
        if not known:
            raise CommandError(f"There is no provider {provider!r} that takes a key.")
        if kind not in {way.kind for way in known}:
            kinds = ", ".join(way.kind for way in known)
            raise CommandError(f"{provider} takes no {kind!r}, but: {kinds}.")
        if not KeyPolicy.current().serves(owner.scope, provider):
            raise CommandError(key_lines.NOT_ALLOWED)
        form = AccessForm(_typed(options), provider=provider, kind=cast(AccessKind, kind), owners={"": owner})
        if not form.is_valid():
            raise CommandError(_problems(form))
        values = form.cleaned_data
        shared = credentials.shared_options(provider)
        access = Access(
            values["base_url"], values["secret"], form.kind, options={**shared, **values["options"]}
        )
        try:
            account = checking.account_behind(provider, access)
        except ProviderError as error:
            raise CommandError(checking.advice(error, provider)) from None
        earlier = list(_of(owner).filter(provider=provider)) if options["replace"] else []
        stored = key_actions.add_credential(
            owner=owner,
            provider=provider,
            kind=kind,
            base_url=values["base_url"],
            secret=values["secret"],
            options=values["options"],
            vendor_account=account.vendor_account,
            label=values["label"],
            rotate_by=values["rotate_by"],
            replaces=earlier[0] if earlier else None,
            via="command",
        )
        for other in earlier[1:]:
            key_actions.revoke(credential=other, via="command")
        self.stdout.write(f"Stored: {stored}.")

    def _check(self, options: dict[str, Any]) -> None:
        rows = _of(_owner(options))
        if options["provider"]:
            rows = rows.filter(provider=options["provider"])
        failed = False
        for row in rows:
            why = checking.check_again(row)
            failed = failed or bool(why)
            self.stdout.write(f"{row}: {why or 'works'}")
        if failed:
            raise CommandError("Not every key works.")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Credential.objects.exclude(state=Credential.State.REVOKED)
        rows = rows.order_by("provider", "-id") if options["all"] else _of(_owner(options))
        policy = KeyPolicy.current()
        for row in rows.select_related("team", "person"):
            line = key_lines.line(row, policy)
            state = line.trouble or ("paused" if row.paused else "in use")
            parts = [row.provider, row.kind, f"…{row.hint}", row.label, line.owner, state]
            if line.rotation:
                parts.append(f"to be replaced {line.rotation}")
            self.stdout.write("  ".join(part for part in parts if part))
        if not options["all"] and not options["team"] and not options["person"]:
            for one in key_lines.from_environment(()):
                self.stdout.write(f"{one.provider}  {one.kind}  from the environment: {one.variable}")


def _owner(options: dict[str, Any]) -> Owner:
    if options["team"]:
        team = Team.objects.filter(name__iexact=options["team"]).first()
        if team is None:
            raise CommandError(f"There is no team {options['team']!r}.")
        return Owner(team=team)
    if options["person"]:
        person = User.objects.active().filter(email=clean_email(options["person"])).first()
        if person is None:
            raise CommandError(f"There is no active account {options['person']!r}.")
        return Owner(person=person)
    organisation = Organisation.current()
    if organisation is None:
        raise CommandError("There is no organisation yet. Make the first account: manage.py createuser.")
    return Owner(organisation=organisation)


def _of(owner: Owner) -> Any:
    """The owner's credentials but for revoked ones, the newest first."""
    rows = Credential.objects.filter(**owner.filters).exclude(state=Credential.State.REVOKED)
    return rows.select_related("team", "person").order_by("-id")


def _typed(options: dict[str, Any]) -> dict[str, str]:
    """What the form is given; the secret is the first line of standard input."""
    if sys.stdin.isatty():
        raise CommandError("The secret comes from standard input: manage.py credential set … < FILE")
    fields = {
        "secret": sys.stdin.readline().strip(),
        "label": options["label"],
        "base_url": options["base_url"],
        "rotate_by": options["rotate_by"],
    }
    for given in options["option"]:
        name, equals, value = given.partition("=")
        if not equals:
            raise CommandError(f"--option takes NAME=VALUE, not {given!r}.")
        fields[key_forms.OPTION + name] = value
    return fields


def _problems(form: AccessForm) -> str:
    """What is wrong, field by field, without what was typed."""
    said = []
    for name, errors in form.errors.items():
        field = form.fields.get(name)
        label = str(field.label) if field is not None else ""
        said += [f"{label}: {error}" if label else str(error) for error in errors]
    return " ".join(said)
