"""Manage, Usage, Reconcile: the ledger beside what a vendor says was used and charged.

One vendor reports today (providers.registry.reporting); the page shows the first that does.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.keys import actions as key_actions
from accounts.keys import admin_keys
from accounts.models import Organisation, User
from accounts.rights import admins_only, manage_page, person_of
from accounts.views.keys import TOO_MANY, may_try
from providers import registry
from providers.errors import ProviderError
from usage.catalogue import overrides
from usage.models import Reconciliation, VendorKey
from usage.reconcile import drift, reconciling, utc_days
from usage.reconcile import view as reconcile_view
from usage.reconcile.forms import AdminKeyForm, CountedForm
from usage.reports import lines as report_rows
from usage.reports.names import Names


@require_safe
@admins_only
def reconcile(request: HttpRequest) -> HttpResponse:
    """The compared days; before the first comparison, what it needs. In the address: `before`, a day."""
    return _page(request)


@require_POST
@admins_only
def compare(request: HttpRequest) -> HttpResponse:
    """Compares the last days now."""
    if not may_try(request):
        messages.error(request, TOO_MANY)
    else:
        _compare(request)
    return redirect("usage:reconcile")


@require_safe
@admins_only
def reconcile_day(request: HttpRequest, day: str) -> HttpResponse:
    """One day, or one model on it: every figure, and the ledger's lines behind them. In the address: `model`,
    or `kind` of what is charged without one; `after` for older lines.
    """
    provider, state = _vendor()
    overrides.known()
    try:
        found = reconcile_view.day(state, date.fromisoformat(day))
    except ValueError:
        found = None
    if found is None:
        raise Http404
    model, kind = request.GET.get("model", ""), request.GET.get("kind", "")
    one = next((each for each in found.rows if (each.row.model, each.row.kind) == (model, kind)), None)
    if (model or kind) and one is None:
        raise Http404
    after = request.GET.get("after", "")
    lines = utc_days.lines(provider, state.vendor_account, found.day, model)
    try:
        page = report_rows.cut(lines, after) if not kind else report_rows.Page([], "")
    except report_rows.NoSuchPlace:
        raise Http404 from None
    names = Names(people={line.user for line in page.lines})
    context = {
        **_frame(provider, state),
        "found": found,
        "one": one,
        "model": model,
        "kind": kind,
        "page": page,
        "rows": [(line, names.name("person", line.user)) for line in page.lines],
        "after": after,
        "most": report_rows.PAGE,
    }
    return manage_page(request, "manage/reconcile_day.html", context, here="usage")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@sensitive_post_parameters("secret")
def reconcile_key(request: HttpRequest) -> HttpResponse:
    """Enters an admin key, or another in its place; it is kept once the vendor opens its reports to it."""
    provider, state = _vendor()
    form = AdminKeyForm(request.POST if request.method == "POST" else None, reports=_reports(provider))
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            if not may_try(request):
                form.add_error(None, TOO_MANY)
                status = 429
            elif problem := _keep(provider, form, person_of(request)):
                form.add_error(None, problem)
            else:
                messages.success(request, "The admin key works and is stored.")
                _compare(request)
                return redirect("usage:reconcile")
    context = {**_frame(provider, state), "form": form}
    return manage_page(request, "manage/reconcile_key.html", context, here="usage", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def remove_reconcile_key(request: HttpRequest) -> HttpResponse:
    """Asks first. What was compared stays."""
    provider, state = _vendor()
    stored = admin_keys.entered(provider)
    if stored is None:
        raise Http404
    if request.method != "POST":
        context = _frame(provider, state)
        return manage_page(request, "manage/reconcile_remove.html", context, here="usage")
    key_actions.revoke(credential=stored, by=person_of(request))
    messages.success(request, "The admin key is revoked. What was compared stays.")
    return redirect("usage:reconcile")


@require_POST
@admins_only
def reconcile_counted(request: HttpRequest) -> HttpResponse:
    """Says which of the vendor's keys count, and compares anew."""
    _, state = _vendor()
    rows = VendorKey.objects.filter(provider=state.provider, vendor_account=state.vendor_account)
    form = CountedForm(request.POST, keys=rows)
    if not form.is_valid():
        return _page(request, form)
    by = person_of(request).pk
    reconciling.count(by=by, state=state, keys=form.cleaned_data["counted"])
    if may_try(request):
        _compare(request)
    else:
        messages.success(request, "Saved. The next comparison goes by it.")
    return redirect("usage:reconcile")


def _page(request: HttpRequest, refused: CountedForm | None = None) -> HttpResponse:
    provider, state = _vendor()
    overrides.known()
    try:
        before = date.fromisoformat(request.GET["before"]) if "before" in request.GET else None
    except ValueError:
        raise Http404 from None
    days, older = reconcile_view.days(state, before)
    context = {
        **_frame(provider, state),
        "days": days,
        "counted": [one for one in days if one.money.vendor is not None],
        "older": older,
        "before": before,
        "whole": reconcile_view.whole(days),
        "beyond": sum(one.is_beyond for one in days),
        "keys": reconcile_view.keys(state),
        "refused": refused,
    }
    status = 200 if refused is None else 422
    return manage_page(request, "manage/reconcile.html", context, here="usage", status=status)


def _frame(provider: str, state: Reconciliation) -> dict[str, Any]:
    return {
        "vendor": registry.providers()[provider],
        "reports": _reports(provider),
        "state": state,
        "key": admin_keys.in_force(provider),
        "limit": drift.limit_words(),
        "nights": reconciling.DAYS,
    }


def _compare(request: HttpRequest) -> None:
    """Says how it went; what went wrong stands on the page in any case."""
    provider, _ = _vendor()
    found = reconciling.reconcile(provider)
    if found.problem:
        return
    if found.beyond:
        many = len(found.beyond)
        messages.warning(request, f"Compared. Rows that differ by more than {drift.limit_words()}: {many}.")
    else:
        messages.success(request, f"Compared. Nothing differs by more than {drift.limit_words()}.")


@sensitive_variables()
def _keep(provider: str, form: AdminKeyForm, by: User) -> str:
    """Returns what to say when it was not stored."""
    organisation = Organisation.current()
    if organisation is None:
        raise Http404
    try:
        admin_keys.keep(
            organisation=organisation,
            provider=provider,
            secret=form.cleaned_data["secret"],
            by=by,
        )
    except ProviderError as error:
        return f"{admin_keys.advice(error, provider)} Nothing was stored."
    return ""


def _vendor() -> tuple[str, Reconciliation]:
    """The vendor that reports, and how the comparison with it stands."""
    provider = next(iter(registry.reporting()), None)
    if provider is None:
        raise Http404
    stored = Reconciliation.objects.filter(pk=provider).first()
    return provider, stored or Reconciliation(provider=provider)


def _reports(provider: str) -> registry.Reports:
    reports = registry.providers()[provider].reports
    if reports is None:
        raise Http404
    return reports
