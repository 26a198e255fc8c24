"""Manage, Recommendations: what could be saved, each finding down to the calls that it stands on."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.duties import do_now
from accounts.rights import admins_only, manage_page
from usage.catalogue import overrides
from usage.clock import organisation_day
from usage.recommendations import findings, recommendations
from usage.recommendations import seats as finding_seats
from usage.recommendations.recommendations import DAYS, DUTY, EVERY, KINDS, SEATS, Recommendation
from usage.recommendations.words import WORDS
from usage.reports.names import Names, model_name

SHOWN = 100  # people on a page
LINE = re.compile(r"[0-9]{1,18}")  # the id of a ledger line


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def recommendations_page(request: HttpRequest) -> HttpResponse:
    """All findings that say something. A POST measures them anew."""
    if request.method == "POST":
        if do_now(DUTY):
            messages.success(request, "Measured anew.")
        else:
            messages.error(request, "It is being measured already, or could not be. Look again in a while.")
        return redirect("usage:recommendations")
    found = recommendations.stored()
    today = organisation_day(timezone.now())
    first_use = recommendations.first_use()
    context = {
        "shown": [(one, *_told(one)) for one in found if one.says_something],
        "silent": [WORDS[one.slug].title for one in found if not one.says_something] if found else [],
        "every": [WORDS[slug].title for slug in EVERY],
        "measured": found[0].finding if found else None,
        "took": sum(one.finding.took_ms for one in found),
        "days": DAYS,
        "used_for": (today - first_use).days if first_use is not None else None,
    }
    return manage_page(request, "manage/recommendations.html", context, here="recommendations")


@require_safe
@admins_only
def recommendation(request: HttpRequest, kind: str) -> HttpResponse:
    """One finding: how it was computed, by model and by day; or the dormant people."""
    one = _stored(kind)
    words, act = _told(one)
    context: dict[str, Any] = {"one": one, "words": words, "act": act, "zone": settings.TIME_ZONE}
    if kind == SEATS:
        dormant = finding_seats.dormant(one.finding.first)
        page = Paginator(dormant, SHOWN).get_page(request.GET.get("page"))
        context |= {"people": [(person, finding_seats.last_seen(person)) for person in page], "page": page}
    else:
        overrides.known()
        instead = one.facts.plan.instead
        context["models"] = [
            (model_name(ref), model_name(instead[ref]) if ref in instead else None, count, amount)
            for ref, count, amount in one.facts.by_model
        ]
    return manage_page(request, "manage/recommendations_one.html", context, here="recommendations")


@require_safe
@admins_only
def recommendation_calls(request: HttpRequest, kind: str, day: str) -> HttpResponse:
    """The calls of one day that a finding stands on. In the address: `below`, the id below which they are."""
    one = _stored(kind)
    found = next((row for row in one.days if row[0].isoformat() == day), None)
    below = request.GET.get("below", "")
    if kind == SEATS or found is None or (below and LINE.fullmatch(below) is None):
        raise Http404
    overrides.known()
    lines, older = findings.lines(
        KINDS[kind],
        one.facts.plan,
        date.fromisoformat(day),
        one.finding.measured_at,
        int(below) if below else None,
    )
    names = Names(people={row.line.user for row in lines})
    words, _ = _told(one)
    context = {
        "one": one,
        "words": words,
        "day": found[0],
        "count": found[1],
        "amount": found[2],
        "rows": [(row, names.name("person", row.line.user)) for row in lines],
        "older": older,
        "below": below,
        "most": findings.PAGE,
        "zone": settings.TIME_ZONE,
    }
    return manage_page(request, "manage/recommendations_calls.html", context, here="recommendations")


def _stored(kind: str) -> Recommendation:
    """Raises Http404 for no kind, and for one that was not measured yet."""
    one = recommendations.one(kind) if kind in WORDS else None
    if one is None:
        raise Http404
    return one


def _told(one: Recommendation) -> tuple[Any, str]:
    """The finding's words, and the address of the page where something can be done about it."""
    words = WORDS[one.slug]
    query = dict(words.query)
    if words.to == "usage:usage":
        query |= {"period": "own", "from": str(one.finding.first), "to": str(one.finding.last)}
    return words, reverse(words.to) + (f"?{urlencode(query)}" if query else "")
