"""Teams: who is in them and what they used this month. Managers see and keep their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Membership, Team, User
from accounts.people import people as changes
from accounts.people import view as people_view
from accounts.people.forms import TEAM_ROLES, TeamForm
from accounts.people.rules import NotAllowed
from accounts.rights import admins_only, manage_page, managers_too, person_of
from usage.access_tokens import lines as token_lines
from usage.clock import organisation_day
from usage.reports.forms import period
from usage.reports.reports import Filters, Sums, sums

HERE = "teams"


@require_http_methods(["GET", "HEAD", "POST"])
@managers_too
def teams(request: HttpRequest) -> HttpResponse:
    """All teams that this person manages; admins make new ones."""
    by = person_of(request)
    if request.method == "POST" and not by.is_admin:
        raise Http404
    form = TeamForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            team = changes.create_team(by=by, name=form.cleaned_data["name"])
        except ValidationError as error:
            form.add_error("name", error.messages)
        else:
            return redirect("usage:team", team.pk)
    month = period("month", organisation_day(timezone.now()))
    spent = {
        key[0]: found for key, found in sums(Filters(first=month.first, last=month.last), ("team",)).items()
    }
    lines = [(team, spent.get(team.pk, Sums())) for team in people_view.teams(by)]
    context = {"form": form, "lines": lines, "month": month}
    return manage_page(request, "manage/teams.html", context, here=HERE, status=422 if form.errors else 200)


@require_safe
@managers_too
def team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    return _page(request, _mine(request, team_id))


@require_POST
@admins_only
def rename_team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    found, form = get_object_or_404(Team, pk=team_id), TeamForm(request.POST)
    if not form.is_valid():
        return _page(request, found, "A team needs a name of at most 80 characters.")
    try:
        changes.rename_team(by=person_of(request), team=found, name=form.cleaned_data["name"])
    except ValidationError as error:
        return _page(request, found, error.messages[0])
    messages.success(request, "Renamed.")
    return redirect("usage:team", found.pk)


@require_POST
@admins_only
def put_in_team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Adds a person, or gives them another role in the team."""
    found, role = get_object_or_404(Team, pk=team_id), request.POST.get("role", "member")
    who = User.objects.filter(pk=_uuid(request.POST.get("person", ""))).first()
    if who is None or role not in TEAM_ROLES:
        return _page(request, found, "Choose a person and a role.")
    try:
        changes.put_in_team(by=person_of(request), person=who, team=found, role=role)
    except NotAllowed as reason:
        return _page(request, found, str(reason))
    messages.success(request, f"{who.display} is {TEAM_ROLES[role][0].lower()} of {found.name} now.")
    return redirect("usage:team", found.pk)


@require_POST
@managers_too
def take_out_of_team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Managers take out members; admins anybody."""
    by, found = person_of(request), _mine(request, team_id)
    membership = get_object_or_404(Membership, team=found, user=_uuid(request.POST.get("person", "")))
    if not by.is_admin and membership.role == Membership.Role.MANAGER:
        return _page(request, found, "Only admins take a manager out of a team.")
    changes.take_out_of_team(by=by, person=membership.user, team=found)
    messages.success(request, f"{membership.user.display} is no longer in {found.name}.")
    return redirect("usage:team", found.pk)


def _page(request: HttpRequest, found: Team, problem: str = "") -> HttpResponse:
    by, month = person_of(request), period("month", organisation_day(timezone.now()))
    used = sums(Filters(first=month.first, last=month.last, team=found.pk), ("person",))
    spent = {key[0]: one for key, one in used.items()}
    members = people_view.members(found)
    context: dict[str, Any] = {
        "team": found,
        "lines": [(row, who, spent.get(who.pk, Sums())) for row, who in members],
        "total": sum(spent.values(), Sums()),
        "month": month,
        "open": people_view.open_invitations(by, found),
        "tokens": token_lines.of_team(found),
        "team_roles": [(name, words[0]) for name, words in TEAM_ROLES.items()],
        "others": User.objects.active().exclude(memberships__team=found).order_by("display_name", "email")
        if by.is_admin
        else [],
        "problem": problem,
    }
    return manage_page(request, "manage/team.html", context, here=HERE, status=409 if problem else 200)


def _mine(request: HttpRequest, team_id: UUID) -> Team:
    return get_object_or_404(Team.objects.managed_by(person_of(request)), pk=team_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
