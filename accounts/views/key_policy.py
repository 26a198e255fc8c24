"""Manage, Keys, who may bring keys: whose keys calls are made with, and in which order."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from accounts.keys import policy as key_policy
from accounts.keys.policy import KeyPolicy
from accounts.keys.settings_forms import ORDERS, WHO, PolicyForm
from accounts.rights import admins_only, manage_page, person_of


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def policy(request: HttpRequest) -> HttpResponse:
    form = PolicyForm(request.POST if request.method == "POST" else None, policy=KeyPolicy.current())
    if form.is_bound and form.is_valid():
        if key_policy.change(policy=form.policy(), by=person_of(request)):
            messages.success(request, "Saved. It holds from the next call on.")
        return redirect("accounts:keys")
    context = {"form": form, "who": WHO, "orders": ORDERS}
    status = 422 if form.is_bound else 200
    return manage_page(request, "manage/keys_policy.html", context, here="keys", status=status)
