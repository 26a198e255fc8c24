"""Manage, Health: how providers and credentials fare, from real calls, and how this process treats them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.rights import admins_only, manage_page, person_of
from usage.health import health as state
from usage.health.figures import Place
from usage.health.health import LISTED, PERIODS

USUAL = "day"
WORDS = {"hour": "Last hour", "day": "24 hours", "week": "7 days"}


@require_safe
@admins_only
def health(request: HttpRequest) -> HttpResponse:
    """All credentials. In the address: `period` (of PERIODS); `provider` and `key` open the calls of one,
    `only=failed` those of them that failed.
    """
    now, period = timezone.now(), _period(request.GET.get("period", ""))
    rows = state.overview(person_of(request), period, now)
    provider, key = request.GET.get("provider", ""), request.GET.get("key", "")
    only_failed = request.GET.get("only") == "failed"
    opened = next((row for row in rows if (row.provider, row.place) == (provider, key)), None)
    context = {
        "rows": rows,
        "period": period,
        "periods": [(name, words, _address(period=name)) for name, words in WORDS.items()],
        "words": WORDS[period],
        "opened": opened,
        "only_failed": only_failed,
        "calls": state.calls((provider, key), period, now, only_failed=only_failed) if opened else [],
        "most": LISTED,
        "degraded": [row for row in rows if row.degraded],
    }
    return manage_page(request, "manage/health.html", context, here="health")


@require_POST
@admins_only
def try_now(request: HttpRequest) -> HttpResponse:
    """Asks a provider about one credential, and lets calls through again when it answers well."""
    place: Place = (request.POST.get("provider", ""), request.POST.get("key", ""))
    why = state.try_now(person_of(request), place)
    if why is None:
        raise Http404
    label = state.label(place[0])
    if why:
        messages.error(request, f"{label} does not answer well now. {why}")
    else:
        messages.success(request, f"{label} answers and takes the key. Calls go there again.")
    return redirect(_address(period=_period(request.POST.get("period", ""))))


def _period(wish: str) -> str:
    return wish if wish in PERIODS else USUAL


def _address(**query: str) -> str:
    return f"{reverse('usage:health')}?{urlencode(query)}"
