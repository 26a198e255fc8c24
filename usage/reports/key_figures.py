"""What each credential was used for this month, for the pages of keys (accounts.keys.figures)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.urls import reverse
from django.utils import timezone

from accounts.keys.figures import KeyFigure
from accounts.models import Credential, User
from usage.clock import organisation_day
from usage.reports.forms import period, query
from usage.reports.reports import Filters, lines
from usage.templatetags.figures import usd
from usage.templatetags.report_figures import exact


def this_month(person: User, credentials: Collection[UUID]) -> Mapping[UUID, KeyFigure]:
    """Two queries. Admins may open every row; others the rows of their own keys, which serve nobody else."""
    month = period("month", organisation_day(timezone.now()))
    found = lines(Filters(first=month.first, last=month.last)).filter(credential__in=credentials).order_by()
    sums = found.values_list("credential").annotate(
        cost=Sum("cost_nano"), calls=Count("id", filter=Q(line=0, attempt=1))
    )
    mine = set()
    if not person.is_admin:
        mine = set(Credential.objects.filter(pk__in=credentials, person=person).values_list("pk", flat=True))
    figures = {}
    for credential, cost, calls in sums:
        rows = query({"period": "month", "credential": credential})
        address = ""
        if person.is_admin:
            address = reverse("usage:calls") + rows
        elif credential in mine:
            address = reverse("usage:my_calls") + rows
        nano = int(cost or 0)
        figures[credential] = KeyFigure(calls=calls, cost=usd(nano), exact=exact(nano), address=address)
    return figures
