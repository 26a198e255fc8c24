"""Making, changing and revoking access tokens: keyword-only, each in one transaction with its audit event.

`by` is the person who did it, None where none did; `via` then says what did. The audit log gets a token's
first characters, never its text or digest, and not its name: a person's own words go when the person does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.ids import uuid7
from accounts.models import AccessToken, Membership, Team, User
from accounts.names import clean_name
from accounts.people.rules import NotAllowed
from accounts.tokens import text
from accounts.tokens.policy import TokenPolicy
from providers.access import Secret

MOST = 100  # tokens of one person that are not revoked
MOST_MODELS = 200


@dataclass(frozen=True, slots=True)
class Made:
    """A token and its text, which nobody can find out again."""

    token: AccessToken
    text: Secret


@sensitive_variables("secret")
def make(
    *,
    person: User,
    name: str,
    scopes: Iterable[str],
    models: Iterable[str] = (),
    team: Team | None = None,
    expires_at: datetime | None,
    by: User | None,
    via: str = "",
    token_id: UUID | None = None,
) -> Made | None:
    """A token of this person; `team` pays for it, else the person. Without `models` it is for all that the
    person may use.

    A second request under the same `token_id` makes nothing, and returns None. Raises NotAllowed.
    """
    name, scopes = clean_name(name), AccessToken.known_scopes(scopes)
    refs = list(dict.fromkeys(models))
    now, policy = timezone.now(), TokenPolicy.current()
    if not name:
        raise NotAllowed("A token needs a name.")
    if not scopes:
        raise NotAllowed("A token has to be for something.")
    if len(refs) > MOST_MODELS:
        raise NotAllowed(f"A token is for {MOST_MODELS} models at most, or for all.")
    if not person.is_active or not policy.allows(person):
        raise NotAllowed("The organisation does not let this person have access tokens.")
    _refuse_end(expires_at, now, policy.latest_end(now), policy)
    secret = text.new()
    with transaction.atomic():
        # Of two requests of one person the second waits, and finds the first.
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        own = AccessToken.objects.for_user(person)
        if token_id is not None and own.filter(pk=token_id).exists():
            return None
        if own.live().count() >= MOST:
            raise NotAllowed(f"There are {MOST} tokens already. Revoke some first.")
        if team is not None and not Membership.objects.filter(user=person, team=team).exists():
            raise NotAllowed("A team pays only for tokens of its members.")
        token = AccessToken.objects.create(
            id=token_id or uuid7(),
            user=person,
            name=name,
            prefix=text.prefix(secret),
            sha256=AccessToken.digest(secret.reveal()),
            scopes=scopes,
            allowed_models=refs,
            paying_team=team,
            expires_at=expires_at,
        )
        _record(
            Verb.TOKEN_MADE,
            token,
            by,
            via,
            after={
                "for": str(person.pk),
                "first_characters": token.prefix,
                "scopes": scopes,
                "models": refs or "all",
                "team": team.name if team is not None else None,
                "expires": _day(expires_at),
            },
        )
    return Made(token, secret)


def change(
    *, token: AccessToken, name: str, expires_at: datetime | None, by: User | None, via: str = ""
) -> bool:
    """Another name, or an earlier end. Says whether anything changed. Raises NotAllowed."""
    with transaction.atomic():
        row = AccessToken.objects.select_for_update().get(pk=token.pk)
        if row.revoked_at is not None:
            raise NotAllowed("This token is revoked.")
        name = clean_name(name)
        if not name:
            raise NotAllowed("A token needs a name.")
        if expires_at != row.expires_at:
            _refuse_end(expires_at, timezone.now(), row.expires_at)
        before = {"name": row.name, "expires": _day(row.expires_at)}
        row.name, row.expires_at = name, expires_at
        old, new = audit.changed(before, {"name": row.name, "expires": _day(expires_at)})
        if not new:
            return False
        row.save(update_fields=["name", "expires_at"])
        if "name" in new:
            old, new = {**old, "name": None}, {**new, "name": "changed"}
        _record(Verb.TOKEN_CHANGED, row, by, via, before=old, after=new)
    return True


def revoke(*, token: AccessToken, by: User | None, via: str = "") -> bool:
    """The token is refused from now on, and calls that run with it end within seconds. Says whether it was
    not revoked before.
    """
    with transaction.atomic():
        row = AccessToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
        if row.revoked_at is not None:
            return False
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        after: dict[str, object] = {
            "for": str(row.user_id),
            "first_characters": row.prefix,
            "state": "revoked",
        }
        _record(Verb.TOKEN_REVOKED, row, by, via, after=after)
    return True


def _refuse_end(
    wanted: datetime | None, now: datetime, latest: datetime | None, policy: TokenPolicy | None = None
) -> None:
    """Raises NotAllowed for an end that is past, or later than the latest."""
    if wanted is not None and wanted <= now:
        raise NotAllowed("The end has to be ahead.")
    if latest is not None and (wanted is None or wanted > latest):
        if policy is not None and policy.longest_days is not None:
            days = policy.longest_days
            raise NotAllowed(
                f"The organisation lets tokens last {days} day{'s' if days != 1 else ''} at most."
            )
        raise NotAllowed("The end of a token can only be brought forward. For more time, make another one.")


def _day(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="minutes") if moment is not None else None


def _record(
    verb: Verb,
    token: AccessToken,
    by: User | None,
    via: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(verb, actor=by, via=via, kind="token", id=token.pk, before=before, after=after)
