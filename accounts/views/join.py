"""The page behind the link of an invitation."""

from __future__ import annotations

from django import forms
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.client import address
from accounts.models import Invitation, Organisation, SignInProvider, User
from accounts.names import NAME_LENGTH
from accounts.people import invitations
from accounts.people.invitations import InvitationGone
from accounts.sign_in import limits
from accounts.single_sign_on import other_ways
from accounts.single_sign_on.sign_up import SignUp

TRIES, SECONDS = 30, 10 * 60  # openings of links from one address


class JoinForm(forms.Form):
    display_name = forms.CharField(label="Your name", max_length=NAME_LENGTH)
    password = forms.CharField(
        label="Password",
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters, and not a common one.",
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@sensitive_variables("token", "form")
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Makes the account that the invitation promises, and signs its person in."""
    if not limits.within("join", address() or "unknown", times=TRIES, seconds=SECONDS):
        return _gone(
            request, "Too many tries from here. Wait a quarter of an hour, then open the link again.", 429
        )
    try:
        invitation = invitations.found(token)
        form = JoinForm(request.POST or None)
        # Owners keep a password, as the way back when a provider fails.
        only_sso = invitation.role != User.Role.OWNER and SignUp.current().mode == "sso"
        if form.is_bound and not only_sso and form.is_valid():
            try:
                person = invitations.accept(token=token, **form.cleaned_data)
            except ValidationError as error:
                form.add_error("password", error.messages)
            else:
                login(request, person, backend="allauth.account.auth_backends.AuthenticationBackend")
                return redirect("chat:new")
    except InvitationGone as gone:
        return _gone(request, str(gone), 404)
    context = {
        "form": form,
        "invitation": invitation,
        "organisation": Organisation.current(),
        "providers": _providers(invitation),
        "only_sso": only_sso,
    }
    status = 403 if form.is_bound and only_sso else 422 if form.errors else 200
    response = render(request, "accounts/join.html", context, status=status)
    response["Referrer-Policy"] = "no-referrer"  # the address holds the token
    return response


def _providers(invitation: Invitation) -> list[SignInProvider]:
    """Those by which this invitation can be redeemed."""
    if invitation.role == User.Role.OWNER:
        return []
    return [each for each in other_ways.providers() if each.makes_accounts]


def _gone(request: HttpRequest, words: str, status: int) -> HttpResponse:
    return render(request, "accounts/join_gone.html", {"words": words}, status=status)
