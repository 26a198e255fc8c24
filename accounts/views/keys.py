"""Keys: listing, entering, replacing, changing, checking, revoking. One set of views for the three places
(accounts.keys.places): the organisation's, those of the teams that a person manages, and a person's own.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.keys import actions as key_actions
from accounts.keys import checking, credentials
from accounts.keys import forms as key_forms
from accounts.keys import lines as key_lines
from accounts.keys.forms import AccessForm
from accounts.keys.lines import KINDS
from accounts.keys.owners import Owner
from accounts.keys.places import Place, placed
from accounts.keys.policy import KeyPolicy
from accounts.keys.settings_forms import SettingsForm
from accounts.logins import connecting
from accounts.models import Credential, User
from accounts.rights import manage_page, person_of
from accounts.sign_in import limits
from providers import registry
from providers.access import Access, AccessKind
from providers.errors import ProviderError

TRIES, SECONDS = 20, 10 * 60  # keys tried at vendors, by one person
TOO_MANY = "Too many tries. Wait a quarter of an hour, then try again."


@require_safe
@placed
def keys(request: HttpRequest, place: Place) -> HttpResponse:
    """All credentials of the place; in the address `owner`, to see those of one owner."""
    person = person_of(request)
    owners = place.owners(person)
    wanted = request.GET.get("owner", "")
    rows = place.rows(person).select_related("team")
    if wanted in owners and len(owners) > 1:
        rows = rows.filter(**owners[wanted].filters)
    policy = KeyPolicy.current()
    lines = key_lines.lines(person, rows, policy)
    attempts = place.attempts(person, request.session.session_key).under_way()
    context = {
        "lines": lines,
        "owners": owners.items() if len(owners) > 1 else [],
        "wanted": wanted,
        "policy": policy,
        "may_add": any(_ways(place, policy)),
        "attempts": [(attempt, provider_label(attempt.provider)) for attempt in attempts],
        "pooled": key_lines.has_pool(lines),
        "from_environment": key_lines.from_environment(lines) if place.name == "organisation" else [],
        "manages": place.name == "own" and not person.is_admin and key_lines.manages(person),
    }
    return key_page(request, place, "manage/keys.html", context)


@require_safe
@placed
def add(request: HttpRequest, place: Place) -> HttpResponse:
    """The choice of provider and of the way to give access to it."""
    providers: dict[str, list[key_forms.Way]] = {}
    for way in _ways(place, KeyPolicy.current()):
        providers.setdefault(way.label, []).append(way)
    context: dict[str, object] = {"providers": providers.items(), "wanted": request.GET.get("owner", "")}
    return key_page(request, place, "manage/keys_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@placed
@sensitive_post_parameters("secret")
def enter(request: HttpRequest, place: Place, provider: str, kind: str) -> HttpResponse:
    """A new credential beside those that are there."""
    open_now = _ways(place, KeyPolicy.current())
    if not any(way.provider == provider and way.kind == kind and not way.by_login for way in open_now):
        raise Http404
    return _entering(request, place, provider, cast(AccessKind, kind), None)


@require_http_methods(["GET", "HEAD", "POST"])
@placed
@sensitive_post_parameters("secret")
def replace(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    """A new secret in the place of a stored one; the old one is revoked once the new one is known to work."""
    credential = _credential(request, place, id)
    if credential.kind not in key_forms.SECRETS or registry.provider(credential.provider) is None:
        raise Http404
    if not KeyPolicy.current().serves(credential.scope, credential.provider):
        raise Http404
    return _entering(request, place, credential.provider, cast(AccessKind, credential.kind), credential)


@require_http_methods(["GET", "HEAD", "POST"])
@placed
def change(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    """Its name, when it is used and whether, and the day by which it is to be replaced."""
    credential = _credential(request, place, id)
    form = SettingsForm(request.POST if request.method == "POST" else None, credential=credential)
    if form.is_bound and form.is_valid():
        person = person_of(request)
        if key_actions.change(credential=credential, settings=form.settings(), by=person):
            messages.success(request, "Saved. It holds from the next call on.")
        return redirect(place.urls["list"])
    line = key_lines.line(credential, KeyPolicy.current())
    status = 422 if form.is_bound else 200
    return key_page(request, place, "manage/keys_change.html", {"form": form, "line": line}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@placed
def revoke(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    """Asks first. The secret is removed here before the vendor is told anything."""
    credential = _credential(request, place, id)
    if request.method != "POST":
        line = key_lines.line(credential, KeyPolicy.current())
        return key_page(request, place, "manage/keys_revoke.html", {"line": line})
    before = Credential.objects.get(pk=credential.pk)
    key_actions.revoke(credential=credential, by=person_of(request))
    connecting.give_up(before)
    messages.success(request, "The key is revoked. What runs with it is stopped within seconds.")
    return redirect(place.urls["list"])


@require_POST
@placed
def check(request: HttpRequest, place: Place, id: UUID) -> HttpResponse:
    """Asks the vendor whether a stored credential works."""
    credential = _credential(request, place, id)
    if not may_try(request):
        messages.error(request, TOO_MANY)
    elif why := checking.check_again(credential):
        messages.error(request, f"The key ending in {credential.hint} does not work now. {why}")
    else:
        messages.success(request, f"The key ending in {credential.hint} works.")
    return redirect(place.urls["list"])


def key_page(
    request: HttpRequest, place: Place, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """A page of this place; `template` extends manage/keys_page.html."""
    frame = {"place": place, "urls": place.urls}
    return manage_page(request, template, {**frame, **context}, here=place.here, status=status)


def provider_label(provider: str) -> str:
    known = registry.provider(provider)
    return known.label if known is not None else provider


def may_try(request: HttpRequest) -> bool:
    """Counts one question to a vendor about a key."""
    return limits.within("keys", str(request.user.pk), times=TRIES, seconds=SECONDS)


def owners_for(request: HttpRequest, place: Place, replaced: Credential | None) -> dict[str, Owner]:
    """Whose a new credential may be: that of the one which it replaces, else any of the place's."""
    if replaced is not None:
        return {"": Owner.of(replaced)}
    return place.owners(person_of(request))


