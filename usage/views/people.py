"""People: who has an account, what each may do and why, and what they used this month."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Membership, Team, User
from accounts.people import anonymising, rules
from accounts.people import people as changes
from accounts.people import view as people_view
from accounts.people.forms import ROLES, PeopleForm
from accounts.people.rules import NotAllowed
from accounts.rights import admins_only, manage_page, person_of
from usage.access_tokens import lines as token_lines
from usage.budgets import view as budget_view
from usage.clock import organisation_day
from usage.policies import explaining
from usage.reports.forms import period
from usage.reports.reports import Filters, Sums, sums

HERE = "people"


@require_safe
@admins_only
def people(request: HttpRequest) -> HttpResponse:
    """Everybody, or those that the address asks for. In the address: the fields of PeopleForm."""
    form = PeopleForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    month = period("month", organisation_day(timezone.now()))
    spent = {
        key[0]: found for key, found in sums(Filters(first=month.first, last=month.last), ("person",)).items()
    }
    listed = people_view.people(asked)
    context = {
        "form": form,
        "listed": listed,
        "lines": [(line, spent.get(line.person.pk, Sums())) for line in listed.lines],
        "month": month,
        "roles": [(name, words[0]) for name, words in ROLES.items()],
        "teams": Team.objects.order_by("name"),
        "states": PeopleForm.STATES.items(),
        "invited": len(people_view.open_invitations(person_of(request))),
        "query": _without(request, "page"),
        "unsorted": _without(request, "page", "sort"),
        "narrowed": any(asked.get(name) for name in ("q", "role", "team", "state")),
    }
    return manage_page(request, "manage/people.html", context, here=HERE)


@require_safe
@admins_only
def person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """One person: what they may do and by what, their teams, budgets and usage, and what can be changed."""
    return _page(request, get_object_or_404(User, pk=person_id))


@require_POST
@admins_only
def person_role(request: HttpRequest, person_id: UUID) -> HttpResponse:
    who, role = get_object_or_404(User, pk=person_id), request.POST.get("role", "")
    if role not in ROLES:
        return _page(request, who, "Choose one of the roles.")
    try:
        changes.change_role(by=person_of(request), person=who, role=role)
    except NotAllowed as reason:
        return _page(request, who, str(reason))
    messages.success(request, f"{who.display} is {ROLES[role][0].lower()} now.")
    return redirect("usage:person", who.pk)


@require_POST
@admins_only
def person_active(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Deactivates, or takes that back: `active` is 1 or 0."""
    who, active = get_object_or_404(User, pk=person_id), request.POST.get("active") == "1"
    try:
        (changes.activate if active else changes.deactivate)(by=person_of(request), person=who)
    except NotAllowed as reason:
        return _page(request, who, str(reason))
    messages.success(request, f"{who.display} is {'active again' if active else 'deactivated'}.")
    return redirect("usage:person", who.pk)


def _page(request: HttpRequest, who: User, problem: str = "") -> HttpResponse:
    by, month = person_of(request), period("month", organisation_day(timezone.now()))
    found = sums(Filters(first=month.first, last=month.last, person=who.pk), ("person",))
    context: dict[str, Any] = {
        "who": who,
        "role": ROLES[who.role],
        "reasons": rules.reasons(who),
        "allowed": explaining.may_use(who) if who.is_active else [],
        "memberships": Membership.objects.filter(user=who).select_related("team").order_by("team__name"),
        "month": month,
        "used": found.get((who.pk,), Sums()),
        "budgets": budget_view.own(who),
        "tokens": token_lines.of_person(who, ended=True),
        "refusal": rules.may_change(by, who),
        "is_former": anonymising.is_former(who),
        "roles": [(name, *words) for name, words in ROLES.items() if not rules.may_give_role(by, name)],
        "problem": problem,
    }
    return manage_page(request, "manage/person.html", context, here=HERE, status=409 if problem else 200)


def _without(request: HttpRequest, *names: str) -> str:
    asked = request.GET.copy()
    for name in names:
        asked.pop(name, None)
    return asked.urlencode()
