"""Manage, Budgets: what may be spent by whom, how full it is, and who asks for more. And the asking."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.rights import admins_only, manage_page, person_of
from usage.budgets import actions as budget_actions
from usage.budgets import overshoot as budget_overshoot
from usage.budgets import view as budget_view
from usage.budgets import words as budget_words
from usage.budgets.forms import ADMISSIONS, MODES, AskForm, BudgetForm, DecisionForm, wanted
from usage.budgets.meter import STATES
from usage.budgets.view import Shown, Waiting
from usage.catalogue.actions import NotPossible
from usage.clock import organisation_day
from usage.models import NOBODY, Budget, LimitRequest
from usage.offers import offers
from usage.offers.offers import Offer
from usage.reports.forms import LONGEST

AT_ONCE = 50  # budgets on a page


@require_safe
@admins_only
def budgets(request: HttpRequest) -> HttpResponse:
    """All budgets, the fullest first. In the address: `state` (of budget_meter.STATES), `scope`, `page`."""
    state, scope = request.GET.get("state", ""), request.GET.get("scope", "")
    everything = budget_view.shown()
    of_scope = [line for line in everything if scope in ("", line.budget.scope)]
    lines = [line for line in of_scope if state in ("", line.state)]
    page = Paginator(lines, AT_ONCE).get_page(request.GET.get("page"))
    kept = f"&scope={scope}" if scope in budget_words.KINDS else ""
    counts = [("", "All", len(of_scope))] + [
        (name, label, sum(line.state == name for line in of_scope)) for name, label in STATES.items()
    ]
    context = {
        "page": page,
        "rows": [(line, _rows_address(line)) for line in page],
        "states": [(name, label, count, f"?state={name}{kept}") for name, label, count in counts],
        "state": state,
        "scopes": budget_words.KINDS.items(),
        "scope": scope,
        "any": bool(everything),
        "waiting": [(one, None) for one in budget_view.waiting()],
    }
    return manage_page(request, "manage/budgets.html", context, here="budgets")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def new_budget(request: HttpRequest) -> HttpResponse:
    """Makes a budget. `scope`, `team`, `person` and `scope_id` in the address fill the form."""
    data = request.POST if request.method == "POST" else None
    first = {
        name: request.GET[name] for name in ("scope", "team", "person", "scope_id") if name in request.GET
    }
    offered = _offered(request)
    form = BudgetForm(data, models=_names(offered), initial=first)
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        made = budget_actions.make(
            by=person_of(request).pk,
            name=values["name"],
            scope=values["scope"],
            scope_id=values["whom"],
            measure=values["measure"],
            period=values["period"],
            timezone_name=values["timezone"],
            limit=values["amount"],
            mode=values["mode"],
            cheaper_model=values["cheaper_model"],
            admission=values["admission"],
        )
        messages.success(request, f"{made.name} is in force: {_limit(made)}.")
        return redirect("usage:budgets")
    return _form_page(request, form, None, offered)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def budget(request: HttpRequest, budget: UUID) -> HttpResponse:
    """One budget: how full it is, for each person where each has one, and what it allows."""
    stored = get_object_or_404(Budget, pk=budget)
    data = request.POST if request.method == "POST" else None
    offered = _offered(request)
    form = BudgetForm(data, budget=stored, models=_names(offered))
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        budget_actions.change(
            by=person_of(request).pk,
            budget=stored,
            name=values["name"],
            limit=values["amount"],
            mode=values["mode"],
            cheaper_model=values["cheaper_model"],
            admission=values["admission"],
        )
        stored.refresh_from_db()
        messages.success(request, f"Saved. {stored.name}: {_limit(stored)}, from the next call on.")
        return redirect("usage:budgets")
    return _form_page(request, form, stored, offered)


@require_POST
@admins_only
def switch_budget(request: HttpRequest, budget: UUID) -> HttpResponse:
    """Switches a budget off; with `on`, on again."""
    stored = get_object_or_404(Budget, pk=budget)
    on = "on" in request.POST
    budget_actions.switch(by=person_of(request).pk, budget=stored, on=on)
    said = "is in force again" if on else "is off and limits nothing. What it counted stays"
    messages.success(request, f"{stored.name} {said}.")
    return redirect("usage:budget", stored.pk)


@require_safe
@admins_only
def limit_requests(request: HttpRequest) -> HttpResponse:
    """Who asks for more, and what was decided lately."""
    return _requests_page(request)


@require_POST
@admins_only
def decide_request(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Approves with a new limit, or refuses with a sentence."""
    asked = get_object_or_404(LimitRequest.objects.select_related("budget"), pk=request_id)
    form = DecisionForm(request.POST, measure=asked.budget.measure)
    if not form.is_valid():
        return _requests_page(request, form, asked.pk)
    values, by = form.cleaned_data, person_of(request).pk
    try:
        if values["verdict"] == "approve":
            budget_actions.approve(by=by, request=asked, limit=values["amount"], answer=values["answer"])
        else:
            budget_actions.refuse(by=by, request=asked, answer=values["answer"])
    except NotPossible as error:
        asked.refresh_from_db()
        if asked.state == LimitRequest.State.OPEN:
            form.add_error("limit", str(error))
            return _requests_page(request, form, asked.pk)
        messages.error(request, str(error))
        return redirect("usage:limit_requests")
    asked.budget.refresh_from_db()
    word = "Approved" if values["verdict"] == "approve" else "Refused"
    messages.success(request, f"{word}. {asked.budget.name}: {_limit(asked.budget)}.")
    return redirect("usage:limit_requests")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def ask_for_more(request: HttpRequest) -> HttpResponse:
    """Asks for more of a budget that concerns this person; GET shows whether it was asked before.

    What is not this person's is not found. A page that swaps it in gets the button's new state alone.
    """
    person = person_of(request)
    form = AskForm(request.POST if request.method == "POST" else {"budget": request.GET.get("budget", "")})
    if not form.is_valid() and "budget" in form.errors:
        raise Http404
    stored = get_object_or_404(Budget, pk=form.cleaned_data["budget"])
    if not budget_actions.concerns(person, stored):
        raise Http404
    problem, asked = "", None
    if request.method == "POST":
        try:
            if not form.is_valid():
                raise NotPossible("That is too long. Say it in fewer words.")
            asked, _ = budget_actions.ask_for_more(
                by=person,
                budget=stored,
                reason=form.cleaned_data["reason"],
                wanted=wanted(form, stored.measure),
            )
        except (NotPossible, ValidationError) as error:
            problem = error.messages[0] if isinstance(error, ValidationError) else str(error)
    if request.method == "POST" and "HX-Request" not in request.headers:
        if problem:
            return _asked_in_vain(request, stored, problem)
        messages.success(request, f"Asked for more in {stored.name}. An admin decides.")
        return redirect("usage:mine")
    asked = asked or budget_view.latest_request(person, stored)
    granted = asked.granted if asked is not None else None
    context = {
        "budget": stored.pk,
        "asked": asked,
        "granted": budget_words.limit_words(stored.measure, granted) if granted is not None else "",
        "problem": problem,
    }
    return render(request, "usage/_ask.html", context)


