"""Manage, Alerts: what was told, to whom, and how this organisation wants to be told."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.mail import stored as mail
from accounts.rights import admins_only, manage_page, person_of
from usage.alerts import alerts, watch_money
from usage.alerts import delivery as alert_delivery
from usage.alerts import settings as alert_settings
from usage.alerts import view as alert_view
from usage.alerts.forms import SettingsForm
from usage.budgets.words import limit_words
from usage.models import Alert, Delivery

AT_ONCE = 30  # alerts on a page
# What each kind means, for the settings.
MEANINGS = {
    "budget": (
        "A budget has reached one of the thresholds. A strict one refuses what does not fit, and so may stop "
        "just short of 100 %."
    ),
    "spend": (
        f"Today costs {watch_money.FACTOR} times what this weekday usually does by this time, and "
        f"{limit_words('money', watch_money.FLOOR)} more at least. Usual is the median of the last "
        f"{watch_money.WEEKS} weeks, if there was any spend in {watch_money.LEAST_WEEKDAYS} of them."
    ),
    "credential": "A shared key or login does not work any more.",
    "provider": "A provider fails more often, or answers much later, than in the last day.",
    "drift": "Our ledger and the provider’s own report differ.",
}


@require_safe
@admins_only
def alert_list(request: HttpRequest) -> HttpResponse:
    """All alerts, the newest first. In the address: `kind`, `only=unseen`, `page`."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in Alert.Kind.values else ""
    unseen = request.GET.get("only") == "unseen"
    page = Paginator(alert_view.listed(kind, unseen=unseen), AT_ONCE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": alert_view.rows(page.object_list, timezone.now()),
        "kinds": Alert.Kind.choices,
        "kind": kind,
        "unseen": unseen,
        "filters": [(words, name, _address(kind=kind, only=name)) for words, name in FILTERS],
        "filtered": bool(kind or unseen),
        "any_unseen": Alert.objects.unseen().exists(),
        "here_address": request.get_full_path(),
        "thresholds": _percents(alert_settings.wishes().thresholds) if not page.paginator.count else "",
    }
    return manage_page(request, "manage/alerts.html", context, here="alerts")


FILTERS = [("All", ""), ("Not seen", "unseen")]


@require_POST
@admins_only
def see_alerts(request: HttpRequest) -> HttpResponse:
    """Marks one alert (`alert`) or all of them as seen."""
    chosen = request.POST.get("alert", "")
    alerts.see(by=person_of(request).pk, alert=_id(chosen) if chosen else None)
    return redirect(_back(request))


@require_POST
@admins_only
def send_again(request: HttpRequest, delivery: UUID) -> HttpResponse:
    """Sends one that was given up, or that waits for its next try, now."""
    if not Delivery.objects.filter(pk=delivery).exists():
        raise Http404
    if not alert_delivery.make_due(delivery):
        messages.info(request, "It is on its way already.")
        return redirect(_back(request))
    say_what_became(request, alert_delivery.deliver_one(delivery))
    return redirect(_back(request))


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def settings_page(request: HttpRequest) -> HttpResponse:
    """Thresholds, mail, and the webhooks."""
    person, wished = person_of(request), alert_settings.wishes()
    first = {
        "thresholds": ", ".join(map(str, wished.thresholds)),
        "mail_kinds": sorted(wished.mail_kinds),
        "mail_me": wished.mails(person.pk),
    }
    form = SettingsForm(request.POST if request.method == "POST" else None, initial=first)
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        alert_settings.change(
            by=person.pk,
            thresholds=values["thresholds"],
            mail_kinds=values["mail_kinds"],
            mail_me=values["mail_me"],
        )
        messages.success(request, "Saved. It counts for the next alert.")
        return redirect("usage:alert_settings")
    context = {
        "form": form,
        "meanings": [(box, MEANINGS[box.data["value"]]) for box in form["mail_kinds"]],
        "hooks": alert_view.hooks(timezone.now()),
        "can_mail": mail.is_set_up(),
    }
    status = 422 if form.is_bound else 200
    return manage_page(request, "manage/alerts_settings.html", context, here="alerts", status=status)


def say_what_became(request: HttpRequest, delivery: Delivery) -> None:
    """Of a delivery that was just tried."""
    if delivery.state == Delivery.State.SENT:
        messages.success(request, f"{delivery.receiver} took it.")
    elif delivery.error:
        then = "" if delivery.state == Delivery.State.FAILED else " It is tried again by itself."
        messages.error(request, f"{delivery.receiver} did not take it. {delivery.error}{then}")
    else:
        messages.info(request, "It is on its way.")


def _address(**query: str) -> str:
    return f"{reverse('usage:alerts')}?{urlencode({name: value for name, value in query.items() if value})}"


def _back(request: HttpRequest) -> str:
    """Where the form was, or the list."""
    place = request.POST.get("back", "")
    return place if url_has_allowed_host_and_scheme(place, None) else reverse("usage:alerts")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _percents(thresholds: tuple[int, ...]) -> str:
    return " or ".join(f"{percent} %" for percent in thresholds)
