"""Manage, Models: which models people may use, under which name, at which price, and who stands in."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.keys import credentials
from accounts.models import User
from accounts.rights import admins_only, manage_page, person_of
from providers import registry
from providers.catalogue import ModelSpec
from usage.catalogue import actions, discovery, known_models, overrides
from usage.catalogue.forms import ChainForm, ModelForm, PriceForm, chain_text
from usage.catalogue.new_model_form import NewModelForm
from usage.offers import model_rows
from usage.offers.model_rows import STATES, Group
from usage.prices import prices

from ..models import Price

LONGEST_QUERY = 100


@require_safe
@admins_only
def models(request: HttpRequest) -> HttpResponse:
    """All models by provider. In the address: `q` (words), `provider` (slug), `state` (of STATES)."""
    words = request.GET.get("q", "")[:LONGEST_QUERY].split()
    provider, state = request.GET.get("provider", ""), request.GET.get("state", "")
    everything = model_rows.groups(person_of(request))
    filtered = bool(words or provider or state)
    shown = [_narrowed(group, words, state) for group in everything if provider in ("", group.slug)]
    # Without a wish: what a key opens at length, the rest in a line each.
    long = [group for group in shown if group.rows and (filtered or not group.trouble)]
    short = [] if filtered else [group for group in everything if group.trouble]
    context = {
        "groups": long,
        "others": short,
        "providers": [(group.slug, group.label) for group in everything],
        "states": STATES.items(),
        "q": " ".join(words),
        "provider": provider,
        "state": state,
        "filtered": filtered,
        "endpoints": [group for group in everything if group.is_endpoint and not group.rows],
        "off": overrides.known().off.items(),
    }
    return manage_page(request, "manage/models.html", context, here="models")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def new_model(request: HttpRequest) -> HttpResponse:
    """Adds a model that nobody lists; from the one that it is like it takes facts and price."""
    form = NewModelForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        like = form.cleaned_data["like"]
        try:
            actions.add_model(by=_by(request), ref=form.ref, facts=form.facts, like=like)
        except actions.NotPossible as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{form.ref} is added. Look at its price before people use it.")
            return redirect("usage:model", form.cleaned_data["provider"], form.cleaned_data["model"])
    context = {"form": form, "known": sorted(overrides.known().by_ref)}
    return manage_page(
        request, "manage/models_new.html", context, here="models", status=422 if form.is_bound else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def model(request: HttpRequest, provider: str, model: str) -> HttpResponse:
    """One model: its facts, and the form of what an admin says of it."""
    spec = _spec(request, provider, model)
    own = overrides.known().override(spec.ref)
    first = ModelForm.values_of(own.enabled, own.display_name, dict(own.facts), spec)
    form = ModelForm(request.POST if request.method == "POST" else None, initial=first)
    if form.is_bound and form.is_valid():
        try:
            actions.change_model(
                by=_by(request),
                ref=spec.ref,
                enabled=form.switch,
                display_name=form.cleaned_data["display_name"],
                facts=form.facts(dict(own.facts)),
            )
        except actions.NotPossible as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Saved. {spec.name} is as you say from now on.")
            return redirect(_address(spec))
    return _page(request, spec, form=form)


@require_POST
@admins_only
def price(request: HttpRequest, provider: str, model: str) -> HttpResponse:
    """A price of this installation's own; with `end`, the end of it."""
    spec = _spec(request, provider, model)
    if "end" in request.POST:
        if actions.end_prices(by=_by(request), ref=spec.ref):
            messages.success(request, f"{spec.name} has its usual price again.")
        return redirect(_address(spec))
    form = PriceForm(request.POST)
    if form.is_valid():
        usual = spec.price_on(known_models.today())
        rates, tier = form.rates(), form.long_context()
        try:
            actions.set_price(
                by=_by(request),
                ref=spec.ref,
                rates=rates,
                long_context=tier,
                fast=usual.fast if usual is not None else None,
                web_search_per_1000_nano=form.search_nano(),
                batch_percent=usual.batch_percent if usual is not None else None,
                geo_us_percent=usual.geo_us_percent if usual is not None else None,
                valid_from=form.begins(),
                valid_until=form.ends(),
            )
        except actions.NotPossible as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The price of {spec.name} is stored.")
            return redirect(_address(spec))
    return _page(request, spec, price_form=form)


