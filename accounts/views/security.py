"""A person's own Security page: password, e-mail, second factors, and where they are signed in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.mail import stored as mail
from accounts.models import User
from accounts.rights import manage_page, person_of
from accounts.sealing.sealing import SealBroken
from accounts.sign_in import policy as sign_in_policy
from accounts.sign_in import second_factor_seals, second_factors, sessions, totp
from accounts.sign_in.confirming import confirmed
from accounts.sign_in.security_forms import AddPasskeyForm, AddTotpForm, PasskeyNameForm
from accounts.single_sign_on import connections, other_ways
from providers.access import Secret

HERE = "security"
ADDING = "totp_being_added"  # of a session: the sealed secret of an app that has not shown a code yet
ADDING_KIND = "totp being added"
NEEDED = "Your role needs a second factor. Add another one before you remove this."
TOO_MANY = f"You have {second_factors.PASSKEYS} passkeys. Remove one first."


@require_safe
@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    connected = connections.of(person)
    taken = {each.provider_id for each in connected}
    context = {
        "factors": second_factors.of(person),
        "devices": sessions.devices(person, request.session.session_key),
        "connections": connected,
        "connectable": [each for each in other_ways.providers() if each.pk not in taken],
        "needed": sign_in_policy.needs(person),
        "mail_works": mail.is_set_up(),
    }
    return manage_page(request, "accounts/security.html", context, here=HERE)


@require_safe
@never_cache
@login_required
def second_step(request: HttpRequest) -> HttpResponse:
    """The choice of a second factor, for those who need one."""
    person = person_of(request)
    if second_factors.of(person).any:
        return redirect("accounts:security")
    context = {"due": person.second_factor_due, "held_back": person.is_held_back, "now": timezone.now()}
    return render(request, "accounts/second_step.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
@sensitive_post_parameters("code")
@sensitive_variables("secret")
def add_totp(request: HttpRequest) -> HttpResponse:
    """Shows the secret of a new app, and stores it once the app has shown a right code."""
    person = person_of(request)
    if second_factors.of(person).totp is not None:
        messages.info(request, "You have an authenticator app. Remove it first to use another one.")
        return redirect("accounts:security")
    posted = request.method == "POST"
    secret = _secret_being_added(request, person, fresh=not posted)
    form = AddTotpForm(request.POST if posted else None, person=person, secret=secret)
    if form.is_bound and form.is_valid():
        request.session.pop(ADDING, None)
        codes = second_factors.add_totp(person=person, secret=secret, step=form.step)
        return _added(request, "The authenticator app is set up.", codes)
    host = request.get_host()
    issuer = "Parley" if host.startswith("localhost") else f"Parley {host.partition(':')[0]}"
    size, path = totp.qr_path(totp.address(secret, issuer=issuer, account=person.email))
    text = secret.reveal()
    groups = " ".join(text[at : at + 4] for at in range(0, len(text), 4))
    context = {"form": form, "size": size, "path": path, "groups": groups}
    return render(request, "accounts/totp_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
def add_passkey(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    form = AddPasskeyForm(request.POST if request.method == "POST" else None, user=person)
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        try:
            codes = second_factors.add_passkey(
                person=person, name=values["name"], credential=values["credential"]
            )
        except second_factors.TooMany:
            form.add_error(None, TOO_MANY)
        else:
            return _added(request, "The passkey is added.", codes)
    context = {"form": form, "options": webauthn.begin_registration(person, False)}
    return render(request, "accounts/passkey_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
def rename_passkey(request: HttpRequest, id: int) -> HttpResponse:
    passkey = get_object_or_404(_own(request), pk=id, type=Authenticator.Type.WEBAUTHN)
    form = PasskeyNameForm(request.POST or None, initial={"name": passkey.wrap().name})
    if form.is_bound and form.is_valid():
        second_factors.rename_passkey(passkey=passkey, name=form.cleaned_data["name"])
        return redirect("accounts:security")
    return render(request, "accounts/passkey_rename.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
def remove_factor(request: HttpRequest, id: int) -> HttpResponse:
    factor = get_object_or_404(_own(request).exclude(type=Authenticator.Type.RECOVERY_CODES), pk=id)
    person = person_of(request)
    if request.method == "POST":
        try:
            second_factors.remove(person=person, factor=factor)
        except second_factors.FactorNeeded:
            messages.error(request, NEEDED)
        else:
            messages.success(request, f"Removed: {_named(factor)}.")
        return redirect("accounts:security")
    last = not sign_in_policy.second_factors_of(person).exclude(pk=factor.pk).exists()
    context = {"factor": factor, "named": _named(factor), "last": last}
    return render(request, "accounts/factor_remove.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Makes new codes and shows them, this once."""
    factors = second_factors.of(person_of(request))
    if not factors.any:
        raise Http404
    if request.method == "POST":
        return _show_codes(request, second_factors.make_recovery_codes(person=person_of(request)), "")
    return render(request, "accounts/recovery_codes_make.html", {"left": factors.codes_left})


@require_POST
@login_required
def end_session(request: HttpRequest, id: UUID) -> HttpResponse:
    if not sessions.end(person=person_of(request), id=id):
        raise Http404
    messages.success(request, "Signed out there.")
    return redirect("accounts:security")


@require_POST
@login_required
def end_sessions(request: HttpRequest) -> HttpResponse:
    """Everywhere else; here too, where the form says `here`."""
    person, here = person_of(request), "here" in request.POST
    key = None if here else request.session.session_key
    ended = sessions.end_all(person=person, by=person, but=key)
    if here:
        logout(request)
        return redirect("account_login")
    messages.success(
        request,
        f"Signed out in {ended} other place{'' if ended == 1 else 's'}." if ended else "Nowhere else.",
    )
    return redirect("accounts:security")


def _added(request: HttpRequest, words: str, codes: list[str]) -> HttpResponse:
    """The first factor comes with recovery codes, which are shown at once and never again."""
    if codes:
        return _show_codes(request, codes, words)
    messages.success(request, words)
    return redirect("accounts:security")


def _show_codes(request: HttpRequest, codes: list[str], words: str) -> HttpResponse:
    text = "\n".join(["Parley recovery codes", person_of(request).email, "", *codes, ""])
    context = {"codes": codes, "words": words, "text": text}
    return render(request, "accounts/recovery_codes.html", context)


def _secret_being_added(request: HttpRequest, person: User, *, fresh: bool) -> Secret:
    """Of this session; sealed there, because sessions lie in the database."""
    stored = None if fresh else request.session.get(ADDING)
    if isinstance(stored, str):
        try:
            return second_factor_seals.opened(stored, kind=ADDING_KIND, owner=person.pk)
        except SealBroken:
            pass  # a new one, then
    secret = totp.new_secret()
    request.session[ADDING] = second_factor_seals.sealed(secret, kind=ADDING_KIND, owner=person.pk)
    return secret


def _own(request: HttpRequest) -> Any:
    return Authenticator.objects.filter(user=person_of(request))


def _named(factor: Authenticator) -> str:
    if factor.type == Authenticator.Type.WEBAUTHN:
        return f"the passkey “{factor.wrap().name}”"
    return "the authenticator app"
