"""Connecting an account by a login at its vendor. For owners and admins; each attempt for its own session."""

from __future__ import annotations

from typing import cast
from urllib.parse import parse_qs
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts import connecting, key_forms
from accounts.key_forms import AccessForm
from accounts.models import Credential, LoginAttempt, User
from accounts.rights import admins_only, manage_page
from accounts.views.keys import TOO_MANY, may_try, organisation_credentials, provider_label
from providers.errors import ProviderError

ANSWER_LENGTH = 8192
CONNECTED = "{} is connected."


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def connect(request: HttpRequest, provider: str) -> HttpResponse:
    """Begins a login; `replaces` is the credential that it is to take the place of."""
    kind = key_forms.login_kind(provider)
    if kind is None:
        raise Http404
    replaced = _replaced(request, provider)
    known = key_forms.initial_of(replaced) if replaced is not None else None
    data = request.POST if request.method == "POST" else None
    form = AccessForm(data, initial=known, provider=provider, kind=kind, by_login=True)
    status = 422 if form.is_bound else 200
    if form.is_bound and form.is_valid():
        if not may_try(request):
            form.add_error(None, TOO_MANY)
            status = 429
        elif (attempt := _begin(request, form, replaced)) is not None:
            return redirect("accounts:keys_login", id=attempt.pk)
    context = {"form": form, "row": form.row, "replaced": replaced, "kind": kind}
    return manage_page(request, "manage/keys_connect.html", context, here="keys", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("answer")
@sensitive_variables("answer")
def login(request: HttpRequest, id: UUID) -> HttpResponse:
    """The attempt: where to log in, the code to type there, or the field for the code that came back."""
    attempt = _attempt(request, id)
    problem, status = "", 200
    if request.method == "POST":
        answer = request.POST.get("answer", "")[:ANSWER_LENGTH]
        problem = connecting.finish(attempt, answer) if may_try(request) else TOO_MANY
        attempt.refresh_from_db()
        status = 422
    if attempt.state == LoginAttempt.State.DONE:
        return _connected(request, attempt)
    context = {**_shown(attempt), "problem": problem}
    return manage_page(request, "manage/keys_login.html", context, here="keys", status=status)


@require_POST
@admins_only
def ask(request: HttpRequest, id: UUID) -> HttpResponse:
    """Called by the page every few seconds; the vendor is asked when it may be."""
    attempt = _attempt(request, id)
    connecting.ask(attempt)
    attempt.refresh_from_db()
    if attempt.state == LoginAttempt.State.DONE:
        _connected(request, attempt)
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponseClientRedirect(reverse("accounts:keys"))
        return redirect("accounts:keys")
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "manage/_keys_login.html", _shown(attempt))
    return redirect("accounts:keys_login", id=attempt.pk)


@require_POST
@admins_only
def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    connecting.cancel(_attempt(request, id))
    return redirect("accounts:keys")


@require_safe
@admins_only
@sensitive_variables()
def callback(request: HttpRequest) -> HttpResponse:
    """Where the vendor sends the browser back to. It changes nothing: the person finishes with a button."""
    answer = request.META.get("QUERY_STRING", "")
    attempts = LoginAttempt.objects.for_session(cast(User, request.user), request.session.session_key)
    states = parse_qs(answer[:ANSWER_LENGTH]).get("state", [])
    own = attempts.under_way().filter(flow=LoginAttempt.Flow.CODE)
    attempt = next((one for one in own if len(states) == 1 and connecting.began_with(one, states[0])), None)
    context = {
        "attempt": attempt,
        "answer": answer,
        "label": provider_label(attempt.provider) if attempt else "",
    }
    status = 200 if attempt is not None else 400
    return manage_page(request, "manage/keys_callback.html", context, here="keys", status=status)


def _begin(request: HttpRequest, form: AccessForm, replaced: Credential | None) -> LoginAttempt | None:
    values = form.cleaned_data
    try:
        return connecting.begin(
            person=cast(User, request.user),
            session_key=request.session.session_key or "",
            provider=form.provider,
            base_url=values["base_url"],
            options=values["options"],
            label=values["label"],
            replaces=replaced.pk if replaced is not None else None,
        )
    except ProviderError as error:
        form.add_error(None, connecting.words(error, form.provider))
        return None


def _attempt(request: HttpRequest, id: UUID) -> LoginAttempt:
    own = LoginAttempt.objects.for_session(cast(User, request.user), request.session.session_key)
    return get_object_or_404(own, pk=id)


def _replaced(request: HttpRequest, provider: str) -> Credential | None:
    text = request.POST.get("replaces") or request.GET.get("replaces")
    if not text:
        return None
    try:
        wanted = UUID(text)
    except ValueError:
        raise Http404 from None
    rows = organisation_credentials(request).exclude(state=Credential.State.REVOKED)
    return get_object_or_404(rows, pk=wanted, provider=provider)


def _connected(request: HttpRequest, attempt: LoginAttempt) -> HttpResponse:
    messages.success(request, CONNECTED.format(provider_label(attempt.provider)))
    return redirect("accounts:keys")


def _shown(attempt: LoginAttempt) -> dict[str, object]:
    return {
        "attempt": attempt,
        "label": provider_label(attempt.provider),
        "login_page": connecting.login_page(attempt),
        "asks_every": attempt.interval + 1,
    }
