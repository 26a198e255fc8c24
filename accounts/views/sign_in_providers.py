"""Manage, Sign-in: the providers of single sign-on, from what is typed over the test to what is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import SignInAttempt, SignInDraft, SignInProvider, Team
from accounts.people.rules import NotAllowed
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in import limits
from accounts.sign_in.confirming import confirmed
from accounts.single_sign_on import attempts, identities, providers, saml, saml_xml
from accounts.single_sign_on.forms import ProviderForm, rule_forms, rules_of
from accounts.single_sign_on.groups import outcome
from accounts.single_sign_on.refusals import Faulty
from accounts.single_sign_on.saml_forms import SamlForm
from accounts.single_sign_on.saml_setup import described
from accounts.single_sign_on.sign_up import SignUp
from accounts.single_sign_on.vendors import VENDORS, typed_of
from accounts.views.single_sign_on import lead

HERE = "sign_in"
TESTS, SECONDS = 20, 10 * 60
TOO_MANY = "Too many tests. Wait a few minutes, then try again."


@dataclass(frozen=True, slots=True)
class Line:
    """One provider as the list shows it."""

    provider: SignInProvider
    vendor: str
    people: int


def lines() -> list[Line]:
    """One query."""
    rows = SignInProvider.objects.annotate(people=Count("connections")).order_by("name", "created_at")
    return [Line(row, VENDORS[row.vendor].label, row.people) for row in rows]


@require_POST
@admins_only
def add(request: HttpRequest, vendor: str) -> HttpResponse:
    if vendor not in VENDORS or (VENDORS[vendor].is_saml and not saml_xml.is_installed()):
        raise Http404
    draft = providers.new_draft(vendor, person=person_of(request))
    return redirect("accounts:sign_in_draft", id=draft.pk)


@require_POST
@admins_only
def edit(request: HttpRequest, id: UUID) -> HttpResponse:
    provider = get_object_or_404(SignInProvider, pk=id)
    draft = providers.draft_of(provider, person=person_of(request))
    return redirect("accounts:sign_in_draft", id=draft.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("client_secret")
@sensitive_variables("form", "secret")
def draft(request: HttpRequest, id: UUID) -> HttpResponse:
    """What is typed. `do` says what comes next: "test", or "review" to go on to saving."""
    found = _draft(request, id)
    data = request.POST if request.method == "POST" else None
    vendor = VENDORS[found.vendor]
    kind = SamlForm if vendor.is_saml else ProviderForm
    form, rules = kind(data, draft=found), rule_forms(found, data)
    problem = ""
    if form.is_bound and form.is_valid() and rules.is_valid():
        values = {**form.values, "groups": rules_of(rules)}
        providers.type_in(found, values, form.cleaned_data.get("client_secret"))
        if request.POST.get("do") == "review" and found.tested:
            return redirect("accounts:sign_in_review", id=found.pk)
        try:
            return _test(request, found)
        except Faulty as refusal:
            problem = f"The test failed. {refusal.why}"
        form, rules = kind(draft=found), rule_forms(found)  # the secret is kept, and not asked again
    address = attempts.redirect_address(request, found.address_id, found.vendor)
    context = {
        "draft": found,
        "vendor": vendor,
        "form": form,
        "rules": rules,
        "problem": problem,
        "typed": typed_of(found.vendor, found.issuer),
        "redirect_address": address,
        "entity": saml.entity_of(address) if vendor.is_saml else "",
        "certificates": [described(pem) for pem in found.saml.get("certificates", ())],
        "mode": SignUp.current().mode,
    }
    status = 422 if data is not None else 200
    return manage_page(request, "manage/sign_in_draft.html", context, here=HERE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@confirmed("POST")
def review(request: HttpRequest, id: UUID) -> HttpResponse:
    """What came of the test; a POST saves."""
    found = _draft(request, id)
    if not found.tested:
        return redirect("accounts:sign_in_draft", id=found.pk)
    if request.method == "POST":
        try:
            provider = providers.save(found, by=person_of(request))
        except (NotAllowed, Faulty) as refusal:
            messages.error(request, refusal.why if isinstance(refusal, Faulty) else str(refusal))
            return redirect("accounts:sign_in_draft", id=found.pk)
        state = "Its button stands on the sign-in page." if provider.is_on else "It is switched off."
        messages.success(request, f"Saved: {provider.name}. {state}")
        return redirect("accounts:sign_in_policy")
    return manage_page(request, "manage/sign_in_review.html", _reviewed(found), here=HERE)


@require_POST
@admins_only
@confirmed()
def switch(request: HttpRequest, id: UUID) -> HttpResponse:
    provider = get_object_or_404(SignInProvider, pk=id)
    try:
        providers.switch(provider, on=request.POST.get("on") == "1", by=person_of(request))
    except NotAllowed as refused:
        messages.error(request, str(refused))
    return redirect("accounts:sign_in_policy")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@confirmed("POST")
def remove(request: HttpRequest, id: UUID) -> HttpResponse:
    provider = get_object_or_404(SignInProvider, pk=id)
    if request.method == "POST":
        try:
            providers.remove(provider, by=person_of(request))
        except NotAllowed as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, f"Removed: {provider.name}.")
        return redirect("accounts:sign_in_policy")
    context = {"provider": provider, "people": provider.connections.count()}
    return manage_page(request, "manage/sign_in_remove.html", context, here=HERE)


def _test(request: HttpRequest, found: SignInDraft) -> HttpResponse:
    """Leads to the provider. Raises Faulty."""
    if not limits.within("sso-test", str(found.person_id), times=TESTS, seconds=SECONDS):
        raise Faulty(TOO_MANY)
    person = person_of(request)
    return lead(request, found, attempts.begin(request, SignInAttempt.Purpose.TEST, found, person=person))


def _draft(request: HttpRequest, id: UUID) -> SignInDraft:
    """The admin's own; another's, or one that is too old, does not exist."""
    return get_object_or_404(SignInDraft.objects.for_user(person_of(request)), pk=id)


def _reviewed(found: SignInDraft) -> dict[str, Any]:
    tested, is_new_test = found.tested, "subject" in found.tested
    given = outcome(found, tested.get("groups") or ())
    teams = {team.pk: team.name for team in Team.objects.filter(pk__in=given.teams)}
    email = tested.get("email", "")
    return {
        "draft": found,
        "vendor": VENDORS[found.vendor],
        "tested": tested if is_new_test else None,
        "gives": sorted((teams[pk], role) for pk, role in given.teams.items() if pk in teams),
        "gives_admin": given.admin,
        "asks_groups": bool(identities.claim_of(found)) or bool(found.groups),
        "accepted": found.accepts(email),
        "trusted": found.is_trusted_with(email),
        "mode": SignUp.current().mode,
    }
