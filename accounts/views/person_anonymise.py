"""Manage, People: takes the name of somebody who has left out of the installation, for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.names import clean_email
from accounts.people import anonymising, rules
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in.confirming import confirmed
from accounts.sign_in.forms import dressed

STILL_ACTIVE = "Deactivate this person first: only who has left is anonymised."


class AgreeForm(forms.Form):
    """Typing the address again shows that the right person is meant."""

    email = forms.CharField(
        label="Their e-mail", max_length=254, widget=dressed(forms.TextInput(), autocomplete="off")
    )

    def __init__(self, data: Any = None, *, person: User) -> None:
        super().__init__(data)
        self._person = person

    def clean_email(self) -> str:
        typed = clean_email(self.cleaned_data["email"])
        if typed != self._person.email:
            raise ValidationError("This is not their e-mail. Check whom you mean.")
        return typed


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@confirmed("POST")
def anonymise(request: HttpRequest, id: UUID) -> HttpResponse:
    """Says what goes and what stays, and does it once the address was typed."""
    who, by = get_object_or_404(User, pk=id), person_of(request)
    refusal = rules.may_change(by, who) or ("" if not who.is_active else STILL_ACTIVE)
    if refusal or anonymising.is_former(who):
        messages.error(request, refusal or "This person was anonymised before.")
        return redirect("usage:person", who.pk)
    form = AgreeForm(request.POST if request.method == "POST" else None, person=who)
    if form.is_bound and form.is_valid():
        try:
            anonymising.anonymise(person=who, by=by)
        except anonymising.NotPossible as error:
            form.add_error(None, str(error))
        else:
            who.refresh_from_db()
            messages.success(request, f"Done. What they did stands under the name {who.display} now.")
            return redirect("usage:person", who.pk)
    context = {"who": who, "form": form, "ends": anonymising.outlook(who)}
    status = 422 if form.errors else 200
    return manage_page(request, "manage/person_anonymise.html", context, here="people", status=status)
