"""A person's own name and time zone, and what they may do here."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import Team
from accounts.people import people, rules
from accounts.people.forms import ProfileForm
from accounts.rights import manage_page, person_of


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    now = {name: getattr(person, name) for name in ("display_name", "timezone", "language")}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=now)
    if form.is_bound and form.is_valid():
        try:
            people.change_profile(person=person, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Saved.")
            return redirect("accounts:profile")
    context = {
        "form": form,
        "reasons": rules.reasons(person),
        "managed": [] if person.is_admin else Team.objects.managed_by(person).order_by("name"),
    }
    status = 422 if form.errors else 200
    return manage_page(request, "accounts/profile.html", context, here="profile", status=status)
