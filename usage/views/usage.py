"""Usage: what was spent on what, for admins of everybody and for each person of their own calls; the
overview for admins.

Every figure opens the ledger's lines that it stands for: `calls` with the figure's filters, then one call.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Credential, User
from accounts.rights import admins_only, manage_page, person_of
from usage.budgets import view as budget_view
from usage.catalogue import overrides
from usage.clock import organisation_day
from usage.models import LedgerLine
from usage.reports import changes as report_changes
from usage.reports import csv_file as report_csv
from usage.reports import lines as report_rows
from usage.reports import overview as report_overview
from usage.reports import tables as report_tables
from usage.reports.chart import chart
from usage.reports.forms import LONGEST, LONGEST_PAGE, PERIODS, Asked, Period, ReportForm, period
from usage.reports.names import HEADINGS, Names, model_name
from usage.reports.reports import Filters, Sums, sums, total
from usage.reports.sources import Ready

OWN = ("team", "token", "model", "purpose")  # what a person may filter and group their own usage by
BEHIND = {"person": "user", "team": "team", "token": "token"}


@require_safe
@admins_only
def overview(request: HttpRequest) -> HttpResponse:
    """What the organisation spends now, and where that leads."""
    now = timezone.now()
    overrides.known()
    seen = report_overview.overview(organisation_day(now), now)
    names = Names(people=[key[0] for key, _ in seen.by_person], teams=[key[0] for key, _ in seen.by_team])
    layers = report_tables.layers_of(seen.of_models, "model", lambda ref: model_name(ref).text)
    month = seen.of(seen.month)
    context = {
        "seen": seen,
        "month": month,
        "week": seen.of(seen.week),
        "chart": chart(seen.month, layers, seen.ahead),
        "tops": [
            (grouping, heading, [(key[0], names.name(grouping, key[0]), found) for key, found in groups])
            for grouping, heading, groups in (
                ("person", "People", seen.by_person),
                ("team", "Teams", seen.by_team),
                ("model", "Models", seen.by_model),
            )
        ],
        "budgets": budget_view.shown()[: report_overview.TOP],
        "zone": settings.TIME_ZONE,
        "now": now,
    }
    return manage_page(request, "manage/overview.html", context, here="overview")


@require_safe
@admins_only
def usage(request: HttpRequest) -> HttpResponse:
    """Everybody's usage. In the address: the fields of ReportForm."""
    return _report(request, "manage/usage.html", _form(request), here="usage")


@require_safe
@never_cache
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """The person's own usage."""
    person, today = person_of(request), organisation_day(timezone.now())
    week, month = period("week", today), period("month", today)
    back = report_changes.earliest(("week", week), ("month", month))
    begin = min(week.first, month.first, back)
    found = sums(Filters(first=begin, last=today, person=person.pk), ("day",))
    by_day = {key[0]: amount for key, amount in found.items()}
    spans = [
        (
            label,
            days.first,
            today,
            sum((amount for day, amount in by_day.items() if day >= days.first), Sums()),
            report_changes.of_days(name, days, by_day),
        )
        for label, name, days in (
            ("Today", "own", Period(first=today, end=today, today=today)),
            ("This week", "week", week),
            ("This month", "month", month),
        )
    ]
    extra = {"spans": spans, "budgets": budget_view.own(person)}
    return _report(request, "usage/mine.html", _form(request, OWN), here="mine", fixed=person.pk, extra=extra)


@require_safe
@admins_only
def usage_csv(request: HttpRequest) -> HttpResponse:
    """The report of the same address as a file."""
    return _file(_form(request, longest=LONGEST))


@require_safe
@never_cache
@login_required
def mine_csv(request: HttpRequest) -> HttpResponse:
    return _file(_form(request, OWN, longest=LONGEST), person_of(request).pk)


@require_safe
@admins_only
def calls(request: HttpRequest) -> HttpResponse:
    """The ledger's lines behind a figure. In the address: its filters, and `after` for older ones."""
    return _lines(request, _form(request), here="usage")


@require_safe
@never_cache
@login_required
def my_calls(request: HttpRequest) -> HttpResponse:
    return _lines(request, _form(request, OWN), here="mine", fixed=person_of(request).pk)


