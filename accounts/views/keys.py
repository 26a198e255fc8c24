"""The organisation's keys: listing, entering, replacing, checking, revoking. For owners and admins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import actions, checking, connecting, credentials, key_forms, limits
from accounts.key_forms import AccessForm
from accounts.models import Credential, LoginAttempt, Organisation, User
from accounts.models.credential import CredentialQuerySet
from accounts.rights import admins_only, manage_page
from providers import registry
from providers.access import Access, AccessKind
from providers.errors import ProviderError

TRIES, SECONDS = 20, 10 * 60  # keys tried at vendors, by one person
TOO_MANY = "Too many tries. Wait a quarter of an hour, then try again."
KINDS = {"api_key": "API key", "client": "Client secret", "device": "Login at GitHub", "oauth": "Login"}


@dataclass(frozen=True, slots=True)
class Line:
    """One credential as the page lists it."""

    credential: Credential
    provider: str
    kind: str
    trouble: str | None
    can_connect: bool


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """A key that the server was started with."""

    provider: str
    kind: str
    variable: str
    comes_second: bool


@require_safe
@admins_only
def keys(request: HttpRequest) -> HttpResponse:
    """All credentials of the organisation, and those from the environment."""
    rows = organisation_credentials(request).exclude(state=Credential.State.REVOKED)
    lines = sorted((_line(row) for row in rows), key=lambda line: (line.provider, -line.credential.id.int))
    entered = {line.credential.provider for line in lines}
    own = LoginAttempt.objects.for_session(cast(User, request.user), request.session.session_key)
    context = {
        "lines": lines,
        "from_environment": _from_environment(entered),
        "attempts": [(attempt, provider_label(attempt.provider)) for attempt in own.under_way()],
    }
    return manage_page(request, "manage/keys.html", context, here="keys")


@require_safe
@admins_only
def add(request: HttpRequest) -> HttpResponse:
    """The choice of provider and of the way to give access to it."""
    providers: dict[str, list[key_forms.Way]] = {}
    for way in key_forms.ways():
        providers.setdefault(way.label, []).append(way)
    return manage_page(request, "manage/keys_add.html", {"providers": providers.items()}, here="keys")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("secret")
def enter(request: HttpRequest, provider: str, kind: str) -> HttpResponse:
    """A new credential beside those that are there."""
    if not any(way.provider == provider and way.kind == kind for way in key_forms.ways() if not way.by_login):
        raise Http404
    return _entering(request, provider, cast(AccessKind, kind), None)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("secret")
def replace(request: HttpRequest, id: UUID) -> HttpResponse:
    """A new secret in the place of a stored one; the old one is revoked once the new one is known to work."""
    credential = _credential(request, id)
    if credential.kind not in key_forms.SECRETS or registry.provider(credential.provider) is None:
        raise Http404
    return _entering(request, credential.provider, cast(AccessKind, credential.kind), credential)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def revoke(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks first. The secret is removed here before the vendor is told anything."""
    credential = _credential(request, id)
    if request.method != "POST":
        return manage_page(request, "manage/keys_revoke.html", {"line": _line(credential)}, here="keys")
    before = Credential.objects.get(pk=credential.pk)
    actions.revoke(credential=credential)
    connecting.give_up(before)
    messages.success(request, "The key is revoked. Nothing uses it any more.")
    return redirect("accounts:keys")


@require_POST
@admins_only
def check(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks the vendor whether a stored credential works."""
    credential = _credential(request, id)
    if not may_try(request):
        messages.error(request, TOO_MANY)
    elif why := checking.check_again(credential):
        messages.error(request, f"The key ending in {credential.hint} does not work now. {why}")
    else:
        messages.success(request, f"The key ending in {credential.hint} works.")
    return redirect("accounts:keys")


def organisation_credentials(request: HttpRequest) -> CredentialQuerySet:
    """Those that this person may change here."""
    person = cast(User, request.user)
    return Credential.objects.for_user(person).filter(organisation__isnull=False)


def provider_label(provider: str) -> str:
    known = registry.provider(provider)
    return known.label if known is not None else provider


def may_try(request: HttpRequest) -> bool:
    """Counts one question to a vendor about a key."""
    return limits.within("keys", str(request.user.pk), times=TRIES, seconds=SECONDS)


@sensitive_variables()
def _entering(
    request: HttpRequest, provider: str, kind: AccessKind, replaced: Credential | None
) -> HttpResponse:
    known = key_forms.initial_of(replaced) if replaced is not None else None
    data = request.POST if request.method == "POST" else None
    form = AccessForm(data, initial=known, provider=provider, kind=kind)
    status = 200
    if form.is_bound:
        status = 422
        if not form.is_valid():
            pass
        elif not may_try(request):
            form.add_error(None, TOO_MANY)
            status = 429
        elif problem := _take(form, replaced):
            form.add_error(None, problem)
        else:
            messages.success(request, f"The key for {form.row.label} works and is stored.")
            return redirect("accounts:keys")
    context = {"form": form, "row": form.row, "kind": KINDS[kind], "replaced": replaced}
    return manage_page(request, "manage/keys_enter.html", context, here="keys", status=status)


@sensitive_variables()
def _take(form: AccessForm, replaced: Credential | None) -> str:
    """Checks with the vendor and stores. Returns what to say when it was not stored."""
    values, organisation = form.cleaned_data, Organisation.current()
    if organisation is None:
        raise Http404
    options = {**credentials.shared_options(form.provider), **values["options"]}
    access = Access(values["base_url"], values["secret"], form.kind, options=options)
    try:
        account = checking.account_behind(form.provider, access)
    except ProviderError as error:
        return checking.advice(error, form.provider)
    actions.add_credential(
        organisation=organisation,
        provider=form.provider,
        kind=form.kind,
        base_url=values["base_url"],
        secret=values["secret"],
        options=values["options"],
        vendor_account=account.vendor_account,
        label=values["label"],
        replaces=replaced,
    )
    return ""


def _credential(request: HttpRequest, id: UUID) -> Credential:
    rows = organisation_credentials(request).exclude(state=Credential.State.REVOKED)
    return get_object_or_404(rows, pk=id)


def _line(credential: Credential) -> Line:
    return Line(
        credential=credential,
        provider=provider_label(credential.provider),
        kind=KINDS[credential.kind],
        trouble=credentials.trouble(credential),
        can_connect=credential.kind == key_forms.login_kind(credential.provider),
    )


def _from_environment(entered: set[str]) -> list[FromEnvironment]:
    found = []
    for slug, row in registry.providers().items():
        if credentials.needs_no_secret(slug) or not credentials.in_environment(slug):
            continue
        kind = credentials.environment_kind(slug)
        variables = {row.auth_kinds[0]: row.key_variable, **dict(row.other_key_variables)}
        found.append(FromEnvironment(row.label, KINDS[kind], variables.get(kind, ""), slug in entered))
    return found