def _form_page(
    request: HttpRequest, form: BudgetForm, stored: Budget | None, offered: list[Offer]
) -> HttpResponse:
    measure = stored.measure if stored is not None else form["measure"].value() or Budget.Measure.MONEY
    context: dict[str, Any] = {
        "form": form,
        "budget": stored,
        "modes": MODES,
        "admissions": ADMISSIONS,
        "overshoot": budget_overshoot.sentence(measure, offered),
    }
    if stored is not None:
        (line,) = budget_view.shown([stored])
        context |= {
            "line": line,
            "rows_address": _rows_address(line),
            "members": budget_view.members(stored) if stored.scope == Budget.Scope.MEMBER else [],
        }
    status = 422 if form.is_bound else 200
    return manage_page(request, "manage/budgets_one.html", context, here="budgets", status=status)


def _requests_page(
    request: HttpRequest, refused: DecisionForm | None = None, request_id: UUID | None = None
) -> HttpResponse:
    """The page of requests, with the form that was refused as it was typed."""
    waiting: list[tuple[Waiting, DecisionForm | None]] = [
        (one, refused if one.request.pk == request_id else None) for one in budget_view.waiting()
    ]
    context = {"waiting": waiting, "decided": budget_view.decided()}
    status = 200 if refused is None else 422
    return manage_page(request, "manage/budgets_requests.html", context, here="budgets", status=status)


def _asked_in_vain(request: HttpRequest, stored: Budget, problem: str) -> HttpResponse:
    """The form as it was typed."""
    context = {
        "budget": stored,
        "limit": _limit(stored),
        "reason": request.POST.get("reason", ""),
        "wanted": request.POST.get("wanted", ""),
        "problem": problem,
    }
    return manage_page(request, "usage/ask.html", context, here="mine", status=422)


def _offered(request: HttpRequest) -> list[Offer]:
    """The models on offer that could take over."""
    return [offer for offer in offers.on_offer(person_of(request)) if offer.usable]


def _names(offered: list[Offer]) -> list[tuple[str, str]]:
    return [(offer.ref, f"{offer.spec.name} · {offer.provider}") for offer in offered]


def _rows_address(line: Shown) -> str:
    """Where the calls behind a counter are listed: whole days of the present period; "" where nowhere."""
    who = {"person": "person", "team": "team", "member": "team", "token": "token"}.get(line.budget.scope)
    today, first = organisation_day(timezone.now()), line.begins_at.date()
    if line.budget.scope == "project" or (today - first).days >= LONGEST:
        return ""
    query = {"period": "own", "from": f"{first}", "to": f"{max(today, first)}"}
    if who:
        query[who] = str(line.budget.scope_id)
    if line.subject != NOBODY:
        query["person"] = str(line.subject)
    return f"{reverse('usage:usage')}?{urlencode(query)}"


def _limit(stored: Budget) -> str:
    return f"{budget_words.limit_words(stored.measure, stored.limit)} {budget_words.PER[stored.period]}"
