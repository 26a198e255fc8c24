"""The audit log: read, searched, and taken out as a file. For owners and admins."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.audit import retention as audit_retention
from accounts.audit import view as audit_view
from accounts.audit.view import AuditForm
from accounts.models import User
from accounts.rights import admins_only, manage_page, person_of

HERE = "audit"


@require_safe
@admins_only
def events(request: HttpRequest) -> HttpResponse:
    """The newest events, or those that the address asks for."""
    form = AuditForm(request.GET)
    context = {
        "form": form,
        "people": User.objects.order_by("display_name", "email").only("id", "display_name", "email"),
        "nouns": audit_view.headings(),
        "query": _without(request, "before"),
        "kept": audit_retention.kept_days(),
        "choices": audit_retention.CHOICES.items(),
        "zone": timezone.get_default_timezone_name(),
    }
    if form.is_valid():
        context["page"] = audit_view.page(form.events())
    return manage_page(
        request, "manage/audit.html", context, here=HERE, status=200 if form.is_valid() else 422
    )


@require_safe
@admins_only
def file(request: HttpRequest) -> HttpResponse:
    """The events of the same address as CSV."""
    form = AuditForm(request.GET)
    if not form.is_valid():
        return HttpResponse("These filters are not understood.", status=422, content_type="text/plain")
    try:
        text = audit_view.file(form.events())
    except audit_view.TooMany:
        words = f"A file holds {audit_view.LONGEST_FILE} events, and these are more. Choose fewer days."
        return HttpResponse(words, status=422, content_type="text/plain; charset=utf-8")
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.localdate()}.csv"'
    return response


class KeepForm(forms.Form):
    days = forms.TypedChoiceField(choices=audit_retention.CHOICES.items(), coerce=int)


@require_POST
@admins_only
def keep(request: HttpRequest) -> HttpResponse:
    """For how long events are kept."""
    form = KeepForm(request.POST)
    if form.is_valid():
        audit_retention.keep(by=person_of(request), days=form.cleaned_data["days"])
        messages.success(request, "Saved. What is too old goes with the next night.")
    else:
        messages.error(request, "Choose one of the spans.")
    return redirect("accounts:audit")


def _without(request: HttpRequest, name: str) -> str:
    query = request.GET.copy()
    query.pop(name, None)
    return query.urlencode()
