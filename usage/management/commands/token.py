"""Access tokens from the server's terminal: `token create` prints the text of a new one, and nothing else, to
standard output; `list` shows what there is, `revoke` ends one.

Here and not in accounts, for a token's budget and models are usage's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import AccessToken, Team, User
from accounts.names import clean_email
from accounts.people.rules import NotAllowed
from accounts.tokens import standing
from accounts.tokens.policy import MOST_DAYS, TokenPolicy
from usage.access_tokens import actions
from usage.budgets.words import NotAnAmount, parsed
from usage.catalogue import overrides
from usage.models import Budget

USUAL_DAYS = 90


class Command(BaseCommand):
    help = "Makes, lists and revokes the access tokens with which people's own programs call models."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        create = acts.add_parser("create", help="print a new token, this once, to standard output")
        create.add_argument("--user", required=True, metavar="E-MAIL", help="whose it is")
        create.add_argument("--name", required=True, help="where it will be: the program or the machine")
        create.add_argument(
            "--scope",
            action="append",
            choices=AccessToken.Scope.values,
            help="what it may; may be given several times; all of them if not given",
        )
        create.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="PROVIDER/MODEL",
            help="only this model; may be given several times; all that the person may use if not given",
        )
        create.add_argument("--team", default="", help="which team of the person's pays; else the person")
        create.add_argument(
            "--expires", metavar="DAYS", help=f"in how many days it ends, or never; {USUAL_DAYS} if not given"
        )
        create.add_argument("--budget", metavar="DOLLARS", help="the most that it spends each month")
        listed = acts.add_parser("list", help="show tokens that are not revoked, without their texts")
        listed.add_argument("--user", default="", metavar="E-MAIL", help="only those of this person")
        revoked = acts.add_parser("revoke", help="refuse a token from now on")
        revoked.add_argument(
            "token", metavar="PREFIX_OR_ID", help="its first characters, as listed, or its id"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        overrides.known()
        try:
            getattr(self, f"_{options['act']}")(options)
        except NotAllowed as reason:
            raise CommandError(str(reason)) from None

    @sensitive_variables("made")
    def _create(self, options: dict[str, Any]) -> None:
        person = _person(options["user"])
        made = actions.make(
            person=person,
            name=options["name"],
            scopes=options["scope"] or AccessToken.Scope.values,
            models=options["model"],
            team=_team(options["team"]),
            expires_at=_end(options["expires"]),
            monthly_nano=_limit(options["budget"]),
            by=None,
            via="command",
        )
        if made is None:
            raise CommandError("There is such a token already.")
        token = made.token
        self.stderr.write(f"{token}, of {person.email}, {_until(token)}. It is shown only this once.")
        self.stdout.write(made.text.reveal())

    def _list(self, options: dict[str, Any]) -> None:
        rows = AccessToken.objects.live().with_standing()
        if options["user"]:
            rows = rows.for_user(_person(options["user"]))
        now = timezone.now()
        for token in rows.order_by("user__email", "name", "pk"):
            parts = [f"{token.prefix}…", token.name, token.user.email, ", ".join(token.scopes)]
            parts.append(", ".join(token.allowed_models) or "all models")
            if token.paying_team is not None:
                parts.append(f"paid by {token.paying_team.name}")
            used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
            parts += [used, standing.trouble(token, now) or _until(token), str(token.pk)]
            self.stdout.write("  ".join(part for part in parts if part))

    def _revoke(self, options: dict[str, Any]) -> None:
        token = _token(options["token"])
        actions.revoke(token=token, by=None, via="command")
        self.stdout.write(f"{token} is revoked.")


def _token(words: str) -> AccessToken:
    """The one that is not revoked. Raises CommandError where there is none, or several."""
    rows = AccessToken.objects.live()
    try:
        rows = rows.filter(pk=UUID(words))
    except ValueError:
        rows = rows.filter(prefix=words.removesuffix("…"))
    found = list(rows[:2])
    if len(found) > 1:
        raise CommandError("Several tokens begin so. Name it by its id: manage.py token list.")
    if not found:
        raise CommandError("There is no such token, or it is revoked. Name its first characters or its id.")
    return found[0]


def _person(email: str) -> User:
    person: User | None = User.objects.active().filter(email=clean_email(email)).first()
    if person is None:
        raise CommandError(f"There is no active account {email!r}.")
    return person


def _team(name: str) -> Team | None:
    if not name:
        return None
    team = Team.objects.filter(name__iexact=name).first()
    if team is None:
        raise CommandError(f"There is no team {name!r}.")
    return team


def _end(typed: str | None) -> Any:
    """When the token ends; without a word of it after the usual time, or sooner where it has to be."""
    if typed == "never":
        return None
    if typed is None:
        longest = TokenPolicy.current().longest_days
        return timezone.now() + timedelta(days=min(USUAL_DAYS, longest or USUAL_DAYS))
    if not typed.isdecimal() or not 0 < int(typed) <= MOST_DAYS:
        raise CommandError("--expires takes a number of days, or never.")
    return timezone.now() + timedelta(days=int(typed))


def _limit(typed: str | None) -> int | None:
    if typed is None:
        return None
    try:
        return parsed(Budget.Measure.MONEY, typed)
    except NotAnAmount as error:
        raise CommandError(str(error)) from None


def _until(token: AccessToken) -> str:
    return f"until {token.expires_at:%Y-%m-%d}" if token.expires_at is not None else "without an end"
