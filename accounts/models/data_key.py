"""The keys that seal values, each wrapped by one of the installation's master keys."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class DataKey(models.Model):
    """One key for values. The active one seals; retired ones open what they sealed until it is sealed anew,
    and are removed when nothing stands under them any more (accounts.sealing.rotation).

    `id` is the 4-byte number inside each sealed value, `master_key` names the master key that wraps this row.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.PositiveIntegerField(primary_key=True)
    wrapped = models.BinaryField()
    master_key = models.CharField(max_length=16)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="active"), name="data_key_one_active"
            )
        ]

    def __str__(self) -> str:
        return f"data key {self.id}"
