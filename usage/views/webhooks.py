"""Manage, Alerts: webhooks. A secret is shown in the answer that made it, and never again."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.ids import uuid7
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in import limits
from providers.access import Secret
from usage.alerts import delivery as alert_delivery
from usage.alerts import view as alert_view
from usage.alerts import webhooks
from usage.alerts.forms import KINDS, WebhookForm
from usage.catalogue.actions import NotPossible
from usage.models import Webhook
from usage.views.alerts import say_what_became

TESTS, SECONDS = 20, 10 * 60  # tests that one person may send
TOO_MANY = "Too many tests. Wait a quarter of an hour, then try again."


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("url")
@sensitive_variables("secret")
def new_webhook(request: HttpRequest) -> HttpResponse:
    """Adds a webhook, and shows its secret."""
    first = {"id": uuid7(), "kinds": [kind for kind, _ in KINDS]}
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=first)
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        try:
            secret = webhooks.add(
                by=person_of(request).pk,
                webhook_id=values["id"],
                name=values["name"],
                url=values["url"],
                kinds=values["kinds"],
            )
        except NotPossible as error:
            form.add_error(None, str(error))
        else:
            if secret is None:
                messages.info(request, "It was added already. Its secret was shown then.")
                return redirect("usage:webhook", values["id"])
            return _show(request, Webhook.objects.get(pk=values["id"]), secret)
    status = 422 if form.is_bound else 200
    return manage_page(
        request, "manage/alerts_webhook_new.html", {"form": form}, here="alerts", status=status
    )


@require_safe
@admins_only
def webhook(request: HttpRequest, webhook: UUID) -> HttpResponse:
    """One webhook, and what was sent to it last."""
    hook = get_object_or_404(Webhook, pk=webhook)
    now = timezone.now()
    context = {
        "hook": alert_view.Hook(webhook=hook, last=None),
        "deliveries": alert_view.deliveries(hook, now),
        "most": alert_view.LISTED,
        "overlap": hook.previous_until if hook.previous_until and hook.previous_until > now else None,
        "overlap_hours": int(webhooks.OVERLAP.total_seconds() // 3600),
        "version": _version(hook),
    }
    return manage_page(request, "manage/alerts_webhook.html", context, here="alerts")


@require_POST
@admins_only
@sensitive_variables("secret")
def rotate_webhook(request: HttpRequest, webhook: UUID) -> HttpResponse:
    """Makes a new secret, and shows it. A form that was sent before does nothing: a second rotation would end
    the secret that the receiver still has.
    """
    hook = get_object_or_404(Webhook, pk=webhook)
    if request.POST.get("version") != _version(hook):
        messages.info(request, "It has a new secret already. It was shown then.")
        return redirect("usage:webhook", hook.pk)
    return _show(request, hook, webhooks.rotate(by=person_of(request).pk, webhook=hook))


@require_POST
@admins_only
def switch_webhook(request: HttpRequest, webhook: UUID) -> HttpResponse:
    """Switches it off; with `on`, on again."""
    hook = get_object_or_404(Webhook, pk=webhook)
    on = "on" in request.POST
    webhooks.switch(by=person_of(request).pk, webhook=hook, on=on)
    messages.success(request, f"{hook.name} {'hears of the next alert' if on else 'is off'}.")
    return redirect("usage:webhook", hook.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def remove_webhook(request: HttpRequest, webhook: UUID) -> HttpResponse:
    """Asks first."""
    hook = get_object_or_404(Webhook, pk=webhook)
    if request.method == "POST":
        webhooks.remove(by=person_of(request).pk, webhook=hook)
        messages.success(request, f"{hook.name} is removed.")
        return redirect("usage:alert_settings")
    return manage_page(request, "manage/alerts_webhook_remove.html", {"webhook": hook}, here="alerts")


@require_POST
@admins_only
def test_webhook(request: HttpRequest, webhook: UUID) -> HttpResponse:
    """Sends a test now, and says what became of it."""
    hook, person = get_object_or_404(Webhook, pk=webhook), person_of(request)
    if not limits.within("webhooks", str(person.pk), times=TESTS, seconds=SECONDS):
        messages.error(request, TOO_MANY)
    else:
        made = webhooks.make_test(by=person.pk, webhook=hook)
        say_what_became(request, alert_delivery.deliver_one(made.pk))
    return redirect("usage:webhook", hook.pk)


@sensitive_variables("secret")
def _show(request: HttpRequest, hook: Webhook, secret: Secret) -> HttpResponse:
    context = {"webhook": hook, "secret": secret.reveal()}
    return manage_page(request, "manage/alerts_webhook_secret.html", context, here="alerts")


def _version(hook: Webhook) -> str:
    """Names the secret that is in force, and says nothing about it."""
    return f"{hook.previous_until or hook.created_at:%Y%m%d%H%M%S%f}"
