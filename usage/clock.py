"""The time that money goes by: the database's, and the days of the organisation."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone

from accounts.clock import database_now

__all__ = ["database_now", "organisation_day"]


def organisation_day(moment: datetime) -> date:
    """The calendar day that this moment belongs to for the organisation: that of settings.TIME_ZONE."""
    return moment.astimezone(timezone.get_default_timezone()).date()
