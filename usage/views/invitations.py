"""Invitations: one person by a form, many by a file; sent again, taken back. Managers invite to their own
teams.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Invitation
from accounts.people import invitation_lists
from accounts.people import invitations as changes
from accounts.people import view as people_view
from accounts.people.forms import TEAM_ROLES, InviteForm
from accounts.people.invitations import Invited
from accounts.people.rules import NotAllowed
from accounts.rights import admins_only, manage_page, managers_too, person_of
from usage.budgets import words as budget_words
from usage.budgets.grants import budget_grant
from usage.models import Budget

HERE = "people"


class WithBudgetForm(InviteForm):
    """An invitation, and what the person may spend each month; empty: as much as other budgets leave."""

    limit = forms.CharField(required=False, max_length=30, label="Budget each month")

    def clean_limit(self) -> int | None:
        text = self.cleaned_data["limit"].strip()
        if not text:
            return None
        try:
            return budget_words.parsed(Budget.Measure.MONEY, text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


@require_safe
@managers_too
def invitations(request: HttpRequest) -> HttpResponse:
    """The open invitations that this person may change."""
    return _listed(request)


@require_http_methods(["GET", "HEAD", "POST"])
@managers_too
@sensitive_variables("invited")
def invite(request: HttpRequest) -> HttpResponse:
    """Invites one person. The link is shown once, on the page that answers."""
    by = person_of(request)
    initial = {"team": request.GET.get("team")}
    form = WithBudgetForm(request.POST if request.method == "POST" else None, by=by, initial=initial)
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        limit = asked["limit"] if by.is_admin else None
        try:
            invited = changes.invite(
                by=by,
                email=asked["email"],
                role=asked["role"],
                team=asked["team"],
                team_role=asked["team_role"],
                grant=budget_grant(limit) if limit is not None else None,
            )
        except NotAllowed as reason:
            form.add_error(None, str(reason))
        except ValidationError as error:
            form.add_error("email", error.messages)
        else:
            return _listed(request, [invited])
    context = {"form": form, "team_roles": [(name, *words) for name, words in TEAM_ROLES.items()]}
    return manage_page(request, "manage/invite.html", context, here=HERE, status=422 if form.errors else 200)


@require_POST
@managers_too
@sensitive_variables("invited")
def resend(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    """A new link, shown once; the old one is dead."""
    invitation = _mine(request, invitation_id)
    try:
        invited = changes.resend(by=person_of(request), invitation=invitation)
    except NotAllowed as reason:
        messages.error(request, str(reason))
        return redirect("usage:invitations")
    return _listed(request, [invited])


@require_POST
@managers_too
def revoke(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    invitation = _mine(request, invitation_id)
    changes.revoke(by=person_of(request), invitation=invitation)
    messages.success(request, f"The invitation of {invitation.email} is taken back; its link is dead.")
    return redirect("usage:invitations")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_variables("done")
def invite_many(request: HttpRequest) -> HttpResponse:
    """Many at once: a file is read and shown first, and only then does anything happen."""
    by = person_of(request)
    context: dict[str, Any] = {}
    if request.method == "POST":
        upload = request.FILES.get("file")
        text = request.POST.get("text", "")
        data = upload.read(invitation_lists.MOST_BYTES + 1) if upload is not None else text.encode()
        try:
            rows = invitation_lists.read(by, data)
        except invitation_lists.Unreadable as problem:
            context = {"problem": str(problem), "text": text}
        else:
            if request.POST.get("sure") == "1":
                done, failed = invitation_lists.invite_all(by, rows)
                return _listed(request, done, [(row.email, row.problem) for row in failed])
            good = sum(1 for row in rows if not row.problem)
            context = {"rows": rows, "good": good, "bad": len(rows) - good, "text": data.decode("utf-8-sig")}
    status = 422 if "problem" in context else 200
    return manage_page(request, "manage/invite_many.html", context, here=HERE, status=status)


def _listed(
    request: HttpRequest, done: list[Invited] | None = None, failed: list[tuple[str, str]] | None = None
) -> HttpResponse:
    """The open invitations, with the links of those that were just made."""
    context = {
        "open": people_view.open_invitations(person_of(request)),
        "made": [(one.invitation, _absolute(request, one.link)) for one in done or []],
        "failed": failed or [],
    }
    return manage_page(request, "manage/invitations.html", context, here=HERE)


def _absolute(request: HttpRequest, link: str) -> str:
    return link if link.startswith("http") else request.build_absolute_uri(link)


def _mine(request: HttpRequest, invitation_id: UUID) -> Invitation:
    return get_object_or_404(Invitation.objects.for_user(person_of(request)), pk=invitation_id)
