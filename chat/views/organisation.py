"""Manage, Settings: what holds for the whole organisation, one form for each section.

Some of it has a page of its own, which is linked here: mail, keys, sign-in, the audit log.
"""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import actions as account_actions
from accounts.audit import retention as audit_retention
from accounts.mail import stored as mail
from accounts.models import Organisation
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in import limits
from accounts.sign_in.confirming import is_confirmed
from usage.catalogue import actions as usage_actions
from usage.catalogue import overrides
from usage.health import health, vendors
from usage.offers import offers

from .. import retention
from ..organisation_forms import DefaultModelForm, NameForm, RetentionForm

HERE = "settings"
TESTS, SECONDS = 30, 10 * 60  # tests of vendors that one person may ask for
TOO_MANY = "Too many tests. Wait a quarter of an hour, then try again."


@require_safe
@admins_only
def organisation(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
@admins_only
def name(request: HttpRequest) -> HttpResponse:
    form = NameForm(request.POST)
    if form.is_valid():
        try:
            account_actions.rename_organisation(by=person_of(request), name=form.cleaned_data["name"])
        except ValidationError as error:
            form.add_error("name", error.messages)
        else:
            messages.success(request, "Saved. Pages that are open show it when they are loaded again.")
            return redirect("chat:organisation")
    return _page(request, name_form=form)


@require_POST
@admins_only
def keep(request: HttpRequest) -> HttpResponse:
    """How long conversations are kept. Where that is shorter than now, it says first what would be deleted,
    and asks once more who it is.
    """
    form = RetentionForm(request.POST)
    if not form.is_valid():
        return _page(request, retention_form=form)
    days, now = form.cleaned_data["days"], _organisation().retention_days
    if days is not None and (now is None or days < now):
        if not form.is_agreed:
            context = {"days": days, "now": now, "outlook": retention.outlook(days)}
            return manage_page(request, "manage/settings_retention.html", context, here=HERE)
        if not is_confirmed(request):
            raise ReauthenticationRequired
    if account_actions.keep_conversations(by=person_of(request), days=days):
        messages.success(
            request,
            "Saved. Conversations are kept always."
            if days is None
            else f"Saved. Conversations are deleted {_days(days)} after their last change.",
        )
    return redirect("chat:organisation")


@require_POST
@admins_only
def default_model(request: HttpRequest) -> HttpResponse:
    person, chosen = person_of(request), overrides.known().default
    form = DefaultModelForm(request.POST, offers=offers.offered(person), chosen=chosen)
    if form.is_valid():
        ref = form.cleaned_data["model"]
        try:
            if not ref and chosen:
                usage_actions.clear_default(by=person.pk, ref=chosen)
            elif ref != chosen:
                usage_actions.make_default(by=person.pk, ref=ref)
        except usage_actions.NotPossible as error:
            form.add_error("model", str(error))
        else:
            messages.success(request, "Saved. New conversations begin accordingly.")
            return redirect("chat:organisation")
    return _page(request, model_form=form)


@require_POST
@admins_only
def test_vendor(request: HttpRequest) -> HttpResponse:
    """Asks one vendor, for free, about each of the organisation's keys."""
    person, slug = person_of(request), request.POST.get("vendor", "")
    if not limits.within("vendors", str(person.pk), times=TESTS, seconds=SECONDS):
        messages.error(request, TOO_MANY)
        return redirect("chat:organisation")
    verdicts = vendors.test(by=person, slug=slug)
    if verdicts is None:
        raise Http404
    label = health.label(slug)
    for verdict in verdicts:
        if verdict.why:
            about = f"{label}, {verdict.key}" if verdict.key else label
            messages.error(request, f"{about}: {verdict.why}")
        else:
            takes = f", and takes {verdict.key}" if verdict.key else ""
            messages.success(request, f"{label} answers{takes}.")
    return redirect("chat:organisation")


def _page(
    request: HttpRequest,
    *,
    name_form: NameForm | None = None,
    retention_form: RetentionForm | None = None,
    model_form: DefaultModelForm | None = None,
) -> HttpResponse:
    """The page, with the form that was refused as it was typed."""
    person, row = person_of(request), _organisation()
    listed = offers.offered(person)
    proposal = offers.propose(listed)
    refused = any((name_form, retention_form, model_form))
    context: dict[str, Any] = {
        "name_form": name_form or NameForm(initial={"name": row.name}),
        "retention_form": retention_form or RetentionForm(initial={"days": row.retention_days}),
        "model_form": model_form or DefaultModelForm(offers=listed, chosen=overrides.known().default),
        "begins_with": proposal.spec.name if proposal is not None else "",
        "zone": timezone.get_default_timezone_name(),
        "kept_days": row.retention_days,
        "vendors": vendors.listed(),
        "mail": mail.known(),
        "mail_by_environment": mail.by_environment(),
        "audit_kept": audit_retention.CHOICES[audit_retention.kept_days()],
    }
    return manage_page(request, "manage/settings.html", context, here=HERE, status=422 if refused else 200)


def _organisation() -> Organisation:
    row = Organisation.current()
    if row is None:
        raise Http404
    return row


def _days(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
