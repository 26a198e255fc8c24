"""When the work that goes by the clock is due."""

from __future__ import annotations

from django.db import models


class DutyRun(models.Model):
    """One duty (accounts.duties) of the installation: when it is due, who does it now, how it went last.

    A claim that was not given back by `claimed_until` was that of a lost process.
    """

    name = models.CharField(max_length=40, primary_key=True)
    due_at = models.DateTimeField()
    claimed_by = models.CharField(max_length=120, blank=True, default="")
    claimed_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name}, due {self.due_at:%Y-%m-%d %H:%M}"
