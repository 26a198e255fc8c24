"""Acts on budgets: admins make and change them and decide; whoever is limited by one asks for more.

Nothing here asks whether an admin is one: views do (accounts.rights). Mail is sent after the transaction and
can fail none of them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import AccessToken, Membership, User
from usage.budgets import mail, periods, words
from usage.catalogue.actions import NotPossible
from usage.clock import database_now
from usage.models import NOBODY, Budget, LimitRequest

ALLOWS = ("limit", "mode", "cheaper_model", "admission")  # what of a budget may change
MOST_OPEN = 20  # requests of one person that wait at once


def make(
    *,
    by: UUID | None,
    name: str,
    scope: str,
    scope_id: UUID | None,
    measure: str,
    period: str,
    timezone_name: str,
    limit: int,
    mode: str,
    cheaper_model: str = "",
    admission: str = "strict",
) -> Budget:
    """A new budget, in force at once. `limit` is in nano-dollars, requests or tokens, as `measure` says.

    What the ledger has for the present period counts from the beginning.
    """
    with transaction.atomic():
        made = Budget.objects.create(
            name=name,
            scope=scope,
            scope_id=scope_id,
            measure=measure,
            period=period,
            timezone=timezone_name,
            limit=limit,
            mode=mode,
            cheaper_model=cheaper_model,
            admission=admission,
            created_by=by,
            enabled=False,
        )
        what = {name: getattr(made, name) for name in (*Budget.FIXED, *ALLOWS)}
        via = "" if by else "command"
        audit.record(
            Verb.BUDGET_MADE, actor=by, via=via, kind="budget", id=made.pk, name=made.name, after=what
        )
    _count(made)
    Budget.objects.filter(pk=made.pk).update(enabled=True, changed_at=timezone.now())
    made.enabled = True
    return made


def change(
    *,
    by: UUID | None = None,
    budget: Budget,
    name: str,
    limit: int,
    mode: str,
    cheaper_model: str = "",
    admission: str = "strict",
) -> None:
    """Changes what a budget allows; the next call is judged by it. What it counts stays as it was."""
    _update(
        by,
        budget.pk,
        name=name or budget.name,
        limit=limit,
        mode=mode,
        cheaper_model=cheaper_model,
        admission=admission,
    )


def switch(*, by: UUID | None = None, budget: Budget, on: bool) -> None:
    """A budget that is off limits nothing; its counters and requests stay."""
    if on:
        _count(budget)
    _update(by, budget.pk, enabled=on)


def ask_for_more(
    *, by: User, budget: Budget, reason: str = "", wanted: int | None = None
) -> tuple[LimitRequest, bool]:
    """Asks the admins to raise a limit. Returns the person's open request, and whether it is new.

    A second request beside an open one is the first one. `wanted` is the limit that would do. Raises
    NotPossible if the budget does not concern this person, is off, or too much was asked.
    """
    if not concerns(by, budget) or not budget.enabled:
        raise NotPossible("There is no such limit for you.")
    if wanted is not None and wanted <= budget.limit:
        raise NotPossible(f"The limit is {_words(budget, budget.limit)} already. Ask for more than that.")
    with transaction.atomic():
        # Requests of one person queue here, so that a double click finds the first.
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        mine = LimitRequest.objects.filter(asked_by=by.pk, state=LimitRequest.State.OPEN)
        if (open_one := mine.filter(budget=budget).first()) is not None:
            return open_one, False
        if mine.count() >= MOST_OPEN:
            raise NotPossible("Many of your requests wait already. Wait until an admin decides.")
        request = LimitRequest.objects.create(
            budget=budget,
            subject=by.pk if budget.scope == "member" else NOBODY,
            asked_by=by.pk,
            reason=reason,
            wanted=wanted,
        )
        _record_request(Verb.MORE_ASKED, by.pk, request, {"wanted": wanted})
        transaction.on_commit(lambda: mail.asked(request), robust=True)
    return request, True


def approve(*, by: UUID, request: LimitRequest, limit: int, answer: str = "") -> None:
    """Raises the limit for everybody whom the budget counts; the next call is judged by it.

    Raises NotPossible if it was decided before, or if the limit is that high already.
    """
    with transaction.atomic():
        _decide(request, by, LimitRequest.State.APPROVED, answer, granted=limit)
        _record_request(Verb.MORE_APPROVED, by, request, {"limit": limit})
        raised = Budget.objects.filter(pk=request.budget_id, limit__lt=limit)
        if not raised.update(limit=limit, changed_at=timezone.now()):
            now = Budget.objects.get(pk=request.budget_id)
            raise NotPossible(
                f"The limit is {_words(now, now.limit)} already. Enter a higher one, or refuse."
            )


def refuse(*, by: UUID, request: LimitRequest, answer: str) -> None:
    """The limit stays; the person reads the answer. Raises NotPossible if it was decided before."""
    with transaction.atomic():
        _decide(request, by, LimitRequest.State.REFUSED, answer, granted=None)
        _record_request(Verb.MORE_REFUSED, by, request, {})


def concerns(person: User, budget: Budget) -> bool:
    """Whether this budget limits calls of this person. Nobody is let know of a project's so far."""
    if not person.is_active:
        return False
    match budget.scope:
        case "organisation":
            return True
        case "person":
            return budget.scope_id == person.pk
        case "team" | "member":
            return Membership.objects.filter(user=person, team=budget.scope_id).exists()
        case "token":
            return AccessToken.objects.filter(Q(pk=budget.scope_id), user=person).exists()
        case _:
            return False


def _count(budget: Budget) -> None:
    """Opens the present period before any call does: who opens one in the midst of it reads all its lines."""
    subjects: list[UUID] = [NOBODY]
    if budget.scope == Budget.Scope.MEMBER:
        subjects = list(Membership.objects.filter(team=budget.scope_id).values_list("user", flat=True))
    now = database_now()
    for subject in subjects:
        periods.open_ahead(budget, subject, now)


def _update(by: UUID | None, budget: UUID, **changes: Any) -> None:
    with transaction.atomic():
        before = Budget.objects.select_for_update().get(pk=budget)
        Budget.objects.filter(pk=budget).update(**changes, changed_at=timezone.now())
        old, new = audit.changed({name: getattr(before, name) for name in changes}, changes)
        if new:
            audit.record(
                Verb.BUDGET_CHANGED,
                actor=by,
                via="" if by else "command",
                kind="budget",
                id=budget,
                name=before.name,
                before=old,
                after=new,
            )


def _record_request(verb: Verb, by: UUID, request: LimitRequest, after: dict[str, object]) -> None:
    """Without the reason and the answer: they are people's words."""
    about = {"for": str(request.asked_by), "budget": str(request.budget_id)}
    audit.record(
        verb, actor=by, kind="request", id=request.pk, name=request.budget.name, after={**about, **after}
    )


def _decide(request: LimitRequest, by: UUID, state: str, answer: str, *, granted: int | None) -> None:
    now = timezone.now()
    decided = LimitRequest.objects.filter(pk=request.pk, state=LimitRequest.State.OPEN).update(
        state=state, decided_by=by, decided_at=now, answer=answer, granted=granted
    )
    if not decided:
        raise NotPossible("Somebody decided this request meanwhile.")
    transaction.on_commit(lambda: mail.decided(request.pk), robust=True)


def _words(budget: Budget, amount: int) -> str:
    return words.limit_words(budget.measure, amount)
