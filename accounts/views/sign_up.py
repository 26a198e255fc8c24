"""Who may make an account: deciding it, and making one with an address of one's own."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import letters
from accounts.client import address
from accounts.mail import stored as mail
from accounts.models import Invitation, User
from accounts.names import clean_email
from accounts.people import invitations
from accounts.people.rules import NotAllowed
from accounts.rights import admins_only, person_of
from accounts.sign_in import limits
from accounts.sign_in.confirming import confirmed
from accounts.sign_in.forms import dressed
from accounts.single_sign_on import other_ways, sign_up
from accounts.single_sign_on.forms import SignUpForm
from accounts.single_sign_on.sign_up import SignUp

TRIES, SECONDS = 10, 10 * 60  # of one network address
LETTERS, LETTER_SECONDS = 3, 60 * 60  # to one address
VIA = "sign-up"
TOO_MANY = "Too many tries. Wait a quarter of an hour, then try again."


class AddressForm(forms.Form):
    email = forms.EmailField(
        label="E-mail", max_length=254, widget=dressed(forms.EmailInput(), autocomplete="username")
    )

    def clean_email(self) -> str:
        return clean_email(self.cleaned_data["email"])


@require_POST
@admins_only
@confirmed()
def decide(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(words) for rows in form.errors.values() for words in rows))
        return redirect("accounts:sign_in_policy")
    try:
        sign_up.decide(by=person_of(request), **form.cleaned_data)
    except NotAllowed as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "Saved. It holds from now on.")
    return redirect("accounts:sign_in_policy")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def signup(request: HttpRequest) -> HttpResponse:
    """Sends a link with which the address's owner makes their account. What is answered does not tell whether
    the address has one, or may have one.
    """
    decided = SignUp.current()
    if request.user.is_authenticated:
        return redirect("chat:new")
    if decided.mode != "domain" or not mail.is_set_up():
        shown = other_ways.providers() if decided.mode != "closed" else []
        return render(request, "account/signup_closed.html", {"providers": shown})
    form = AddressForm(request.POST or None)
    status = 200
    if form.is_bound and form.is_valid():
        if limits.within("sign-up", address() or "unknown", times=TRIES, seconds=SECONDS):
            _answer(form.cleaned_data["email"], decided)
            return render(request, "accounts/sign_up_sent.html", {"email": form.cleaned_data["email"]})
        form.add_error(None, TOO_MANY)
        status = 429
    elif form.is_bound:
        status = 422
    context = {"form": form, "providers": other_ways.providers(), "domains": sorted(decided.domains)}
    return render(request, "accounts/sign_up.html", context, status=status)


def _answer(email: str, decided: SignUp) -> None:
    """One letter, or none: of an invitation that is open, or new; or that there is an account."""
    if not limits.within("sign-up-letter", email, times=LETTERS, seconds=LETTER_SECONDS):
        return
    if User.objects.filter(email=email).exists():
        letters.tell("accounts/email/has_account", email)
        return
    earlier = Invitation.objects.open().filter(email=email).first()
    try:
        if earlier is not None:
            invitations.resend(by=None, invitation=earlier, via=VIA)
        elif decided.admits(email):
            invitations.invite(by=None, email=email, via=VIA)
    except (NotAllowed, forms.ValidationError):
        return  # somebody else was quicker
