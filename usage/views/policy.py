"""Policy: which models and features the organisation and its teams may use, and why one person may or not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.keys import credentials
from accounts.models import Team
from accounts.policies import store
from accounts.policies.rules import NOTHING_DECIDED, Rule, Rules
from accounts.policies.store import Scope
from accounts.rights import admins_only, manage_page, person_of
from usage.policies import explaining, preview, words
from usage.policies.explain_form import ExplainForm
from usage.policies.form import RuleForm

HERE = "policy"
MOST_CHANGES = 6
SAME = "The same."


@dataclass(frozen=True, slots=True)
class Row:
    """One scope as the page shows it; `ruled`: it has a rule of its own."""

    name: str
    about: str
    models: str
    features: str
    ruled: bool
    href: str
    of: str = ""


@require_safe
@admins_only
def policy(request: HttpRequest) -> HttpResponse:
    rules = store.current()
    active = Count("members", filter=Q(members__is_active=True))
    teams = Team.objects.annotate(people=active).order_by(Lower("name"))
    context = {"rows": _rows(rules), "teams": [_team_row(team, rules) for team in teams]}
    return manage_page(request, "manage/policy.html", context, here=HERE)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def organisation(request: HttpRequest) -> HttpResponse:
    return _edit(request, Scope.ORGANISATION)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def others(request: HttpRequest) -> HttpResponse:
    return _edit(request, Scope.OTHERS)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    return _edit(request, Scope.TEAM, get_object_or_404(Team, pk=team_id))


@require_safe
@admins_only
def explain(request: HttpRequest) -> HttpResponse:
    """Why somebody may use a model, or may not. In the address: the fields of ExplainForm."""
    form = ExplainForm(request.GET or None)
    explained = None
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        explained = explaining.explain(values["person"], values["model"], values["feature"], values["team"])
    context = {"form": form, "explained": explained}
    return manage_page(request, "manage/policy_explain.html", context, here=HERE)


@require_safe
@never_cache
@login_required
def allowed(request: HttpRequest) -> HttpResponse:
    """What one may use oneself, and why."""
    person = person_of(request)
    asked = request.GET.copy()
    asked["person"] = str(person.pk)
    form = ExplainForm(asked if "model" in asked else None)
    explained = None
    if form.is_bound and form.is_valid():
        mine = Team.objects.filter(members=person)
        values = form.cleaned_data
        paying = values["team"] if values["team"] in mine else None
        explained = explaining.explain(person, values["model"], values["feature"], paying)
    context = {"form": form, "explained": explained, "reasons": explaining.may_use(person)}
    return manage_page(request, "usage/allowed.html", context, here="profile")


def _edit(request: HttpRequest, scope: Scope, found: Team | None = None) -> HttpResponse:
    """The form of one rule. What it takes from people is shown before it is saved."""
    by = person_of(request)
    rules = store.current()
    now = _stored(rules, scope, found)
    usable = credentials.usable_providers(by.pk, None)
    form = RuleForm(request.POST if request.method == "POST" else None, scope=scope, rule=now, usable=usable)
    changes: list[preview.Change] = []
    if form.is_bound and form.is_valid():
        rule = form.rule()
        changes = preview.changes(rules, _with(rules, scope, found, rule), usable)
        if form.cleaned_data["sure"] == _digest(rule) or not any(change.takes for change in changes):
            if store.change(by=by, scope=scope, team=found, rule=rule):
                messages.success(request, "Saved. It holds from the next call on; what runs goes on.")
            return redirect("usage:policy")
    context: dict[str, Any] = {
        "form": form,
        "scope": scope.value,
        "team": found,
        "changes": changes[:MOST_CHANGES],
        "more_changes": len(changes) - MOST_CHANGES,
        "sure": _digest(form.rule()) if changes else "",
    }
    status = 422 if form.errors else 200
    return manage_page(request, "manage/policy_rule.html", context, here=HERE, status=status)


def _stored(rules: Rules, scope: Scope, found: Team | None) -> Rule | None:
    if found is not None:
        return rules.teams.get(found.pk)
    return rules.organisation if scope == Scope.ORGANISATION else rules.others


def _with(rules: Rules, scope: Scope, found: Team | None, rule: Rule | None) -> Rules:
    """All rules, with this one in its place."""
    if scope == Scope.ORGANISATION:
        return replace(rules, organisation=rule or NOTHING_DECIDED)
    if found is None:
        return replace(rules, others=rule)
    teams = {team: one for team, one in rules.teams.items() if team != found.pk}
    return replace(rules, teams=teams | ({found.pk: rule} if rule is not None else {}))


def _digest(rule: Rule | None) -> str:
    """What was shown is what is saved: another choice is another one."""
    told = "" if rule is None else repr((rule.which, sorted(rule.models), sorted(rule.refused)))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _rows(rules: Rules) -> list[Row]:
    organisation, rest = rules.organisation, rules.others
    return [
        Row(
            "The organisation",
            "Goes for everybody, admins too, whatever their teams allow.",
            words.models_of(organisation),
            words.features_of(organisation),
            ruled=True,
            href=reverse("usage:policy_organisation"),
        ),
        Row(
            "Everyone else",
            "People in no team, and teams without a rule of their own.",
            words.models_of(rest) if rest is not None else "What the organisation’s rule allows.",
            words.features_of(rest) if rest is not None else SAME,
            ruled=rest is not None,
            href=reverse("usage:policy_others"),
        ),
    ]


def _team_row(found: Any, rules: Rules) -> Row:
    rule = rules.teams.get(found.pk)
    return Row(
        found.name,
        f"{found.people} {'person' if found.people == 1 else 'people'}",
        words.models_of(rule) if rule is not None else "What goes for everyone else.",
        words.features_of(rule) if rule is not None else SAME,
        ruled=rule is not None,
        href=reverse("usage:policy_team", args=[found.pk]),
        of=reverse("usage:team", args=[found.pk]),
    )
