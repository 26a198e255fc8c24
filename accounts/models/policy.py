"""Which models and features may be used: rules of the organisation, of teams, and of all others."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.ids import uuid7

from .organisation import Team


class Policy(models.Model):
    """One rule (accounts.policies.rules.Rule). Written by accounts.policies.store alone; no row: nothing was
    decided. `scope` "others" is for teams without a rule and people in no team.
    """

    class Scope(models.TextChoices):
        ORGANISATION = "organisation"
        OTHERS = "others"
        TEAM = "team"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    team = models.OneToOneField(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="policy")
    which = models.CharField(max_length=8, default="all")
    refs = models.JSONField(default=list, blank=True)
    refused = models.JSONField(default=list, blank=True)
    granted = models.JSONField(default=list, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope"], condition=~models.Q(scope="team"), name="policy_once_in_a_scope"
            ),
            models.CheckConstraint(
                condition=models.Q(scope="team", team__isnull=False)
                | models.Q(scope__in=["organisation", "others"], team__isnull=True),
                name="policy_scope_fits",
            ),
            models.CheckConstraint(
                condition=models.Q(which__in=["all", "only", "except"]), name="policy_which_known"
            ),
        ]

    def __str__(self) -> str:
        return f"policy of {self.team or self.scope}"


class PolicyStamp(models.Model):
    """A new one with every change, so that a process knows that the rules it has read are those in force.

    No row: nothing was ever decided.
    """

    only = models.BooleanField(primary_key=True, default=True)
    stamp = models.UUIDField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="policy_stamp_only_one")]

    def __str__(self) -> str:
        return str(self.stamp)
