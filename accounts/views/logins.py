"""Connecting an account by a login at its vendor, at one of the places of keys; each attempt for its own
session.
"""

from __future__ import annotations

from urllib.parse import parse_qs
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.keys import forms as key_forms
from accounts.keys.forms import AccessForm
from accounts.keys.places import PLACES, Place, placed
from accounts.keys.policy import KeyPolicy
from accounts.logins import connecting
from accounts.models import Credential, LoginAttempt, User
from accounts.rights import person_of
from accounts.views.keys import TOO_MANY, key_page, may_try, owners_for, provider_label
from providers.errors import ProviderError

ANSWER_LENGTH = 8192
CONNECTED = "{} is connected."


@require_http_methods(["GET", "HEAD", "POST"])
@placed
def connect(request: HttpRequest, place: Place, provider: str) -> HttpResponse:
    """Begins a login; `replaces` is the credential that it is to take the place of."""
    kind = key_forms.login_kind(provider)
    policy = KeyPolicy.current()
    if kind is None or not any(policy.serves(scope, provider) for scope in place.scopes):
        raise Http404
    replaced = _replaced(request, place, provider)
    known = key_forms.initial_of(replaced) if replaced is not None else {"owner": request.GET.get("owner")}
    data = request.POST if request.method == "POST" else None
    owners = owners_for(request, place, replaced)
    form = AccessForm(data, initial=known, provider=provider, kind=kind, by_login=True, owners=owners)
    status = 422 if form.is_bound else 200
    if form.is_bound and form.is_valid():
        if not may_try(request):
            form.add_error(None, TOO_MANY)
            status = 429
        elif (attempt := _begin(request, form, replaced)) is not None:
            return redirect(place.urls["login"], id=attempt.pk)
    context = {"form": form, "row": form.row, "replaced": replaced, "kind": kind}
    return key_page(request, place, "manage/keys_connect.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@placed
@sensitive_post_parameters("answer")
@sensitive_variables("answer")
def login(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    """The attempt: where to log in, the code to type there, or the field for the code that came back."""
    attempt = _attempt(request, place, id)
    problem, status = "", 200
    if request.method == "POST":
        answer = request.POST.get("answer", "")[:ANSWER_LENGTH]
        problem = connecting.finish(attempt, answer) if may_try(request) else TOO_MANY
        attempt.refresh_from_db()
        status = 422
    if attempt.state == LoginAttempt.State.DONE:
        return _connected(request, place, attempt)
    context = {**_shown(attempt), "problem": problem}
    return key_page(request, place, "manage/keys_login.html", context, status=status)


@require_POST
@placed
def ask(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    """Called by the page every few seconds; the vendor is asked when it may be."""
    attempt = _attempt(request, place, id)
    connecting.ask(attempt)
    attempt.refresh_from_db()
    if attempt.state == LoginAttempt.State.DONE:
        _connected(request, place, attempt)
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponseClientRedirect(reverse(place.urls["list"]))
        return redirect(place.urls["list"])
    if request.htmx:  # type: ignore[attr-defined]
        shown = {**_shown(attempt), "place": place, "urls": place.urls}
        return render(request, "manage/_keys_login.html", shown)
    return redirect(place.urls["login"], id=attempt.pk)


@require_POST
@placed
def cancel(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    connecting.cancel(_attempt(request, place, id))
    return redirect(place.urls["list"])


@require_safe
@never_cache
@login_required
@sensitive_variables()
def callback(request: HttpRequest) -> HttpResponse:
    """Where the vendor sends the browser back to, whoever began the login. It changes nothing: the person
    finishes with a button, at the place where it began.
    """
    answer = request.META.get("QUERY_STRING", "")
    attempts = LoginAttempt.objects.for_session(person_of(request), request.session.session_key)
    states = parse_qs(answer[:ANSWER_LENGTH]).get("state", [])
    own = attempts.under_way().filter(flow=LoginAttempt.Flow.CODE)
    attempt = next((one for one in own if len(states) == 1 and connecting.began_with(one, states[0])), None)
    place = _place_of(attempt, person_of(request))
    context: dict[str, object] = {
        "attempt": attempt,
        "answer": answer,
        "label": provider_label(attempt.provider) if attempt else "",
    }
    status = 200 if attempt is not None else 400
    return key_page(request, place, "manage/keys_callback.html", context, status=status)


def _begin(request: HttpRequest, form: AccessForm, replaced: Credential | None) -> LoginAttempt | None:
    values = form.cleaned_data
    try:
        return connecting.begin(
            person=person_of(request),
            session_key=request.session.session_key or "",
            owner=values["owner"],
            provider=form.provider,
            base_url=values["base_url"],
            options=values["options"],
            label=values["label"],
            replaces=replaced.pk if replaced is not None else None,
        )
    except ProviderError as error:
        form.add_error(None, connecting.words(error, form.provider))
        return None


def _attempt(request: HttpRequest, place: Place, id: UUID) -> LoginAttempt:
    own = place.attempts(person_of(request), request.session.session_key)
    return get_object_or_404(own.select_related("person", "team"), pk=id)


def _place_of(attempt: LoginAttempt | None, person: User) -> Place:
    """Where the login was begun. Without one, the place in which an admin looks; for others there is none."""
    if attempt is None:
        wanted = ["organisation"]
    elif attempt.scope == "team":
        wanted = ["organisation", "teams"]
    else:
        wanted = ["own" if attempt.scope == "person" else "organisation"]
    place = next((PLACES[name] for name in wanted if PLACES[name].is_open_to(person)), None)
    if place is None:
        raise Http404
    return place


def _replaced(request: HttpRequest, place: Place, provider: str) -> Credential | None:
    text = request.POST.get("replaces") or request.GET.get("replaces")
    if not text:
        return None
    try:
        wanted = UUID(text)
    except ValueError:
        raise Http404 from None
    rows = place.rows(person_of(request)).select_related("team")
    return get_object_or_404(rows, pk=wanted, provider=provider)


def _connected(request: HttpRequest, place: Place, attempt: LoginAttempt) -> HttpResponse:
    messages.success(request, CONNECTED.format(provider_label(attempt.provider)))
    return redirect(place.urls["list"])


def _shown(attempt: LoginAttempt) -> dict[str, object]:
    return {
        "attempt": attempt,
        "label": provider_label(attempt.provider),
        "login_page": connecting.login_page(attempt),
        "asks_every": attempt.interval + 1,
    }
