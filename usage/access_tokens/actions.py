"""An access token and the budget of it alone, which its owner may set: it only narrows what is spent.

Each function is one transaction. `by` is the person who did it, None where none did; `via` then says what
did.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import AccessToken, Team, User
from accounts.people.rules import NotAllowed
from accounts.tokens import actions
from accounts.tokens.actions import Made
from usage.budgets import actions as budget_actions
from usage.catalogue import overrides
from usage.models import Budget
from usage.offers import offers


def make(
    *,
    person: User,
    name: str,
    scopes: Iterable[str],
    models: Iterable[str] = (),
    team: Team | None = None,
    expires_at: datetime | None,
    monthly_nano: int | None = None,
    by: User | None,
    via: str = "",
    token_id: UUID | None = None,
) -> Made | None:
    """As accounts.tokens.actions.make; with `monthly_nano` the token spends no more than that each month.

    Raises NotAllowed, also for a model that the person may not use.
    """
    refs = [overrides.known().canonical(ref) for ref in models]
    pays = team.pk if team is not None else None
    known = {offer.ref for offer in offers.offered(person, pays) if not offer.kept} if refs else set()
    unknown = set(refs) - known
    if unknown:
        raise NotAllowed(f"{min(unknown)[:200]} is not a model that this person may use.")
    with transaction.atomic():
        made = actions.make(
            person=person,
            name=name,
            scopes=scopes,
            models=refs,
            team=team,
            expires_at=expires_at,
            by=by,
            via=via,
            token_id=token_id,
        )
        if made is not None and monthly_nano is not None:
            _make_budget(made.token, monthly_nano, by)
    return made


def change(
    *, token: AccessToken, name: str, expires_at: datetime | None, monthly_nano: int | None, by: User
) -> bool:
    """Another name, an earlier end, another budget of the owner's own (None: none). Says whether anything
    changed. Raises NotAllowed.
    """
    with transaction.atomic():
        changed = actions.change(token=token, name=name, expires_at=expires_at, by=by)
        budget = own_budget(token)
        if budget is None:
            if monthly_nano is not None:
                _make_budget(token, monthly_nano, by)
            return changed or monthly_nano is not None
        if monthly_nano is None:
            budget_actions.switch(by=by.pk, budget=budget, on=False)
            return True
        if monthly_nano == budget.limit:
            return changed
        budget_actions.change(
            by=by.pk,
            budget=budget,
            name=budget.name,
            limit=monthly_nano,
            mode=budget.mode,
            cheaper_model=budget.cheaper_model,
            admission=budget.admission,
        )
    return True


def revoke(*, token: AccessToken, by: User | None, via: str = "") -> bool:
    """The token is refused from now on, and its budgets limit nothing any more. Says whether it was not
    revoked before.
    """
    with transaction.atomic():
        revoked = actions.revoke(token=token, by=by, via=via)
        if revoked:
            for budget in Budget.objects.filter(
                scope=Budget.Scope.TOKEN, scope_id=token.pk, enabled=True
            ).order_by("pk"):
                budget_actions.switch(by=by.pk if by is not None else None, budget=budget, on=False)
    return revoked


def own_budget(token: AccessToken) -> Budget | None:
    """The monthly budget that the token's owner has set for it; those of admins are not theirs to change."""
    found = Budget.objects.filter(
        scope=Budget.Scope.TOKEN,
        scope_id=token.pk,
        created_by=token.user_id,
        measure=Budget.Measure.MONEY,
        period=Budget.Period.MONTH,
        enabled=True,
    )
    return found.order_by("pk").first()


def _make_budget(token: AccessToken, monthly_nano: int, by: User | None) -> None:
    budget_actions.make(
        by=by.pk if by is not None else None,
        name=f"Token {token.prefix}…",
        scope=Budget.Scope.TOKEN,
        scope_id=token.pk,
        measure=Budget.Measure.MONEY,
        period=Budget.Period.MONTH,
        timezone_name=settings.TIME_ZONE,
        limit=monthly_nano,
        mode=Budget.Mode.BLOCK,
    )
