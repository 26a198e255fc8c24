"""The time that money goes by: the database's, so that processes with wrong clocks agree on leases and
periods.
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """The database's time now, aware and UTC. On SQLite that is this machine's clock, for the file is
    local.
    """
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def organisation_day(moment: datetime) -> date:
    """The calendar day that this moment belongs to for the organisation: that of settings.TIME_ZONE."""
    return moment.astimezone(timezone.get_default_timezone()).date()
