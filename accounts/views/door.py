"""The pages of the first visit, and the door to resetting a password."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import actions
from accounts.keys import actions as key_actions
from accounts.keys import checking, credentials
from accounts.keys.owners import Owner
from accounts.mail import stored as mail
from accounts.models import Organisation, User
from accounts.sign_in import first_visit, limits
from accounts.sign_in.forms import KeyForm, SetupForm
from providers.access import Access, Secret
from providers.errors import ProviderError

KEY_PROVIDER = "anthropic"  # the one provider whose key the first visit offers to enter
KEY_TRIES, KEY_SECONDS = 20, 10 * 60

LIMIT_REACHED = "Too many tries. Wait a quarter of an hour, then try again."
WRONG_CODE = "This is not the set-up code. Copy it as the server printed it."


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password", "code")
def setup(request: HttpRequest) -> HttpResponse:
    """Makes the organisation and its owner, once; the owner is signed in and asked for a key."""
    if first_visit.is_set_up():
        return _already(request)
    asks_for_code = first_visit.code_required(request)
    form = SetupForm(request.POST if request.method == "POST" else None, asks_for_code=asks_for_code)
    if not form.is_bound or not form.is_valid():
        return render(request, "accounts/setup.html", {"form": form})
    if asks_for_code and not _code_accepted(request, form):
        return render(request, "accounts/setup.html", {"form": form}, status=403)
    values = form.cleaned_data
    try:
        owner = actions.found(
            organisation=values["organisation"],
            email=values["email"],
            password=values["password"],
            display_name=values["display_name"],
        )
    except actions.AlreadySetUp:
        return _already(request)
    first_visit.retire_code()
    login(request, owner)
    return redirect("accounts:setup_key")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@sensitive_post_parameters("key")
def setup_key(request: HttpRequest) -> HttpResponse:
    """Takes a provider's key for the organisation once the provider accepts it. For owners and admins."""
    if not request.user.is_authenticated or not request.user.is_admin:
        raise Http404
    organisation = Organisation.current()
    if organisation is None:
        raise Http404
    form = KeyForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound and form.is_valid():
        if not limits.within("setup-key", str(request.user.pk), times=KEY_TRIES, seconds=KEY_SECONDS):
            form.add_error("key", LIMIT_REACHED)
            status = 429
        elif problem := _take_key(organisation, form.cleaned_data["key"], request.user):
            form.add_error("key", problem)
        else:
            return redirect(settings.LOGIN_REDIRECT_URL)
    stored = credentials.organisation_key(KEY_PROVIDER)
    context = {
        "form": form,
        "stored": stored,
        "trouble": stored and credentials.trouble(stored),
        "from_environment": credentials.in_environment(KEY_PROVIDER),
    }
    return render(request, "accounts/setup_key.html", context, status=status)


def password_reset(request: HttpRequest) -> HttpResponseBase:
    """allauth's page where this server can send mail; where it cannot, a word on who can help."""
    if not mail.is_set_up():
        return render(request, "accounts/no_mail.html")
    answer: HttpResponseBase = allauth_views.password_reset(request)
    return answer


def _already(request: HttpRequest) -> HttpResponse:
    """What everybody sees who comes to the set-up page after the first."""
    if request.method == "POST":
        return render(request, "accounts/already_set_up.html", status=409)
    return redirect(settings.LOGIN_REDIRECT_URL if request.user.is_authenticated else settings.LOGIN_URL)


def _code_accepted(request: HttpRequest, form: SetupForm) -> bool:
    if not first_visit.may_try(request):
        form.add_error("code", LIMIT_REACHED)
    elif not first_visit.code_matches(form.cleaned_data["code"]):
        form.add_error("code", WRONG_CODE)
    return form.is_valid()


@sensitive_variables("secret", "access")
def _take_key(organisation: Organisation, secret: Secret, by: User) -> str | None:
    """Tests the key with the provider and stores it. Returns what to say when it was not stored."""
    base_url = credentials.base_url(KEY_PROVIDER)
    options = credentials.shared_options(KEY_PROVIDER)
    access = Access(base_url=base_url, secret=secret, kind="api_key", options=options)
    try:
        account = checking.account_behind(KEY_PROVIDER, access)
    except ProviderError as error:
        return checking.advice(error, KEY_PROVIDER)
    key_actions.save_only_credential(
        owner=Owner(organisation=organisation),
        provider=KEY_PROVIDER,
        base_url=base_url,
        secret=secret,
        vendor_account=account.vendor_account,
        by=by,
    )
    return None
