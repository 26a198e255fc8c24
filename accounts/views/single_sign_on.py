"""The way to a sign-in provider and back: to sign in, to connect, to test."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.internal.flows.reauthentication import resume_request
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.client import address
from accounts.models import SignInAttempt, SignInConnection, SignInDraft, SignInProvider, SignInVendor
from accounts.rights import person_of
from accounts.sign_in import limits
from accounts.sign_in.confirming import confirmed
from accounts.single_sign_on import (
    attempts,
    connections,
    entering,
    id_tokens,
    other_ways,
    providers,
    saml,
    saml_answers,
)
from accounts.single_sign_on.attempts import Finished
from accounts.single_sign_on.refusals import Faulty, NoEntry

TRIES, SECONDS = 30, 5 * 60  # beginnings from one address
TOO_MANY = "Too many tries from here. Wait a few minutes, then try again."
NOBODY = "Sign in first, then connect it again."
SOMEBODY_ELSE = "At the provider you are somebody else. Choose the account that is connected here."
NOT_ASKED = "The provider did not ask you who you are. Sign out there, then try again."
Purpose = SignInAttempt.Purpose


@require_POST
@never_cache
def begin(request: HttpRequest, id: UUID) -> HttpResponse:
    """Leads to the provider. A page that leads on, not a redirect: the form of our page may lead nowhere else
    (the policy's form-action, which browsers apply to redirects too).
    """
    provider = get_object_or_404(SignInProvider, pk=id, is_on=True)
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    if not limits.within("sso", address() or "unknown", times=TRIES, seconds=SECONDS):
        return _refused(request, TOO_MANY, 429)
    wanted = request.POST.get("next", "")
    after = wanted if get_adapter().is_safe_url(wanted) else ""
    try:
        return lead(request, provider, attempts.begin(request, Purpose.SIGN_IN, provider, next=after))
    except Faulty as refusal:
        attempts.log.warning("Single sign-on by %s did not begin: %s", provider.pk, refusal.why)
        return _refused(request, refusal.says, 400)


def lead(request: HttpRequest, provider: SignInProvider | SignInDraft, page: str) -> HttpResponse:
    response = render(request, "accounts/sso_going.html", {"provider": provider, "page": page})
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
@never_cache
@sensitive_variables()
def callback(request: HttpRequest, id: UUID) -> HttpResponse:
    """Where the provider sends the browser back to. A GET that acts, once, for whom this browser began it."""
    finished = None
    try:
        finished = attempts.finish(request, id)
        match finished.attempt.purpose:
            case Purpose.TEST:
                return _tested(request, finished)
            case Purpose.CONNECT:
                return _connected(request, finished)
            case Purpose.CONFIRM:
                return _confirmed(request, finished)
            case _:
                return _signed_in(request, finished)
    except entering.Inactive:
        return redirect("account_inactive")
    except NoEntry as refusal:
        return _turned(request, refusal, refusal.attempt or (finished.attempt if finished else None))


@csrf_exempt  # it comes from the provider's page; what it says is signed, and counts where it was asked for
@require_POST
@never_cache
@sensitive_variables()
def answered(request: HttpRequest, id: UUID) -> HttpResponse:
    """Where a SAML provider posts its answer. Leads to `callback`, to which the browser brings its cookie."""
    try:
        response = HttpResponse(status=303)
        response["Location"] = saml_answers.received(request, id)
    except NoEntry as refusal:
        attempts.log.warning("An answer by SAML to %s was refused: %s", id, refusal.why)
        return _refused(request, refusal.says, 403)
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
def metadata(request: HttpRequest, id: UUID) -> HttpResponse:
    """Our two addresses as a SAML provider reads them, for any id: they tell nothing but the id."""
    text = saml.metadata(attempts.redirect_address(request, id, SignInVendor.SAML))
    name = "parley-saml-metadata.xml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/samlmetadata+xml", headers=headers)


@require_POST
@never_cache
@login_required
@confirmed()
def connect(request: HttpRequest, id: UUID) -> HttpResponse:
    """A person's own account, from Settings → Security."""
    provider = get_object_or_404(SignInProvider, pk=id, is_on=True)
    try:
        page = attempts.begin(request, Purpose.CONNECT, provider, person=person_of(request))
    except Faulty as refusal:
        attempts.log.warning("Single sign-on by %s did not begin: %s", provider.pk, refusal.why)
        messages.error(request, refusal.says)
        return redirect("accounts:security")
    return lead(request, provider, page)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    """Asks who has no password and no second factor here to sign in again, before something that a stranger
    at an open screen must not do.
    """
    person = person_of(request)
    known = other_ways.of(person)
    after = request.POST.get("next", "") or request.GET.get("next", "")
    after = after if get_adapter().is_safe_url(after) else ""
    problem = ""
    if request.method == "POST":
        wanted = request.POST.get("provider_id", "")
        provider = next((each for each in known if str(each.pk) == wanted), None)
        if provider is None:
            raise Http404
        try:
            page = attempts.begin(request, Purpose.CONFIRM, provider, person=person, next=after)
            return lead(request, provider, page)
        except Faulty as refusal:
            attempts.log.warning("Single sign-on by %s did not begin: %s", provider.pk, refusal.why)
            problem = refusal.says
    context = {"providers": known, "after": after, "problem": problem}
    return render(request, "accounts/sso_confirm.html", context, status=400 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
def disconnect(request: HttpRequest, id: UUID) -> HttpResponse:
    person = person_of(request)
    found = next((each for each in connections.of(person) if each.pk == id), None)
    if found is None:
        raise Http404
    if request.method == "POST":
        try:
            connections.disconnect(person=person, id=id)
        except NoEntry as refusal:
            messages.error(request, refusal.says)
        else:
            messages.success(request, f"Disconnected: {found.provider.name}.")
        return redirect("accounts:security")
    return render(request, "accounts/sso_disconnect.html", {"connection": found})


def _signed_in(request: HttpRequest, finished: Finished) -> HttpResponse:
    """What follows is as after a password: proving an address, the second step, the session."""
    provider = cast(SignInProvider, finished.attempt.provider)
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    person = entering.enter(provider, finished.identity)
    checked = {other_ways.CHECKED: True} if provider.checks_second_factor else {}
    record_authentication(
        request, person, other_ways.METHOD, provider=str(provider.pk), name=provider.name, **checked
    )
    login = Login(user=person, redirect_url=finished.attempt.next or None, state=dict(checked))
    response: HttpResponse = perform_login(request, login)
    return response


def _connected(request: HttpRequest, finished: Finished) -> HttpResponse:
    person, provider = finished.attempt.person, cast(SignInProvider, finished.attempt.provider)
    if person is None or request.user != person or not person.is_active:
        return _refused(request, NOBODY, 403)
    connections.connect(person=person, provider=provider, identity=finished.identity)
    messages.success(request, f"Connected: {provider.name}.")
    return redirect("accounts:security")


def _confirmed(request: HttpRequest, finished: Finished) -> HttpResponse:
    """Goes on with what was asked for, which allauth kept meanwhile."""
    attempt, identity = finished.attempt, finished.identity
    known = SignInConnection.objects.filter(
        provider=attempt.provider, subject=identity.subject, person=attempt.person
    )
    if attempt.person is None or request.user != attempt.person or not known.exists():
        return _refused(request, SOMEBODY_ELSE, 403)
    at = identity.authenticated_at
    if at is not None and at < attempt.created_at.timestamp() - id_tokens.LEEWAY:
        return _refused(request, NOT_ASKED, 403)
    record_authentication(request, attempt.person, other_ways.METHOD, reauthenticated=True)
    request.GET = QueryDict(urlencode({REDIRECT_FIELD_NAME: attempt.next}))
    response: HttpResponse | None = resume_request(request)
    return response or redirect("accounts:security")


def _tested(request: HttpRequest, finished: Finished) -> HttpResponse:
    """Nobody is signed in by it, and no account is touched."""
    if not request.user.is_authenticated:
        return _refused(request, NOBODY, 403)
    drafts = SignInDraft.objects.for_user(request.user)
    draft = get_object_or_404(drafts, pk=finished.attempt.draft_id)
    providers.note_test(draft, finished.identity)
    return redirect("accounts:sign_in_review", id=draft.pk)


def _turned(request: HttpRequest, refusal: NoEntry, attempt: SignInAttempt | None) -> HttpResponse:
    """To where the attempt was begun, as far as whoever is here may see that."""
    if attempt is not None and attempt.person_id is not None and request.user == attempt.person:
        if attempt.purpose == Purpose.TEST and attempt.draft_id is not None:
            messages.error(request, f"The test failed. {refusal.why}")
            return redirect("accounts:sign_in_draft", id=attempt.draft_id)
        messages.error(request, refusal.says)
        return redirect("accounts:security")
    return _refused(request, refusal.says, 403)


def _refused(request: HttpRequest, words: str, status: int) -> HttpResponse:
    return render(request, "accounts/sso_refused.html", {"words": words}, status=status)