@require_POST
@admins_only
def chain(request: HttpRequest, provider: str, model: str) -> HttpResponse:
    """Who takes over when the model cannot answer."""
    spec = _spec(request, provider, model)
    form = ChainForm(request.POST)
    if form.is_valid():
        try:
            actions.set_chain(by=_by(request), ref=spec.ref, refs=form.cleaned_data["refs"])
        except actions.NotPossible as error:
            form.add_error("refs", str(error))
        else:
            messages.success(request, f"The fallback chain of {spec.name} is stored.")
            return redirect(_address(spec))
    return _page(request, spec, chain_form=form)


@require_POST
@admins_only
def default(request: HttpRequest, provider: str, model: str) -> HttpResponse:
    """New conversations begin with this model; with `clear`, with what the catalogue proposes."""
    spec = _spec(request, provider, model)
    try:
        if "clear" in request.POST:
            actions.clear_default(by=_by(request), ref=spec.ref)
        else:
            actions.make_default(by=_by(request), ref=spec.ref)
    except actions.NotPossible as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Saved. New conversations begin accordingly.")
    return redirect(_address(spec))


def _page(
    request: HttpRequest,
    spec: ModelSpec,
    *,
    form: ModelForm | None = None,
    price_form: PriceForm | None = None,
    chain_form: ChainForm | None = None,
) -> HttpResponse:
    """The page of one model, with the form that was refused as it was typed."""
    known = overrides.known()
    own = known.override(spec.ref)
    person = person_of(request)
    usual = spec.price_on(known_models.today())
    rows = Price.objects.filter(provider=spec.provider, model=spec.id).order_by("-valid_from")
    refused = any(one is not None and one.is_bound for one in (form, price_form, chain_form))
    now = timezone.now()
    usable = spec.provider in credentials.usable_providers(person.pk, None)
    in_force = prices.overridden(now).get(spec.ref)
    context: dict[str, Any] = {
        "spec": spec,
        "row": model_rows.row(spec, in_force, _listed(person, spec, usable), usable=usable),
        "label": cast(registry.Provider, registry.provider(spec.provider)).label,
        "usual": usual,
        "own_prices": [(row, row.valid_until is not None and row.valid_until <= now) for row in rows],
        "chain": known.chains.get(spec.ref, ()),
        "form": form
        or ModelForm(initial=ModelForm.values_of(own.enabled, own.display_name, dict(own.facts), spec)),
        "price_form": price_form or PriceForm(initial=PriceForm.values_of(in_force or usual)),
        "chain_form": chain_form or ChainForm(initial={"refs": chain_text(known.chains.get(spec.ref, ()))}),
        "source": "imported" if spec.ref in known.imported else "catalogue" if usual else "",
    }
    return manage_page(
        request, "manage/models_one.html", context, here="models", status=422 if refused else 200
    )


def _by(request: HttpRequest) -> UUID:
    return person_of(request).pk


def _spec(request: HttpRequest, provider: str, model: str) -> ModelSpec:
    """A model that is known, listed, or was described before; 404 for any other."""
    if registry.provider(provider) is None:
        overrides.known()  # an endpoint that this process has not seen yet
    if registry.provider(provider) is None:
        raise Http404
    ref = f"{provider}/{model}"
    spec = known_models.about(ref)
    if spec is None:
        choices = credentials.for_call(_by(request), None, provider)
        beside = known_models.unknown(choices[0]) if choices else []
        spec = next((one for one in beside if one.id == model), None)
    if spec is None:
        raise Http404
    return spec


def _listed(person: User, spec: ModelSpec, usable: bool) -> set[str] | None:
    if not usable or spec.demo:
        return None
    choices = credentials.for_call(person.pk, None, spec.provider)
    found = discovery.listed(choices[0], wait=False) if choices else None
    return {model.id for model in found} if found else None


def _address(spec: ModelSpec) -> str:
    return reverse("usage:model", args=[spec.provider, spec.id])


def _narrowed(group: Group, words: list[str], state: str) -> Group:
    rows = [
        row
        for row in group.rows
        if state in ("", row.state)
        and all(
            word.lower() in f"{row.spec.ref} {row.spec.display_name} {group.label}".lower() for word in words
        )
    ]
    return Group(
        slug=group.slug, label=group.label, trouble=group.trouble, is_endpoint=group.is_endpoint, rows=rows
    )
