"""From the text that a program sends to the person it speaks for.

Whatever is sent, one digest is looked up by one query, and whatever is wrong with it, the answer is the same.
Nothing of the text is logged or kept.

Exception
├── TokenRefused  there is no such token, or it may not be used now: nobody is told which
└── BeyondToken   the token is good, and not for this; the text says why
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.models import AccessToken, User
from accounts.tokens import standing


class TokenRefused(Exception):
    def __init__(self) -> None:
        super().__init__("This access token is not valid.")


class BeyondToken(Exception):
    """The message may be shown to whoever holds the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Whom a program speaks for, and within which bounds. `team_id` pays, None: the person does.

    `models` are the full references of those that the token is for; empty: all that the person may use. What
    the person may use is decided at each call, as for any other call of theirs.
    """

    token_id: UUID
    name: str
    person: User
    team_id: UUID | None
    scopes: frozenset[str]
    models: frozenset[str]


@sensitive_variables("text")
def authenticate(text: str, *, scope: str, model: str = "", now: datetime | None = None) -> Bearer:
    """Who sends this, if they may do this now: `scope` is one of AccessToken.Scope, `model` a full reference,
    empty where the request is not about one model.

    Raises TokenRefused; BeyondToken for another scope or model. One query, and nothing is written.
    """
    rows = AccessToken.objects.with_standing()
    token = rows.filter(sha256=AccessToken.digest(text)).first()
    if token is None or standing.trouble(token, now or timezone.now()):
        raise TokenRefused
    bearer = Bearer(
        token_id=token.pk,
        name=token.name,
        person=token.user,
        team_id=token.paying_team_id,
        scopes=frozenset(AccessToken.known_scopes(token.scopes)),
        models=frozenset(token.allowed_models),
    )
    if scope not in bearer.scopes:
        raise BeyondToken(f"The access token {token.name!r} is not for this. Make one that is.")
    if model and bearer.models and model not in bearer.models:
        raise BeyondToken(f"The access token {token.name!r} is not for the model {model[:200]!r}.")
    return bearer


def may_go_on(token_ids: Iterable[UUID], now: datetime | None = None) -> set[UUID]:
    """Those of the tokens with which calls under way may go on; of the others they are to be ended. One
    query, none where there are no ids.
    """
    wanted = set(token_ids)
    if not wanted:
        return set()
    moment = now or timezone.now()
    rows = AccessToken.objects.with_standing().filter(pk__in=wanted)
    return {token.pk for token in rows if not standing.trouble(token, moment)}