def _ways(place: Place, policy: KeyPolicy) -> list[key_forms.Way]:
    """Those that are open now, at this place."""
    return [way for way in key_forms.ways() if any(policy.serves(one, way.provider) for one in place.scopes)]


@sensitive_variables()
def _entering(
    request: HttpRequest, place: Place, provider: str, kind: AccessKind, replaced: Credential | None
) -> HttpResponse:
    known = key_forms.initial_of(replaced) if replaced is not None else {"owner": request.GET.get("owner")}
    data = request.POST if request.method == "POST" else None
    owners = owners_for(request, place, replaced)
    form = AccessForm(data, initial=known, provider=provider, kind=kind, owners=owners)
    status = 200
    if form.is_bound:
        status = 422
        if not form.is_valid():
            pass
        elif not may_try(request):
            form.add_error(None, TOO_MANY)
            status = 429
        elif problem := _take(form, replaced, person_of(request)):
            form.add_error(None, problem)
        else:
            messages.success(request, f"The key for {form.row.label} works and is stored.")
            return redirect(place.urls["list"])
    context = {"form": form, "row": form.row, "kind": KINDS[kind], "replaced": replaced}
    return key_page(request, place, "manage/keys_enter.html", context, status=status)


@sensitive_variables()
def _take(form: AccessForm, replaced: Credential | None, by: User) -> str:
    """Checks with the vendor and stores. Returns what to say when it was not stored."""
    values = form.cleaned_data
    options = {**credentials.shared_options(form.provider), **values["options"]}
    access = Access(values["base_url"], values["secret"], form.kind, options=options)
    try:
        account = checking.account_behind(form.provider, access)
    except ProviderError as error:
        return checking.advice(error, form.provider)
    key_actions.add_credential(
        owner=values["owner"],
        provider=form.provider,
        kind=form.kind,
        base_url=values["base_url"],
        secret=values["secret"],
        options=values["options"],
        vendor_account=account.vendor_account,
        label=values["label"],
        rotate_by=values["rotate_by"],
        replaces=replaced,
        by=by,
    )
    return ""


def _credential(request: HttpRequest, place: Place, id: UUID) -> Credential:
    return get_object_or_404(place.rows(person_of(request)).select_related("team"), pk=id)
