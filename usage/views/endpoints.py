"""Manage, Models: addresses beside the vendors' own. One is kept only after it has listed its models."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.keys import checking, credentials
from accounts.models import Organisation
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in import limits
from providers import registry
from providers.access import Access, AccessKind
from providers.errors import ConnectionFailed, ProviderError
from usage.catalogue import actions, endpoints
from usage.catalogue.endpoint_form import EndpointForm
from usage.models import Endpoint

TRIES, SECONDS = 20, 10 * 60  # addresses tried, by one person
TOO_MANY = "Too many tries. Wait a quarter of an hour, then try again."


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("secret")
def new_endpoint(request: HttpRequest) -> HttpResponse:
    """Adds an endpoint."""
    form = EndpointForm(request.POST if request.method == "POST" else None)
    return _entering(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("secret")
def endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    """Changes an endpoint. Its short name stays: conversations and the ledger speak of it."""
    stored = get_object_or_404(Endpoint, slug=slug)
    first = {
        "label": stored.label,
        "wire": stored.wire,
        "base_url": stored.base_url,
        "api_version": stored.options.get("api_version", ""),
        "needs_key": stored.needs_key,
        "enabled": stored.enabled,
    }
    has_key = credentials.organisation_key(slug) is not None
    data = request.POST if request.method == "POST" else None
    form = EndpointForm(data, initial=first, stored=stored, has_key=has_key)
    return _entering(request, form, stored)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def remove_endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks first. Keys for the address are revoked with it."""
    stored = get_object_or_404(Endpoint, slug=slug)
    if request.method == "POST":
        actions.remove_endpoint(by=person_of(request).pk, endpoint=stored)
        messages.success(request, f"{stored.label} is removed, its keys are revoked.")
        return redirect("usage:models")
    return manage_page(request, "manage/models_remove.html", {"endpoint": stored}, here="models")


@sensitive_variables()
def _entering(request: HttpRequest, form: EndpointForm, stored: Endpoint | None) -> HttpResponse:
    status = 200
    if form.is_bound:
        status = 422
        if not form.is_valid():
            pass
        elif not limits.within("endpoints", str(request.user.pk), times=TRIES, seconds=SECONDS):
            form.add_error(None, TOO_MANY)
            status = 429
        elif problem := _take(request, form):
            form.add_error(None, problem)
        else:
            messages.success(request, f"{form.cleaned_data['label']} answers and is stored.")
            return redirect("usage:models")
    context = {"form": form, "endpoint": stored}
    return manage_page(request, "manage/models_endpoint.html", context, here="models", status=status)


@sensitive_variables()
def _take(request: HttpRequest, form: EndpointForm) -> str:
    """Has the endpoint list its models, and stores it. Returns what to say when it was not stored."""
    organisation = Organisation.current()
    if organisation is None:
        raise Http404
    person = person_of(request)
    secret, keeps = form.entered(), form.key_stays
    found = form.endpoint()
    row = endpoints.provider(found)
    if found.enabled:
        if secret is None and found.needs_key and keeps:
            choices = credentials.for_call(person.pk, None, found.slug)
            access = choices[0].access if choices else None
        else:
            kind: AccessKind = "api_key" if secret is not None else "none"
            access = Access(found.base_url, secret, kind, options=dict(found.options))
        if access is None:
            return "The stored key cannot be used any more. Enter it again."
        try:
            async_to_sync(registry.speaker(row).list_models)(access)
        except ConnectionFailed as error:
            return f"{error.safe_message} Nothing was stored."
        except ProviderError as error:
            return checking.advice(error, found.label)
    try:
        actions.save_endpoint(by=person.pk, organisation=organisation, endpoint=found, secret=secret)
    except actions.NotPossible as error:
        return str(error)
    return ""
