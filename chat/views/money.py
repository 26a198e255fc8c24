"""What the next turn would cost, and what a conversation has cost."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.rights import person_of
from usage.budgets import glance as budget_glance

from .. import costs
from ..estimate import next_turn
from ..forms import EstimateForm, SettingsForm
from ..models import Conversation
from .fetched import conversation_of


@require_GET
@never_cache
@login_required
def estimate(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """The figures with which the page says what sending costs, and how full the person's limits are."""
    return _figures(request, conversation_of(request, conversation_id))


@require_GET
@never_cache
@login_required
def estimate_new(request: HttpRequest) -> HttpResponse:
    """That of a conversation that has not begun; its settings come along, but for the system prompt."""
    return _figures(request, None)


@require_GET
@never_cache
@login_required
def details(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """What the conversation has cost; with `all` in the address, with every call of it."""
    found = conversation_of(request, conversation_id)
    every = "all" in request.GET
    context = {"conversation": found, "costs": costs.of(found, every=every), "every": every}
    return render(request, "chat/_panel.html", context)


def _figures(request: HttpRequest, found: Conversation | None) -> HttpResponse:
    user, form, chosen = person_of(request), EstimateForm(request.GET), SettingsForm(request.GET)
    turn = None
    if form.is_valid():
        settings = {"web_search": form.cleaned_data["web_search"]}
        if found is None and chosen.is_valid():
            settings |= chosen.chosen()
        turn = next_turn(user, found, form.cleaned_data["model"], settings)
    context = {
        "figures": turn.figures if turn else None,
        "switch": turn.switch if turn else None,
        "glance": budget_glance.fullest(user.pk, found.team_id if found else None),
    }
    return render(request, "chat/_figures.html", context)
