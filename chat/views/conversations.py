"""Whole conversations: their pages, the list of them, their settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.policies import store
from accounts.rights import person_of
from usage import policy
from usage.offers import offers

from .. import actions, drain, pages, sidebar, wishes
from ..forms import SendForm, SettingsForm
from ..models import Conversation
from ..once import Conflict
from . import replies
from .fetched import conversation_of


@require_GET
@never_cache
@login_required
def new(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/page.html", pages.page(person_of(request), None))


@require_GET
@never_cache
@login_required
def conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    found = conversation_of(request, conversation_id)
    return render(request, "chat/page.html", pages.page(person_of(request), found))


@require_POST
@login_required
@drain.new_work
def start(request: HttpRequest) -> HttpResponse:
    """Begins a conversation and answers with its whole stage."""
    form, settings = SendForm(request.POST), SettingsForm(request.POST)
    if (refused := replies.refused(request, form, settings)) is not None:
        return refused
    try:
        sent = actions.start(
            user=person_of(request),
            text=form.cleaned_data["text"],
            model=form.cleaned_data["model"],
            settings=settings.chosen() | ({"web_search": True} if form.cleaned_data["web_search"] else {}),
            client_id=form.cleaned_data["client_id"],
        )
    except Conflict as conflict:
        return replies.refusal(request, conflict)
    response = render(request, "chat/_stage.html", pages.page(person_of(request), sent.conversation))
    response.headers["HX-Push-Url"] = f"/c/{sent.conversation.id}/"
    return response


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def settings(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """The settings of the next answers: shown, and kept."""
    found = conversation_of(request, conversation_id)
    if request.method != "POST":
        return _settings(request, found)
    form = SettingsForm(request.POST)
    if (refused := replies.unsettable(request, form, team=found.team_id)) is not None:
        return refused
    actions.configure(conversation=found, settings=form.chosen())
    return _settings(request, found, saved=True)


def _settings(request: HttpRequest, found: Conversation, **more: Any) -> HttpResponse:
    standing = store.standing(person_of(request).pk, found.team_id)
    context = {
        "conversation": found,
        "chosen": pages.chosen(found, offers.offered(person_of(request), standing=standing)),
        "kept": policy.kept_features(standing),
        "usual_tokens": wishes.MAX_TOKENS,
        "efforts": wishes.EFFORTS,
        **more,
    }
    return render(request, "chat/_settings.html", context)


@require_GET
@never_cache
@login_required
def listed(request: HttpRequest) -> HttpResponse:
    """The sidebar's list."""
    context = {"sidebar": sidebar.days(person_of(request)), "current": request.GET.get("current", "")}
    return render(request, "chat/_sidebar_list.html", context)
