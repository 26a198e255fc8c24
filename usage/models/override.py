"""What an admin, or a list that was imported, says of models beside the catalogue of this version."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import uuid7


class ModelOverride(models.Model):
    """An admin's word on one model; it wins over the catalogue, an import and the vendor's list.

    `enabled` None: as it is without a word. `facts` holds those fields of catalogue.ModelSpec that the admin
    corrects, or all that is known of a model which nothing else describes. At most one is the default.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    enabled = models.BooleanField(null=True)
    display_name = models.CharField(max_length=80, blank=True)
    facts = models.JSONField(default=dict)
    is_default = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.UUIDField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model"], name="override_of_one_model"),
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="override_one_default"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ImportedModel(models.Model):
    """One model as an imported list describes it; it stands in the place of the catalogue's.

    `spec` is a catalogue.ModelSpec as JSON, prices included.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    spec = models.JSONField()
    source = models.CharField(max_length=200)
    imported_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model"], name="imported_model_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.source}"


class FallbackChain(models.Model):
    """The models, by ref, that are asked in this order when `ref` cannot answer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ref = models.CharField(max_length=265, unique=True)
    refs = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.UUIDField(null=True)

    def __str__(self) -> str:
        return f"{self.ref}, then {', '.join(self.refs)}"


class Revision(models.Model):
    """One row, counted up with every change to the tables of this module and to endpoints.

    Processes look at it to learn that what they remember is old.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"revision {self.number}"