@require_safe
@admins_only
def call(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """One call: its attempts and corrections, without what was said in it."""
    return _call(request, report_rows.call(call_id), here="usage")


@require_safe
@never_cache
@login_required
def my_call(request: HttpRequest, call_id: UUID) -> HttpResponse:
    return _call(request, report_rows.call(call_id, person_of(request).pk), here="mine")


def _report(
    request: HttpRequest,
    template: str,
    form: ReportForm,
    *,
    here: str,
    fixed: UUID | None = None,
    extra: dict[str, Any] | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {**_frame(form), **(extra or {})}
    if form.is_valid():
        overrides.known()
        asked = form.asked()
        since = report_changes.earliest((asked.name, asked.period))
        filters = replace(_filters(asked, fixed), ready=Ready(since, asked.period.end))
        table = report_tables.page_table(asked, filters)
        layer = HEADINGS.get(report_tables.layer(asked), "")
        title = f"Cost per day{f' by {layer.lower()}' if layer else ''}"
        context |= {
            "asked": asked,
            "table": table,
            "table_title": f"By {' and '.join(table.headings).lower()}",
            "change": report_changes.compared(
                asked, filters, table.total, {row.key: row.sums for row in table.shown}
            ),
            "chart": report_tables.drawn(asked, filters, table),
            "chart_title": title,
            "choices": report_tables.choices(asked, filters),
        }
    return manage_page(request, template, context, here=here, status=200 if form.is_valid() else 422)


def _file(form: ReportForm, fixed: UUID | None = None) -> HttpResponse:
    if not form.is_valid():
        return HttpResponse("\n".join(form.problems), status=422, content_type="text/plain; charset=utf-8")
    overrides.known()
    asked = form.asked()
    table = report_tables.table(asked, _filters(asked, fixed))
    text = report_csv.table(table.by, ((row.names, row.ids, row.sums) for row in table.rows))
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    name = f"usage-{asked.period.first}-to-{asked.period.end}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _lines(request: HttpRequest, form: ReportForm, *, here: str, fixed: UUID | None = None) -> HttpResponse:
    context: dict[str, Any] = {**_frame(form), "after": request.GET.get("after", "")}
    if form.is_valid():
        overrides.known()
        asked = form.asked()
        filters = _filters(asked, fixed)
        try:
            page = report_rows.page(filters, context["after"])
        except report_rows.NoSuchPlace:
            raise Http404 from None
        context |= {
            "asked": asked,
            "page": page,
            "rows": _with_names(page.lines),
            "total": total(filters),
            "chosen": _chosen(asked, person_of(request)),
            "most": report_rows.PAGE,
        }
    return manage_page(
        request, "usage/calls.html", context, here=here, status=200 if form.is_valid() else 422
    )


def _call(request: HttpRequest, found: report_rows.OneCall | None, *, here: str) -> HttpResponse:
    if found is None:
        raise Http404
    overrides.known()
    names = _names(found.lines[:1])
    who = {
        HEADINGS[name]: names.name(name, getattr(found.first, column))
        for name, column in BEHIND.items()
        if getattr(found.first, column) is not None and (name != "person" or here != "mine")
    }
    context = {"call": found, "who": who.items(), "zone": settings.TIME_ZONE}
    return manage_page(request, "usage/call.html", context, here=here)


def _form(
    request: HttpRequest, only: tuple[str, ...] = tuple(HEADINGS), *, longest: int = LONGEST_PAGE
) -> ReportForm:
    return ReportForm(request.GET, today=_today(), only=only, longest=longest)


def _today() -> date:
    return organisation_day(timezone.now())


def _filters(asked: Asked, fixed: UUID | None) -> Filters:
    return asked.filters(**({} if fixed is None else {"person": fixed}))


def _frame(form: ReportForm) -> dict[str, Any]:
    return {"form": form, "periods": PERIODS.items(), "zone": settings.TIME_ZONE, "now": timezone.now()}


def _names(lines: Any) -> Names:
    return Names(
        people={line.user for line in lines},
        teams={line.team for line in lines if line.team},
        tokens={line.token for line in lines if line.token},
    )


def _with_names(lines: list[LedgerLine]) -> list[tuple[LedgerLine, Any]]:
    """Each line with its person's name."""
    names = Names(people={line.user for line in lines})
    return [(line, names.name("person", line.user)) for line in lines]


def _chosen(asked: Asked, person: User) -> list[tuple[str, str, str]]:
    """What the list is narrowed to: heading, name, and the address without it."""
    narrowed = dict(asked.narrowed)
    credential = narrowed.pop("credential", None)
    by = tuple(narrowed)
    names = Names.of(by, [tuple(narrowed.values())])
    headings = {"outcome": "Outcome", **HEADINGS}
    chosen = [
        (headings[name], names.name(name, value).whole, asked.days_query(**{name: ""}))
        for name, value in narrowed.items()
    ]
    if credential is not None:
        row = Credential.objects.for_user(person).filter(pk=credential).first()
        chosen.append(("Key", row.name if row else "Removed", asked.days_query(credential="")))
    return chosen
